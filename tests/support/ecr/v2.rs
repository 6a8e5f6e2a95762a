//! The registry protocol of the stand-in, as far as bytes need it: Basic authentication with the password that
//! `GetAuthorizationToken` hands out, blobs in part and whole, uploads in pieces. Each request goes on record by the action that
//! AWS asks for it.

use std::collections::BTreeMap;

use axum::body::Body;
use axum::http::{Method, StatusCode};
use axum::response::Response;
use prodpin::model::Digest;

use super::StoredRepository;

/// What `GetAuthorizationToken` hands out.
pub(crate) const PASSWORD: &str = "of-the-day";

/// A request to `/v2`.
pub(super) struct Asked<'a> {
    pub(super) method: &'a Method,
    pub(super) path: &'a str,
    pub(super) query: &'a str,
    pub(super) range: &'a str,
    pub(super) media_type: &'a str,
    pub(super) body: &'a [u8],
}

/// Uploads that are under way.
pub(super) type Uploads = BTreeMap<String, Vec<u8>>;

/// The actions that AWS asks for, and the answer.
pub(super) fn answer(
    repositories: &mut BTreeMap<String, StoredRepository>,
    uploads: &mut Uploads,
    asked: &Asked<'_>,
) -> (Vec<&'static str>, Response) {
    let rest = asked.path.trim_start_matches("/v2/");
    let Some((name, what, reference)) = ["/manifests/", "/blobs/uploads/", "/blobs/"]
        .into_iter()
        .find_map(|what| rest.split_once(what).map(|(name, reference)| (name, what, reference)))
    else {
        return (Vec::new(), response(StatusCode::OK, &[], b""));
    };
    let Some(repository) = repositories.get_mut(name) else {
        return (Vec::new(), error(StatusCode::NOT_FOUND, "NAME_UNKNOWN"));
    };
    match what {
        "/manifests/" => manifest(repository, reference, asked),
        "/blobs/" => (vec!["GetDownloadUrlForLayer"], blob(repository, reference, asked)),
        _ => upload(repository, (name, reference), uploads, asked),
    }
}

fn manifest(repository: &mut StoredRepository, reference: &str, asked: &Asked<'_>) -> (Vec<&'static str>, Response) {
    let digest = reference.parse::<Digest>().ok();
    if asked.method == Method::PUT {
        let text = String::from_utf8(asked.body.to_vec()).expect("manifests are text");
        let named = digest.is_none().then_some(reference);
        let stored = repository.store(&text, asked.media_type, named);
        assert!(digest.is_none_or(|digest| digest == stored), "other bytes than the digest names");
        return (
            vec!["PutImage"],
            response(StatusCode::CREATED, &[("docker-content-digest", stored.to_string())], b""),
        );
    }
    let found = repository.images.iter().find(|image| match &digest {
        Some(digest) => image.digest == *digest,
        None => image.tags.contains(reference),
    });
    let answer = match found {
        Some(image) => {
            let headers =
                [("docker-content-digest", image.digest.to_string()), ("content-type", image.media_type.clone())];
            response(StatusCode::OK, &headers, image.text.as_bytes())
        }
        None => error(StatusCode::NOT_FOUND, "MANIFEST_UNKNOWN"),
    };
    (vec!["BatchGetImage"], answer)
}

fn blob(repository: &StoredRepository, digest: &str, asked: &Asked<'_>) -> Response {
    let Some(bytes) = repository.blobs.get(digest) else { return error(StatusCode::NOT_FOUND, "BLOB_UNKNOWN") };
    let Some((from, until)) = asked.range.strip_prefix("bytes=").and_then(|range| range.split_once('-')) else {
        return response(StatusCode::OK, &[], bytes);
    };
    let from: usize = from.parse().expect("a range of ours");
    let until = until.parse().map_or(bytes.len(), |last: usize| bytes.len().min(last + 1));
    let range = format!("bytes {from}-{}/{}", until - 1, bytes.len());
    response(StatusCode::PARTIAL_CONTENT, &[("content-range", range)], &bytes[from..until])
}

fn upload(
    repository: &mut StoredRepository,
    (name, id): (&str, &str),
    uploads: &mut Uploads,
    asked: &Asked<'_>,
) -> (Vec<&'static str>, Response) {
    let location = |id: &str| [("location", format!("/v2/{name}/blobs/uploads/{id}"))];
    match asked.method.as_str() {
        "POST" => {
            let id = format!("upload-{}", uploads.len());
            uploads.insert(id.clone(), Vec::new());
            (vec!["InitiateLayerUpload"], response(StatusCode::ACCEPTED, &location(&id), b""))
        }
        "PATCH" => {
            uploads.get_mut(id).expect("an upload of ours").extend_from_slice(asked.body);
            (vec!["UploadLayerPart"], response(StatusCode::ACCEPTED, &location(id), b""))
        }
        "PUT" => {
            let mut bytes = uploads.get(id).expect("an upload of ours").clone();
            bytes.extend_from_slice(asked.body);
            let named = asked.query.split('&').find_map(|pair| pair.strip_prefix("digest="));
            let digest = named.expect("a digest").replace("%3A", ":");
            assert_eq!(Digest::sha256(&bytes).to_string(), digest, "the registry holds a blob to its digest");
            repository.layers.insert(digest.clone(), bytes.len());
            repository.blobs.insert(digest, bytes);
            (vec!["UploadLayerPart", "CompleteLayerUpload"], response(StatusCode::CREATED, &[], b""))
        }
        _ => (Vec::new(), error(StatusCode::METHOD_NOT_ALLOWED, "UNSUPPORTED")),
    }
}

fn response(status: StatusCode, headers: &[(&str, String)], body: &[u8]) -> Response {
    let mut response = Response::builder().status(status).header("docker-distribution-api-version", "registry/2.0");
    for (name, value) in headers {
        response = response.header(*name, value);
    }
    response.body(Body::from(body.to_vec())).expect("a response")
}

fn error(status: StatusCode, code: &str) -> Response {
    let body = format!("{{\"errors\":[{{\"code\":\"{code}\",\"message\":\"no\"}}]}}");
    response(status, &[("content-type", "application/json".to_owned())], body.as_bytes())
}

/// Whoever brings no password is told how.
pub(super) fn challenge() -> Response {
    let realm = "Basic realm=\"the registry\",service=\"ecr.amazonaws.com\"".to_owned();
    response(StatusCode::UNAUTHORIZED, &[("www-authenticate", realm)], b"")
}
