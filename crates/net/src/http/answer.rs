//! An answer as read: its body counted, whole, and in memory.

use bytes::{Bytes, BytesMut};
use reqwest::header::{self, HeaderMap, HeaderName};
use reqwest::{Response, StatusCode};
use serde::Deserialize;

use super::fault::Fault;
use prodpin_core::model::{Digest, DigestError};

static CONTENT_DIGEST: HeaderName = HeaderName::from_static("docker-content-digest");

/// The most that is read of an answer that is no success: enough for an error document.
const ERROR_CAP: usize = 64 << 10;

/// So many bytes of a server's message are shown.
const MOST_WORDS: usize = 160;

/// So much is read to the end where only the first byte is wanted: a connection costs more.
const LITTLE: usize = 16 << 10;

/// Room that is made for a body before it comes.
const MOST_AT_FIRST: usize = 4 << 20;

/// An answer with its body.
#[derive(Debug)]
pub struct HttpAnswer {
    /// The status.
    pub status: StatusCode,
    /// The headers.
    pub headers: HeaderMap,
    /// The body, as far as the call asked for it.
    pub body: Bytes,
    /// Whether a redirect led away from the server, so that what this says is not the server's own word.
    pub elsewhere: bool,
    /// Whether its body was left unread, because it is longer than was asked for.
    pub is_left: bool,
}

impl HttpAnswer {
    /// `Docker-Content-Digest`, parsed before any use (F25).
    pub fn digest(&self) -> Option<Result<Digest, DigestError>> {
        let value = self.headers.get(&CONTENT_DIGEST)?;
        Some(value.to_str().unwrap_or("bytes that are no text").parse())
    }

    /// The media type without its parameters; none if the header is missing.
    pub fn media_type(&self) -> Option<&str> {
        let value = self.headers.get(header::CONTENT_TYPE)?.to_str().unwrap_or("bytes that are no text");
        Some(value.split_once(';').map_or(value, |(essence, _)| essence).trim())
    }

    /// The codes of an OCI error document, cleaned: a server chooses them, so anything unusual is dropped (I19).
    pub fn error_codes(&self) -> Vec<String> {
        #[derive(Deserialize)]
        struct Document {
            errors: Vec<Entry>,
        }
        #[derive(Deserialize)]
        struct Entry {
            #[serde(default)]
            code: String,
        }
        let plain = |code: &String| {
            (1..=40).contains(&code.len()) && code.bytes().all(|byte| byte.is_ascii_uppercase() || byte == b'_')
        };
        match serde_json::from_slice::<Document>(&self.body) {
            Ok(document) => {
                let codes = document.errors.into_iter().map(|entry| entry.code.to_ascii_uppercase());
                codes.filter(plain).take(64).collect()
            }
            Err(_) => Vec::new(),
        }
    }
}

impl HttpAnswer {
    /// The first message of an OCI error document, as it came: for comparing, not for showing.
    pub fn error_message(&self) -> Option<String> {
        #[derive(Deserialize)]
        struct Document {
            errors: Vec<Entry>,
        }
        #[derive(Deserialize)]
        struct Entry {
            #[serde(default)]
            message: String,
        }
        let document: Document = serde_json::from_slice(&self.body).ok()?;
        document.errors.into_iter().map(|entry| entry.message).find(|message| !message.trim().is_empty())
    }
}

/// A server's message for a person: plain words and nothing else. What could be a token, a name or an escape sequence is
/// left out, since a server chooses all of it and may repeat what was sent to it (I18, I19).
pub fn plain_words(message: &str) -> Option<String> {
    let plain = |word: &&str| {
        let core = word.trim_matches(|c: char| "\"'().,;:!?".contains(c));
        core.len() <= 20
            && core.bytes().all(|byte| byte.is_ascii_alphabetic() || b"'-_/".contains(&byte))
            && word.bytes().all(|byte| byte.is_ascii_graphic())
    };
    let mut text = String::new();
    for word in message.split_whitespace() {
        let word = Some(word).filter(plain).unwrap_or("…");
        if text.len() + word.len() > MOST_WORDS {
            text.push_str(" …");
            break;
        }
        if !(word == "…" && text.ends_with('…')) {
            text.push_str(if text.is_empty() { "" } else { " " });
            text.push_str(word);
        }
    }
    (!matches!(text.as_str(), "" | "…")).then_some(text)
}

/// What takes a body as it arrives, so that large ones are never in memory whole (I20).
pub trait Sink: Send {
    /// A body begins; whatever came before is void.
    fn start(&mut self);

    /// The next bytes.
    fn take(&mut self, bytes: &[u8]);
}

/// How much of a body is read.
#[derive(Debug, Clone, Copy)]
pub struct Limits {
    /// More is a fault.
    pub cap: usize,
    /// More is left where it is.
    pub shorter_than: Option<usize>,
}

/// Why a body was not read.
pub enum BodyFault {
    /// The connection broke, or ended short of its Content-Length (F3, F4): what came is thrown away, try again.
    Broken(reqwest::Error),
    /// It is larger than anything of its kind may be (F26).
    TooLarge,
}

