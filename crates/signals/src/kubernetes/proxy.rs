//! The proxy that leads to a cluster: the one that its kubeconfig names, else the environment's, as `kubectl` does it.

use http::Uri;
use hyper_util::client::proxy::matcher::Matcher;
use kube::config::Kubeconfig;
use url::{Host, Url};

/// Whether the cluster that is meant names a proxy of its own. `NO_PROXY` says nothing about that one.
pub(super) fn named(kubeconfig: &Kubeconfig, context: Option<&str>) -> bool {
    let Some(current) = context.or(kubeconfig.current_context.as_deref()) else { return false };
    let context = kubeconfig.contexts.iter().find(|context| context.name == current);
    let Some(context) = context.and_then(|context| context.context.as_ref()) else { return false };
    let cluster = kubeconfig.clusters.iter().find(|cluster| cluster.name == context.cluster);
    cluster.and_then(|cluster| cluster.cluster.as_ref()?.proxy_url.as_deref()).is_some_and(|proxy| !proxy.is_empty())
}

/// The environment's proxy for this API server, unless `NO_PROXY` names the server or it runs on this machine.
///
/// The client library compares `NO_PROXY` with the proxy's own name, so it is not asked.
pub(super) fn of_environment(server: &Uri) -> Option<Uri> {
    decide(server, &Matcher::from_env(), |name| std::env::var(name).ok())
}

fn decide(server: &Uri, matcher: &Matcher, environment: impl Fn(&str) -> Option<String>) -> Option<Uri> {
    if is_this_machine(server) || matcher.intercept(server).is_none() {
        return None;
    }
    let names = match server.scheme_str() {
        Some("http") => ["http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY"],
        _ => ["https_proxy", "HTTPS_PROXY", "all_proxy", "ALL_PROXY"],
    };
    let value = names.into_iter().find_map(|name| environment(name).filter(|value| !value.is_empty()))?;
    // With its user and password, which the matcher would take apart.
    let whole = if value.contains("://") { value } else { format!("http://{value}") };
    whole.parse().ok()
}

fn is_this_machine(server: &Uri) -> bool {
    match Url::parse(&server.to_string()).ok().as_ref().and_then(Url::host) {
        Some(Host::Domain(name)) => name == "localhost" || name.ends_with(".localhost"),
        Some(Host::Ipv4(address)) => address.is_loopback(),
        Some(Host::Ipv6(address)) => address.is_loopback(),
        None => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PROXY: &str = "http://proxy.corp.example:3128/";

    #[test]
    fn a_server_is_reached_through_the_proxy_unless_no_proxy_names_it() {
        let past = [
            ("https://127.0.0.1:6443", ""),
            ("https://[::1]:6443", ""),
            ("https://localhost:6443", ""),
            ("https://k8s.corp.example", ".corp.example"),
            ("https://k8s.corp.example:6443", "other.example, corp.example"),
            ("https://10.1.2.3", "10.0.0.0/8"),
            ("https://10.1.2.3:6443", "10.1.2.3"),
            ("https://k8s.example", "*"),
        ];
        let through = [
            ("https://k8s.example:6443", ""),
            ("https://k8s.example", "corp.example,10.0.0.0/8"),
            ("https://11.1.2.3", "10.0.0.0/8"),
            // The proxy's own name says nothing about the server.
            ("https://k8s.example", "proxy.corp.example"),
        ];
        for (servers, proxy) in [(&past[..], None), (&through[..], Some(PROXY))] {
            for (server, no) in servers {
                let matcher = Matcher::builder().https(PROXY).no(*no).build();
                let found =
                    decide(&server.parse().unwrap(), &matcher, |name| (name == "HTTPS_PROXY").then(|| PROXY.into()));
                assert_eq!(found.map(|uri| uri.to_string()).as_deref(), proxy, "{server} with NO_PROXY={no:?}");
            }
        }
    }

    #[test]
    fn a_proxy_may_lack_its_scheme_and_keeps_its_password() {
        let matcher = || Matcher::builder().https(PROXY).build();
        let server: Uri = "https://k8s.example".parse().unwrap();
        for (value, expected) in [
            ("proxy.corp.example:3128", PROXY),
            ("http://me:secret@proxy.corp.example:3128", "http://me:secret@proxy.corp.example:3128/"),
            ("socks5://proxy.corp.example:1080", "socks5://proxy.corp.example:1080/"),
        ] {
            let found = decide(&server, &matcher(), |name| (name == "https_proxy").then(|| value.to_owned()));
            assert_eq!(found.map(|uri| uri.to_string()).as_deref(), Some(expected));
        }
    }

    #[test]
    fn only_the_cluster_that_is_meant_names_its_proxy() {
        let kubeconfig = Kubeconfig::from_yaml(
            r#"{ clusters: [ { name: a, cluster: { server: "https://a", proxy-url: "http://p:1" } }, { name: b, cluster: { server: "https://b" } },
                 { name: c, cluster: { server: "https://c", proxy-url: "" } } ],
               contexts: [ { name: A, context: { cluster: a } }, { name: B, context: { cluster: b } }, { name: C, context: { cluster: c } } ],
               current-context: A }"#,
        )
        .unwrap();
        let asked = [None, Some("A"), Some("B"), Some("C"), Some("none")];
        assert_eq!(asked.map(|context| named(&kubeconfig, context)), [true, true, false, false, false]);
    }
}
