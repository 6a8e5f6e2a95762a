//! What is asked of an API server in one call, and the gate through which every call goes: a cluster is read, and what a
//! rehearsal sends beside that is a dry run or is not sent at all (I17, P75a).

use bytes::Bytes;
use http::header::{ACCEPT, CONTENT_TYPE};
use http::{Method, Request};
use kube::client::Body;

use super::list::is_label;

/// What a cluster's client was made for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Gate {
    /// Reading.
    Reads,
    /// Reading, and dry runs of pods and of changes of workloads.
    Rehearses,
}

/// One call.
#[derive(Debug, Clone)]
pub(super) struct Question {
    method: Method,
    path: String,
    accept: &'static str,
    content_type: Option<&'static str>,
    body: Bytes,
}

const JSON: &str = "application/json";

/// Of an object its metadata alone: of a Secret nothing that is secret.
const METADATA: &str = "application/json;as=PartialObjectMetadata;g=meta.k8s.io;v=v1";

/// A patch that is a list of changes.
pub(super) const JSON_PATCH: &str = "application/json-patch+json";

/// A patch that is merged as the kinds of Kubernetes say.
pub(super) const STRATEGIC_MERGE_PATCH: &str = "application/strategic-merge-patch+json";

/// What makes a write a rehearsal, and who it says that it is.
const DRY_RUN: &str = "dryRun=All&fieldManager=prodpin";

impl Question {
    pub(super) fn get(path: &str) -> Self {
        Self { method: Method::GET, path: path.to_owned(), accept: JSON, content_type: None, body: Bytes::new() }
    }

    /// Whether an object is there, and no more of it than that.
    pub(super) fn metadata(path: &str) -> Self {
        Self { accept: METADATA, ..Self::get(path) }
    }

    /// Making an object of this collection, in a dry run.
    pub(super) fn rehearse_making(collection: &str, object: Bytes) -> Self {
        let path = format!("{collection}?{DRY_RUN}");
        Self { method: Method::POST, path, accept: JSON, content_type: Some(JSON), body: object }
    }

    /// Changing an object, in a dry run.
    pub(super) fn rehearse_changing(object: &str, content_type: &'static str, patch: Bytes) -> Self {
        let path = format!("{object}?{DRY_RUN}");
        Self { method: Method::PATCH, path, accept: JSON, content_type: Some(content_type), body: patch }
    }

    /// The request, if the gate lets it through.
    pub(super) fn request(&self, gate: Gate) -> Result<Request<Body>, String> {
        let mut request = Request::builder().method(self.method.clone()).uri(&self.path).header(ACCEPT, self.accept);
        if let Some(content_type) = self.content_type {
            request = request.header(CONTENT_TYPE, content_type);
        }
        let body = if self.body.is_empty() { Body::empty() } else { Body::from(self.body.to_vec()) };
        let request = request.body(body).map_err(|error| format!("{} cannot be asked for: {error}", self.path))?;
        gate.check(request.method(), request.uri().path(), request.uri().query())?;
        Ok(request)
    }
}

/// Workloads whose change may be rehearsed, by the root of their API.
const CHANGED: [(&str, &str); 4] = [
    ("apps/v1", "deployments"),
    ("apps/v1", "statefulsets"),
    ("apps/v1", "daemonsets"),
    ("argoproj.io/v1alpha1", "rollouts"),
];

impl Gate {
    /// Held against what the request itself says, whatever the rest of the code comes to do.
    fn check(self, method: &Method, path: &str, query: Option<&str>) -> Result<(), String> {
        let fail = |reason: &str| Err(format!("refused to send {method} {path:.200}: {reason}"));
        if method == Method::GET {
            return Ok(());
        }
        if self == Self::Reads {
            return fail("this client was made for reading");
        }
        let is_dry = is_dry_run(query.unwrap_or_default());
        let parts: Vec<&str> = path.split('/').collect();
        match (method.as_str(), parts.as_slice()) {
            ("POST", ["", "api", "v1", "namespaces", namespace, "pods"]) if is_label(namespace) && is_dry => Ok(()),
            ("PATCH", ["", "apis", group, version, "namespaces", namespace, plural, name])
                if CHANGED.contains(&(format!("{group}/{version}").as_str(), *plural))
                    && is_label(namespace)
                    && is_name(name)
                    && is_dry =>
            {
                Ok(())
            }
            _ if !is_dry => fail("it is no dry run"),
            _ => fail("it is no rehearsal of a pod or of a workload's change"),
        }
    }
}

/// Whether a query asks for a dry run, and for nothing that could be read in another way.
fn is_dry_run(query: &str) -> bool {
    let mut asked: Vec<&str> = query.split('&').collect();
    asked.sort_unstable();
    asked == ["dryRun=All", "fieldManager=prodpin"]
}

/// Whether it can stand in a path as the name of an object.
pub(super) fn is_name(name: &str) -> bool {
    let plain = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || b"-.".contains(&byte);
    (1..=253).contains(&name.len()) && !name.starts_with('.') && !name.contains("..") && name.bytes().all(plain)
}