impl HttpAnswer {
    /// Reads an answer to its end. Both what it announces and what comes are held to the cap.
    pub async fn read(
        mut response: Response,
        Limits { cap, shorter_than }: Limits,
        elsewhere: bool,
        sink: Option<&mut (dyn Sink + '_)>,
    ) -> Result<Self, BodyFault> {
        let status = response.status();
        let headers = std::mem::take(response.headers_mut());
        let (cap, strict) = if status.is_success() { (cap, true) } else { (cap.min(ERROR_CAP), false) };
        let announced = response.content_length().unwrap_or(0);
        let too_large = |size: u64| strict && size > cap as u64;
        if too_large(announced) {
            return Err(BodyFault::TooLarge);
        }
        let is_long = |size: u64| strict && shorter_than.is_some_and(|most| size > most as u64);
        let long = |headers| Ok(Self { status, headers, body: Bytes::new(), elsewhere, is_left: true });
        if is_long(announced) {
            return long(headers);
        }
        let mut sink = sink.filter(|_| status.is_success());
        if let Some(sink) = &mut sink {
            sink.start();
        }
        // Grown step by step, it would take its size twice over.
        let expected = usize::try_from(announced).unwrap_or(cap).min(cap).min(MOST_AT_FIRST);
        let kept = if sink.is_some() { 0 } else { expected };
        let (mut body, mut length) = (BytesMut::with_capacity(kept), 0);
        while let Some(chunk) = response.chunk().await.map_err(BodyFault::Broken)? {
            if too_large((length + chunk.len()) as u64) {
                return Err(BodyFault::TooLarge);
            }
            if is_long((length + chunk.len()) as u64) {
                return long(headers);
            }
            let room = cap - length;
            let kept = &chunk[..chunk.len().min(room)];
            match &mut sink {
                Some(sink) => sink.take(kept),
                None => body.extend_from_slice(kept),
            }
            length += kept.len();
            if chunk.len() > room {
                break;
            }
        }
        Ok(Self { status, headers, body: body.freeze(), elsewhere, is_left: false })
    }

    /// An answer of which only the beginning matters: what comes of the first byte on is thrown away, the connection
    /// with it unless little is left. A body that breaks off before its first byte is an empty one that is not as long as
    /// it says.
    pub async fn begin(mut response: Response, cap: usize, elsewhere: bool) -> Result<Self, BodyFault> {
        if !response.status().is_success() {
            return Self::read(response, Limits { cap, shorter_than: None }, elsewhere, None).await;
        }
        let (status, headers) = (response.status(), std::mem::take(response.headers_mut()));
        let is_little = response.content_length().is_some_and(|length| length <= LITTLE as u64);
        let mut body = BytesMut::new();
        while body.len() <= LITTLE {
            match response.chunk().await {
                Ok(Some(chunk)) => body.extend_from_slice(&chunk[..chunk.len().min(LITTLE + 1)]),
                Ok(None) | Err(_) => break,
            }
            if !is_little && !body.is_empty() {
                break;
            }
        }
        body.truncate(1);
        Ok(Self { status, headers, body: body.freeze(), elsewhere, is_left: false })
    }

    /// The length of the whole content, of which this answer may be a part: from `Content-Range`, else from
    /// `Content-Length`; none where the content was packed on the way.
    pub fn whole_length(&self) -> Option<u64> {
        let text = |name: HeaderName| self.headers.get(name)?.to_str().ok().map(str::trim);
        if text(header::CONTENT_ENCODING).is_some_and(|coding| !coding.eq_ignore_ascii_case("identity")) {
            return None;
        }
        match self.status {
            StatusCode::PARTIAL_CONTENT | StatusCode::RANGE_NOT_SATISFIABLE => {
                text(header::CONTENT_RANGE)?.strip_prefix("bytes")?.rsplit_once('/')?.1.trim().parse().ok()
            }
            _ => text(header::CONTENT_LENGTH)?.parse().ok(),
        }
    }

    /// An answer of which only status and headers matter.
    pub fn bare(mut response: Response, elsewhere: bool) -> Self {
        let headers = std::mem::take(response.headers_mut());
        Self { status: response.status(), headers, body: Bytes::new(), elsewhere, is_left: false }
    }

    /// Holds an answer of 200 to the kind of content that was asked for: a proxy's login page is no answer (F12).
    pub fn must_be(&self, what: &str, expected: impl FnOnce(&str) -> bool) -> Result<(), Fault> {
        match self.media_type() {
            // The header is not quoted: whoever answers may have put into it what was sent to him (I18).
            Some(media_type) if !expected(media_type) => {
                let kind = if media_type.contains("html") { "a web page" } else { "of another type" };
                Err(Fault::malformed(format!(
                    "{what}: the answer is {kind}, which is not what was asked for; a proxy or login page may be in \
                     between"
                )))
            }
            _ => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_server_s_message_is_shown_as_plain_words_i18_i19() {
        for (message, shown) in [
            (
                "OCI artifact found, but accept header does not support OCI artifacts",
                Some("OCI artifact found, but accept header does not support OCI artifacts"),
            ),
            ("manifest unknown: Bearer eyJhbGciOi.eyJ0.x9", Some("manifest unknown: Bearer …")),
            ("\u{1b}[31mred\u{1b}[0m and\r\nblue", Some("… and blue")),
            ("abcdefghijklmnopqrstuvwxyz", None),
            ("", None),
        ] {
            assert_eq!(plain_words(message).as_deref(), shown, "{message:?}");
        }
        assert!(plain_words(&"word ".repeat(1_000)).unwrap().len() < 200);
    }
}
