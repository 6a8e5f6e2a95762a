//! The registry protocol, through Quay: its tokens, and tags that have history, expire, and are neither moved nor deleted where
//! they are immutable.

use axum::body::Body;
use axum::http::header::{CONTENT_TYPE, HeaderValue, WWW_AUTHENTICATE};
use axum::http::{Method, StatusCode};
use axum::response::{IntoResponse, Response};
use base64::Engine as _;
use prodpin::model::Digest;
use serde_json::{Value, json};

use super::{Call, ROBOT, Row, Shared, TOKEN, answer as say, held, now};

/// The token of a stranger, and that of the robot account.
const STRANGER: &str = "token-of-nobody";
const OF_ROBOT: &str = "token-of-the-robot";

pub(super) async fn answer(shared: &Shared, call: &Call) -> Response {
    if call.path == "/v2/auth" {
        return token(call);
    }
    let is_robot = match call.authorization().and_then(|sent| sent.strip_prefix("Bearer ")) {
        Some(OF_ROBOT) => true,
        Some(STRANGER) => false,
        _ => return challenge(call),
    };
    if !is_robot {
        // Whoever is nobody sees what is public, and here nothing is.
        return match &*call.path {
            "/v2/_catalog" => say(200, &json!({ "repositories": [] })),
            "/v2/" => say(200, &json!(true)),
            _ => challenge(call),
        };
    }
    let named = call.path.strip_prefix("/v2/").and_then(|rest| rest.rsplit_once("/manifests/"));
    match named.map(|(repository, reference)| (repository.to_owned(), reference.to_owned())) {
        Some((repository, reference)) if call.method == Method::PUT => put(shared, call, &repository, &reference).await,
        Some((repository, reference)) if call.method == Method::DELETE => {
            delete(shared, call, &repository, &reference).await
        }
        _ => forward(shared, call).await,
    }
}

fn challenge(call: &Call) -> Response {
    let host = call.headers.get("host").and_then(|host| host.to_str().ok()).unwrap_or_default();
    let asked = format!("Bearer realm=\"http://{host}/v2/auth\",service=\"{host}\"");
    let mut answer = say(401, &errors("UNAUTHORIZED", "access to the requested resource is not authorized"));
    answer.headers_mut().insert(WWW_AUTHENTICATE, HeaderValue::from_str(&asked).expect("a header"));
    answer
}

fn errors(code: &str, message: &str) -> Value {
    json!({ "errors": [{ "code": code, "detail": {}, "message": message }] })
}

/// A token for whoever logs in, and one for whoever does not. An OAuth token logs in as `$oauthtoken`.
fn token(call: &Call) -> Response {
    let Some(sent) = call.authorization() else { return say(200, &json!({ "token": STRANGER })) };
    let decoded = base64::engine::general_purpose::STANDARD.decode(sent.trim_start_matches("Basic "));
    let pair = decoded.ok().and_then(|bytes| String::from_utf8(bytes).ok()).unwrap_or_default();
    match [format!("{}:{}", ROBOT.0, ROBOT.1), format!("$oauthtoken:{TOKEN}")].contains(&pair) {
        true => say(200, &json!({ "token": OF_ROBOT })),
        false => say(401, &errors("UNAUTHORIZED", "Could not find robot with that username and token")),
    }
}

fn immutable() -> Response {
    say(409, &errors("TAG_IMMUTABLE", "tag is immutable and cannot be overwritten"))
}

async fn put(shared: &Shared, call: &Call, repository: &str, reference: &str) -> Response {
    let by_digest = reference.parse::<Digest>().is_ok();
    let is_held =
        !by_digest && held(&shared.world).tags(repository).iter().any(|row| row.name == reference && row.immutable);
    // The very same bytes are refused as well (K52c).
    if is_held {
        return immutable();
    }
    let done = forward(shared, call).await;
    if done.status().is_success() && !by_digest {
        set(shared, repository, reference, &Digest::sha256(&call.body).to_string());
    } else if done.status().is_success() {
        held(&shared.world).rows.entry(repository.to_owned()).or_default();
    }
    done
}

