//! Whether a blob is there: by the first byte of a GET, because a HEAD may be answered from a memory (F107, F130).
//!
//! One call for each blob that is as it should be, and none of its bytes beyond the first are waited for: a layer may
//! be gigabytes. Registries count pulls by manifests, not by blobs.

use std::time::Duration;

use reqwest::header::{self, HeaderMap, HeaderValue};
use reqwest::{Method, StatusCode};

use super::absence::Asked;
use super::answer::HttpAnswer;
use super::fault::Fault;
use super::redirect::Redirects;
use super::registry::{Lack, Registry, Repository};
use super::transport::Extras;
use prodpin_core::model::{Digest, PartAnswer, Served};

/// An answer that announced a byte and brought none is asked for so many times.
const TRIES: u32 = 3;

/// Between them.
const PAUSE: Duration = Duration::from_millis(200);

/// The most that is read of an error.
const ERROR_CAP: usize = 64 << 10;

impl Registry {
    /// What the registry answers about a blob. Asked once for each blob.
    pub(super) async fn ask_blob(&self, repository: &Repository, digest: &Digest) -> Result<PartAnswer, Fault> {
        let Some(cell) = repository.remembered(digest) else { return self.look_at_blob(repository, digest).await };
        cell.get_or_try_init(|| self.look_at_blob(repository, digest)).await.copied()
    }

    pub(super) async fn look_at_blob(&self, repository: &Repository, digest: &Digest) -> Result<PartAnswer, Fault> {
        let mut reported = self.first_byte(repository, digest).await?;
        if reported.served == Served::Begun {
            repository.note_served(Asked::Blob(digest));
        }
        if reported.wants_head() {
            // A HEAD that is not answered says nothing; GET has said something already.
            if let Ok((there, size)) = self.head_blob(repository, digest).await {
                (reported.head, reported.head_size) = (Some(there), size);
            }
        }
        Ok(reported)
    }

    /// By GET: of the first byte, and where a server makes nothing of that, of the whole, left after the first byte.
    async fn first_byte(&self, repository: &Repository, digest: &Digest) -> Result<PartAnswer, Fault> {
        let mut ranged = true;
        for tried in 1.. {
            let answer = self.begin_blob(repository, digest, ranged).await?;
            let what = || self.blob(repository, digest);
            if answer.status.is_success() {
                self.must_be_blob(repository, digest, &answer).await?;
            }
            if answer.status == StatusCode::PARTIAL_CONTENT && !is_first_byte(&answer) {
                // Whoever sends another part than was asked for is asked for the whole; of nothing else it is a word.
                if ranged {
                    ranged = false;
                    continue;
                }
                return Err(Fault::malformed(format!("{}: another part of it than was asked for", what())));
            }
            // A success as long as the range that was asked for is the range, of however much: some stores do not say so.
            let is_unsaid = ranged && answer.status == StatusCode::OK && answer.whole_length() == Some(1);
            let size = answer.whole_length().filter(|_| !is_unsaid);
            let served = match answer.status {
                StatusCode::OK | StatusCode::PARTIAL_CONTENT if !answer.body.is_empty() => Served::Begun,
                StatusCode::OK if size.is_none_or(|size| size == 0) && !is_unsaid => Served::Nothing,
                StatusCode::OK | StatusCode::PARTIAL_CONTENT if tried < TRIES => {
                    tokio::time::sleep(PAUSE * tried).await;
                    continue;
                }
                StatusCode::OK | StatusCode::PARTIAL_CONTENT => Served::BrokeOff,
                StatusCode::RANGE_NOT_SATISFIABLE if size == Some(0) => Served::Nothing,
                StatusCode::NOT_FOUND if answer.elsewhere => Served::NotFoundElsewhere,
                // A range is a wish. Whoever takes offence at it is asked without.
                StatusCode::RANGE_NOT_SATISFIABLE | StatusCode::BAD_REQUEST | StatusCode::NOT_IMPLEMENTED if ranged => {
                    ranged = false;
                    continue;
                }
                _ => match self.lack(repository, Asked::Blob(digest), &answer, &what()).await {
                    Lack::NotFound => Served::NotFound,
                    Lack::Unknown(fault) => return Err(fault),
                },
            };
            if ranged && served == Served::Begun && size.is_none() && !is_unsaid {
                ranged = false;
                continue;
            }
            return Ok(PartAnswer::served(served, size));
        }
        Err(Fault::malformed(format!("{}: no answer", self.blob(repository, digest))))
    }