#[cfg(test)]
mod tests {
    use super::*;

    const PODS: &str = "/api/v1/namespaces/shop/pods";
    const DEPLOYMENT: &str = "/apis/apps/v1/namespaces/shop/deployments/api";

    fn passes(gate: Gate, method: &str, uri: &str) -> bool {
        let (path, query) = uri.split_once('?').map_or((uri, None), |(path, query)| (path, Some(query)));
        gate.check(&method.parse().unwrap(), path, query).is_ok()
    }

    #[test]
    fn a_signal_reads_and_nothing_else_i17() {
        assert!(passes(Gate::Reads, "GET", PODS));
        for method in ["POST", "PUT", "PATCH", "DELETE", "OPTIONS", "CONNECT"] {
            for uri in [PODS, DEPLOYMENT] {
                assert!(!passes(Gate::Reads, method, uri), "{method} {uri}");
                assert!(!passes(Gate::Reads, method, &format!("{uri}?{DRY_RUN}")), "{method} {uri}");
            }
        }
    }

    #[test]
    fn a_rehearsal_sends_dry_runs_of_pods_and_of_workloads_and_nothing_else_i17() {
        let gate = Gate::Rehearses;
        assert!(passes(gate, "GET", PODS) && passes(gate, "POST", &format!("{PODS}?{DRY_RUN}")));
        for plural in ["deployments", "statefulsets", "daemonsets"] {
            assert!(
                passes(gate, "PATCH", &format!("/apis/apps/v1/namespaces/shop/{plural}/api?{DRY_RUN}")),
                "{plural}"
            );
        }
        assert!(passes(gate, "PATCH", &format!("/apis/argoproj.io/v1alpha1/namespaces/shop/rollouts/a.b?{DRY_RUN}")));
        for query in [
            "",
            "?",
            "?dryRun=",
            "?dryRun=All",
            "?dryRun=all&fieldManager=prodpin",
            "?dryRun=None&fieldManager=prodpin",
            "?dryRun=All&dryRun=&fieldManager=prodpin",
            "?fieldManager=prodpin",
            "?dryRun=All&fieldManager=prodpin&dryRun=None",
            "?dryrun=All&fieldManager=prodpin",
            "?xdryRun=All&fieldManager=prodpin",
            "?dryRun=All&fieldManager=prodpin#x",
            "?dryRun=All;fieldManager=prodpin",
        ] {
            assert!(!passes(gate, "POST", &format!("{PODS}{query}")), "{query}");
            assert!(!passes(gate, "PATCH", &format!("{DEPLOYMENT}{query}")), "{query}");
        }
        for (method, path) in [
            ("PUT", DEPLOYMENT),
            ("DELETE", DEPLOYMENT),
            ("DELETE", PODS),
            ("POST", DEPLOYMENT),
            ("PATCH", PODS),
            ("POST", "/api/v1/namespaces/shop/pods/api"),
            ("POST", "/api/v1/namespaces/shop/pods/api/eviction"),
            ("POST", "/api/v1/namespaces/shop/pods/api/exec"),
            ("POST", "/api/v1/namespaces/shop/secrets"),
            ("POST", "/api/v1/namespaces"),
            ("POST", "/api/v1/pods"),
            ("POST", "//api/v1/namespaces/shop/pods"),
            ("PATCH", "/apis/apps/v1/namespaces/shop/deployments/api/status"),
            ("PATCH", "/apis/apps/v1/namespaces/shop/deployments/api/scale"),
            ("PATCH", "/apis/apps/v1/namespaces/shop/deployments/.."),
            ("PATCH", "/apis/apps/v1/namespaces/shop/replicasets/api"),
            ("PATCH", "/apis/apps/v1/namespaces/shop%2Fx/deployments/api"),
            ("PATCH", "/apis/apps/v1/namespaces/shop/deployments/a%2Fb"),
            ("PATCH", "/apis/rbac.authorization.k8s.io/v1/namespaces/shop/roles/api"),
            ("PATCH", "/apis/apps/v1/namespaces/shop/rollouts/api"),
        ] {
            assert!(!passes(gate, method, &format!("{path}?{DRY_RUN}")), "{method} {path}");
        }
    }

    #[test]
    fn what_the_gate_holds_back_is_no_request() {
        let making = Question::rehearse_making(PODS, Bytes::from_static(b"{}"));
        assert!(making.request(Gate::Reads).is_err());
        let request = making.request(Gate::Rehearses).unwrap();
        assert_eq!(request.uri().query(), Some(DRY_RUN));
        let changing = Question::rehearse_changing(DEPLOYMENT, JSON_PATCH, Bytes::from_static(b"[]"));
        assert_eq!(changing.request(Gate::Rehearses).unwrap().headers()[CONTENT_TYPE], JSON_PATCH);
        assert!(Question::metadata("/api/v1/namespaces/shop/secrets/db").request(Gate::Reads).is_ok());
    }
}
