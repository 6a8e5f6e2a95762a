//! An answer as read: its body counted, whole, and in memory.

use bytes::{Bytes, BytesMut};
use reqwest::header::{self, HeaderMap, HeaderName};
use reqwest::{Response, StatusCode};
use serde::Deserialize;

use super::fault::Fault;
use crate::model::{Digest, DigestError};

static CONTENT_DIGEST: HeaderName = HeaderName::from_static("docker-content-digest");

/// The most that is read of an answer that is no success: enough for an error document.
const ERROR_CAP: usize = 64 << 10;

/// An answer with its body.
#[derive(Debug)]
pub(in crate::sources) struct Answer {
    pub(in crate::sources) status: StatusCode,
    pub(in crate::sources) headers: HeaderMap,
    pub(in crate::sources) body: Bytes,
    /// Whether a redirect led away from the server, so that what this says is not the server's own word.
    pub(in crate::sources) elsewhere: bool,
}

impl Answer {
    /// `Docker-Content-Digest`, parsed before any use (F25).
    pub(in crate::sources) fn digest(&self) -> Option<Result<Digest, DigestError>> {
        let value = self.headers.get(&CONTENT_DIGEST)?;
        Some(value.to_str().unwrap_or("bytes that are no text").parse())
    }

    /// The media type without its parameters; none if the header is missing.
    pub(in crate::sources) fn media_type(&self) -> Option<&str> {
        let value = self.headers.get(header::CONTENT_TYPE)?.to_str().unwrap_or("bytes that are no text");
        Some(value.split_once(';').map_or(value, |(essence, _)| essence).trim())
    }

    /// The codes of an OCI error document, cleaned: a server chooses them, so anything unusual is dropped (I19).
    pub(in crate::sources) fn error_codes(&self) -> Vec<String> {
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
            Ok(document) => document.errors.into_iter().map(|entry| entry.code).filter(plain).take(8).collect(),
            Err(_) => Vec::new(),
        }
    }
}

/// What takes a body as it arrives, so that large ones are never in memory whole (I20).
pub(in crate::sources) trait Sink: Send {
    /// A body begins; whatever came before is void.
    fn start(&mut self);

    /// The next bytes.
    fn take(&mut self, bytes: &[u8]);
}

/// Why a body was not read.
pub(in crate::sources) enum BodyFault {
    /// The connection broke, or ended short of its Content-Length (F3, F4): what came is thrown away, try again.
    Broken(reqwest::Error),
    /// It is larger than anything of its kind may be (F26).
    TooLarge,
}

impl Answer {
    /// Reads an answer to its end. Both what it announces and what comes are held to the cap.
    pub(in crate::sources) async fn read(
        mut response: Response,
        cap: usize,
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
        let mut sink = sink.filter(|_| status.is_success());
        if let Some(sink) = &mut sink {
            sink.start();
        }
        let (mut body, mut length) = (BytesMut::new(), 0);
        while let Some(chunk) = response.chunk().await.map_err(BodyFault::Broken)? {
            if too_large((length + chunk.len()) as u64) {
                return Err(BodyFault::TooLarge);
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
        Ok(Self { status, headers, body: body.freeze(), elsewhere })
    }

    /// An answer of which only status and headers matter.
    pub(in crate::sources) fn bare(mut response: Response, elsewhere: bool) -> Self {
        let headers = std::mem::take(response.headers_mut());
        Self { status: response.status(), headers, body: Bytes::new(), elsewhere }
    }

    /// Holds an answer of 200 to the kind of content that was asked for: a proxy's login page is no answer (F12).
    pub(in crate::sources) fn must_be(&self, what: &str, expected: impl FnOnce(&str) -> bool) -> Result<(), Fault> {
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
