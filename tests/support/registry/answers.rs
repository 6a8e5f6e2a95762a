//! What the registry answers.

use axum::body::Body;
use axum::http::header::{CONTENT_TYPE, LINK, WWW_AUTHENTICATE};
use axum::http::{HeaderValue, StatusCode};
use axum::response::{IntoResponse, Response};
use prodpin::model::Digest;
use serde_json::{Value, json};

use super::{Holdings, Repository};

/// An answer that is an error, as registries write them.
pub(super) struct Refusal(StatusCode, &'static str, String);

impl IntoResponse for Refusal {
    fn into_response(self) -> Response {
        let body = json!({ "errors": [{ "code": self.1, "message": self.2 }] });
        let mut answer = (self.0, [(CONTENT_TYPE, "application/json")], body.to_string()).into_response();
        if self.0 == StatusCode::UNAUTHORIZED {
            let challenge = HeaderValue::from_static("Basic realm=\"in-process registry\"");
            answer.headers_mut().insert(WWW_AUTHENTICATE, challenge);
        }
        answer
    }
}

pub(super) fn refuse(status: StatusCode, code: &'static str, message: impl Into<String>) -> Refusal {
    Refusal(status, code, message.into())
}

pub(super) type Answer = Result<Response, Refusal>;

pub(super) fn location(name: &str, upload: &str) -> String {
    format!("/v2/{name}/blobs/uploads/{upload}")
}

pub(super) fn created(location: String, digest: &Digest) -> [(&'static str, String); 2] {
    [("location", location), ("docker-content-digest", digest.to_string())]
}

pub(super) fn json_answer(value: &Value, next: Option<String>) -> Response {
    let mut answer = ([(CONTENT_TYPE, "application/json")], Body::from(value.to_string())).into_response();
    if let Some(next) = next {
        answer.headers_mut().insert(LINK, next.parse().expect("a path in ASCII"));
    }
    answer
}

pub(super) fn referrers(repository: &Repository, subject: &str) -> Value {
    let entries = repository.manifests.iter().filter_map(|(digest, manifest)| {
        let document: Value = serde_json::from_slice(&manifest.bytes).ok()?;
        (document["subject"]["digest"].as_str()? == subject).then(|| {
            json!({
                "mediaType": manifest.media_type, "digest": digest.to_string(), "size": manifest.bytes.len(),
                "artifactType": document["artifactType"],
            })
        })
    });
    let entries: Vec<Value> = entries.collect();
    json!({ "schemaVersion": 2, "mediaType": "application/vnd.oci.image.index.v1+json", "manifests": entries })
}

pub(super) fn known<'h>(name: &str, holdings: &'h Holdings) -> Result<&'h Repository, Refusal> {
    holdings.repositories.get(name).ok_or_else(|| name_unknown(name))
}

pub(super) fn known_mut<'h>(name: &str, holdings: &'h mut Holdings) -> Result<&'h mut Repository, Refusal> {
    holdings.repositories.get_mut(name).ok_or_else(|| name_unknown(name))
}

pub(super) fn name_unknown(name: &str) -> Refusal {
    refuse(StatusCode::NOT_FOUND, "NAME_UNKNOWN", format!("there is no repository {name}"))
}

pub(super) fn manifest_unknown(reference: &str) -> Refusal {
    refuse(StatusCode::NOT_FOUND, "MANIFEST_UNKNOWN", format!("there is no manifest {reference}"))
}

pub(super) fn not_allowed() -> Refusal {
    refuse(StatusCode::METHOD_NOT_ALLOWED, "UNSUPPORTED", "not with this method")
}

/// Every digest a manifest or index needs; none if one of them cannot be read.
pub(super) fn parts(manifest: &Value) -> Option<Vec<Digest>> {
    let lists = ["manifests", "layers"].into_iter().filter_map(|list| manifest[list].as_array()).flatten();
    let config = manifest.get("config").into_iter();
    lists.chain(config).map(|descriptor| descriptor["digest"].as_str()?.parse().ok()).collect()
}