/// A tag begins, and what the name was before ends.
pub(super) fn set(shared: &Shared, repository: &str, name: &str, digest: &str) {
    let mut world = held(&shared.world);
    let covers = world.immutability.is_some_and(|pattern| name.starts_with(pattern.trim_end_matches(".*")));
    let immutable = world.immutable_tags && covers;
    let end = world.expires_after.filter(|_| !immutable).map(|span| now() + span);
    let rows = world.rows.entry(repository.to_owned()).or_default();
    rows.iter_mut().filter(|row| row.is_alive() && row.name == name).for_each(|row| row.end = Some(now()));
    rows.push(Row { name: name.to_owned(), digest: digest.to_owned(), start: now(), end, immutable });
}

/// A tag goes alone; a digest with all its tags. What then has none is kept for the time machine.
async fn delete(shared: &Shared, call: &Call, repository: &str, reference: &str) -> Response {
    let is_meant = |row: &Row| row.name == reference || row.digest == reference;
    let ends: Vec<Row> = {
        let world = held(&shared.world);
        world.tags(repository).into_iter().filter(|row| is_meant(row)).cloned().collect()
    };
    if ends.iter().any(|row| row.immutable) {
        return immutable();
    }
    let digests: Vec<String> = ends.iter().map(|row| row.digest.clone()).collect();
    for digest in &digests {
        keep(shared, repository, digest).await;
    }
    let done = forward(shared, call).await;
    if done.status().is_success() {
        let mut world = held(&shared.world);
        let rows = world.rows.entry(repository.to_owned()).or_default();
        rows.iter_mut().filter(|row| row.is_alive() && is_meant(row)).for_each(|row| row.end = Some(now()));
    }
    done
}

fn manifest_path(repository: &str, reference: &str) -> String {
    format!("/v2/{repository}/manifests/{reference}")
}

async fn keep(shared: &Shared, repository: &str, digest: &str) {
    let url = format!("{}{}", shared.inner.url(), manifest_path(repository, digest));
    let read = shared.http.get(url).send().await.expect("the registry behind answers");
    if read.status() == StatusCode::OK {
        let media_type = read.headers()[CONTENT_TYPE].to_str().expect("ascii").to_owned();
        let bytes = read.bytes().await.expect("its body");
        held(&shared.world).dead.insert((repository.to_owned(), digest.to_owned()), (media_type, bytes));
    }
}

/// Puts back what the time machine has, under a name. Whether it has it.
pub(super) async fn restore(shared: &Shared, repository: &str, name: &str, digest: &str) -> bool {
    let kept = held(&shared.world).dead.get(&(repository.to_owned(), digest.to_owned())).cloned();
    let Some((media_type, bytes)) = kept else { return false };
    let url = format!("{}{}", shared.inner.url(), manifest_path(repository, name));
    let put = shared.http.put(url).header(CONTENT_TYPE, media_type).body(bytes).send().await;
    assert_eq!(put.expect("the registry behind answers").status(), StatusCode::CREATED);
    set(shared, repository, name, digest);
    true
}

/// The same call to the registry behind.
async fn forward(shared: &Shared, call: &Call) -> Response {
    let mut url: reqwest::Url = format!("{}{}", shared.inner.url(), call.path).parse().expect("an address");
    if !call.query.is_empty() {
        url.query_pairs_mut().extend_pairs(&call.query);
    }
    let mut headers = call.headers.clone();
    for name in ["authorization", "host", "content-length", "transfer-encoding"] {
        headers.remove(name);
    }
    let sent = shared.http.request(call.method.clone(), url).headers(headers).body(call.body.clone());
    let done = sent.send().await.expect("the registry behind answers");
    let (status, headers) = (done.status(), done.headers().clone());
    let body = done.bytes().await.expect("its body");
    let mut response = (status, Body::from(body)).into_response();
    for (name, value) in &headers {
        let is_framing = matches!(name.as_str(), "content-length" | "transfer-encoding" | "connection" | "date");
        if !is_framing || (call.method == Method::HEAD && name == "content-length") {
            response.headers_mut().insert(name.clone(), value.clone());
        }
    }
    response
}
