//! Whether a blob is there: by the first byte of a GET, because a HEAD may be answered from a memory (F107, F130).
//!
//! One call for each blob that is as it should be, and none of its bytes beyond the first are waited for: a layer may
//! be gigabytes. Registries count pulls by manifests, not by blobs.

use std::time::Duration;

use reqwest::header::{self, HeaderMap, HeaderValue};
use reqwest::{Method, StatusCode};

use super::answer::Answer;
use super::fault::Fault;
use super::redirect::Redirects;
use super::registry::{Lack, Registry, Repository};
use super::wire::Extras;
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

    async fn look_at_blob(&self, repository: &Repository, digest: &Digest) -> Result<PartAnswer, Fault> {
        let mut told = self.first_byte(repository, digest).await?;
        if told.wants_head() {
            // A HEAD that is not answered says nothing; GET has said something already.
            if let Ok((there, size)) = self.head_blob(repository, digest).await {
                (told.head, told.head_size) = (Some(there), size);
            }
        }
        Ok(told)
    }

    /// By GET: of the first byte, and where a server makes nothing of that, of the whole, left after the first byte.
    async fn first_byte(&self, repository: &Repository, digest: &Digest) -> Result<PartAnswer, Fault> {
        let mut ranged = true;
        for tried in 1.. {
            let answer = self.begin_blob(repository, digest, ranged).await?;
            let what = || self.blob(repository, digest);
            if answer.media_type().is_some_and(|media_type| media_type.contains("html")) && answer.status.is_success() {
                return Err(Fault::malformed(format!("{}: a web page in place of it", what())));
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
                _ => match self.lack(&answer, &what()) {
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

    async fn begin_blob(&self, repository: &Repository, digest: &Digest, ranged: bool) -> Result<Answer, Fault> {
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
            _ => Err(Fault::of(&answer, &self.blob(repository, digest))),
        }
    }

    fn blob(&self, repository: &Repository, digest: &Digest) -> String {
        format!("blob {}/{}@{digest}", self.host.shown(), repository.name)
    }
}