    /// Refuses a success that is not the blob but a page or an error: it says nothing of the blob (F12). A document that may
    /// be a configuration is read whole.
    async fn must_be_blob(&self, repository: &Repository, digest: &Digest, answer: &HttpAnswer) -> Result<(), Fault> {
        let Some(media_type) = answer.media_type().map(str::to_ascii_lowercase) else { return Ok(()) };
        let instead =
            |kind: &str| Err(Fault::malformed(format!("{}: {kind} in place of it", self.blob(repository, digest))));
        if media_type.contains("html") {
            return instead("a web page");
        }
        // What came for a range is a part of what is stored.
        if answer.status != StatusCode::OK || !DOCUMENTS.contains(&media_type.as_str()) {
            return Ok(());
        }
        if answer.whole_length().is_some_and(|length| length > ERROR_CAP as u64) {
            return Ok(());
        }
        let url = self.url(&format!("v2/{}/blobs/{digest}", repository.name), None);
        let call = self.read(Method::GET, url, Redirects::Anywhere, ERROR_CAP);
        let whole = self.pull(repository, call, Extras::default).await?;
        match !digest.matches(&whole.body) && is_error_document(&whole.body) {
            true => instead("an error document"),
            false => Ok(()),
        }
    }

    async fn begin_blob(&self, repository: &Repository, digest: &Digest, ranged: bool) -> Result<HttpAnswer, Fault> {
        let url = self.url(&format!("v2/{}/blobs/{digest}", repository.name), None);
        let call = self.read(Method::GET, url, Redirects::Anywhere, ERROR_CAP);
        let extras = || {
            let mut headers = HeaderMap::new();
            headers.insert(header::ACCEPT_ENCODING, HeaderValue::from_static("identity"));
            if ranged {
                headers.insert(header::RANGE, HeaderValue::from_static("bytes=0-0"));
            }
            Extras { headers, first_byte: true, ..Extras::default() }
        };
        self.pull(repository, call, extras).await
    }

    /// Whether a HEAD says that it is there, and of what size. Weak words: they prove nothing by themselves.
    async fn head_blob(&self, repository: &Repository, digest: &Digest) -> Result<(bool, Option<u64>), Fault> {
        let url = self.url(&format!("v2/{}/blobs/{digest}", repository.name), None);
        let call = self.read(Method::HEAD, url, Redirects::Anywhere, 0);
        let answer = self.pull(repository, call, Extras::default).await?;
        match answer.status {
            StatusCode::OK => Ok((true, answer.whole_length())),
            StatusCode::NOT_FOUND => Ok((false, None)),
            _ => Err(Fault::from_answer(&answer, &self.blob(repository, digest))),
        }
    }

    fn blob(&self, repository: &Repository, digest: &Digest) -> String {
        format!("blob {}/{}@{digest}", self.host.shown(), repository.name)
    }
}

/// Media types of documents, which blobs are rarely served as and errors always.
const DOCUMENTS: [&str; 6] =
    ["application/json", "application/problem+json", "application/xml", "text/json", "text/plain", "text/xml"];

/// Whether these bytes are how a server, or a store behind it, says that something went wrong.
fn is_error_document(bytes: &[u8]) -> bool {
    let text = String::from_utf8_lossy(bytes);
    let text = text.trim_start_matches('\u{feff}').trim();
    if text.starts_with('<') {
        return text.contains("<Error");
    }
    let Ok(serde_json::Value::Object(document)) = serde_json::from_str(text) else { return false };
    let has = |name: &str| document.contains_key(name);
    // A configuration has none of these; `message` alone may be a label of anything.
    has("errors") || has("error") || (has("message") && (has("code") || has("status") || document.len() == 1))
}

/// Whether a part is the one that was asked for: `bytes 0-0/…`, or at least one that begins where it should.
fn is_first_byte(answer: &HttpAnswer) -> bool {
    let Some(range) = answer.headers.get(header::CONTENT_RANGE) else { return false };
    let range = range.to_str().unwrap_or_default().trim();
    let unit = range.get(..5).is_some_and(|unit| unit.eq_ignore_ascii_case("bytes"));
    let place = range.get(5..).unwrap_or_default().trim_start_matches([' ', '=']);
    let part = place.split_once('/').and_then(|(part, _)| part.split_once('-'));
    unit && part.is_some_and(|(from, _)| from.trim() == "0")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_error_is_told_from_a_configuration_i25() {
        for error in [
            r#"{"errors":[{"code":"BLOB_UNKNOWN"}]}"#,
            r#" {"error":"denied"} "#,
            r#"{"message":"no Route matched with those values"}"#,
            r#"{"code":500,"message":"x"}"#,
            "<?xml version=\"1.0\"?>\n<Error><Code>NoSuchKey</Code></Error>",
            "<Error/>",
        ] {
            assert!(is_error_document(error.as_bytes()), "{error}");
        }
        for other in
            [r#"{"architecture":"amd64","os":"linux","config":{}}"#, "{}", "[]", "text", "<html>", "\u{1f}\u{8b}"]
        {
            assert!(!is_error_document(other.as_bytes()), "{other}");
        }
    }
}
