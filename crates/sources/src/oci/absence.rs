//! What a 404 to a direct look-up proves (I4, I25): the registry's own word for "not there", and nobody else's.
//!
//! A registry says in an error document what it does not have. What says 404 and nothing else may be anything on the way:
//! a gateway that lost its route in the middle of a run says it of everything. Some registries have no error documents,
//! though; so how this one says "not there" is learnt by asking for what cannot exist, and the question is asked again,
//! with what is known to exist in between.

use std::hash::{BuildHasher as _, RandomState};
use std::sync::atomic::{AtomicBool, Ordering};

use reqwest::header::{self, HeaderName};
use reqwest::{Method, StatusCode};

use super::answer::HttpAnswer;
use super::fault::Fault;
use super::list::List;
use super::page::{TagPage, Text};
use super::redirect::Redirects;
use super::registry::{Lack, MANIFEST_CAP, Registry, Repository, manifest_redirects};
use super::transport::Extras;
use prodpin_core::model::{Cause, Digest, NotFoundWord, Sought, Tag, judge_not_found};

/// How often all of it is asked: one of two gateways may have lost its route, and who answers is then random.
const ROUNDS: usize = 2;

/// So many manifests are asked for to see whether any is served.
const MOST_ASKED: usize = 4;

/// What a direct look-up asked for.
#[derive(Debug, Clone, Copy)]
pub(super) enum Asked<'a> {
    /// A manifest, by tag or by digest.
    Manifest(&'a str),
    /// A blob.
    Blob(&'a Digest),
}

impl Asked<'_> {
    fn sought(self) -> Sought {
        match self {
            Self::Manifest(_) => Sought::Manifest,
            Self::Blob(_) => Sought::Blob,
        }
    }

    /// How paths and servers call it.
    fn reference(self) -> String {
        match self {
            Self::Manifest(reference) => reference.to_owned(),
            Self::Blob(digest) => digest.to_string(),
        }
    }

    /// Something of its kind that nobody has ever pushed.
    fn impossible(self) -> String {
        let random = [0, 1, 2, 3].map(|word: u8| RandomState::new().hash_one(word).to_be_bytes()).concat();
        let digest = Digest::sha256(&random);
        match self {
            Self::Manifest(reference) if reference.parse::<Digest>().is_err() => format!("none-{:.32}", digest.hex()),
            Self::Manifest(_) | Self::Blob(_) => digest.to_string(),
        }
    }

    fn path(self, repository: &Repository, reference: &str) -> String {
        let part = match self {
            Self::Manifest(_) => "manifests",
            Self::Blob(_) => "blobs",
        };
        format!("v2/{}/{part}/{reference}", repository.name)
    }
}

/// Whether the registry has said "not there" in an error document in this run: then what says it without is somebody else.
#[derive(Debug, Default)]
pub(super) struct Speaks {
    of_manifests: AtomicBool,
    of_blobs: AtomicBool,
}

impl Speaks {
    fn flag(&self, sought: Sought) -> &AtomicBool {
        match sought {
            Sought::Manifest => &self.of_manifests,
            Sought::Blob => &self.of_blobs,
        }
    }
}

/// What a 404 looks like, whatever it was asked about.
#[derive(Debug, PartialEq, Eq)]
struct Manner {
    headers: [Option<Vec<u8>>; 3],
    body: String,
}

impl Manner {
    fn from_answer(answer: &HttpAnswer, reference: &str) -> Self {
        static SHOWN: [HeaderName; 3] =
            [header::CONTENT_TYPE, header::SERVER, HeaderName::from_static("docker-distribution-api-version")];
        let headers = SHOWN.each_ref().map(|name| answer.headers.get(name).map(|value| value.as_bytes().to_owned()));
        let hex = reference.split_once(':').map_or(reference, |(_, hex)| hex);
        let body = String::from_utf8_lossy(&answer.body).replace(reference, "…").replace(hex, "…");
        Self { headers, body }
    }
}

impl Registry {
    /// What an answer other than success says of what was asked for.
    pub(super) async fn lack(
        &self,
        repository: &Repository,
        asked: Asked<'_>,
        answer: &HttpAnswer,
        what: &str,
    ) -> Lack {
        // A refusal by a rule, and "not in a form that you take", are no word about its absence.
        if let Some(fault) = self.blocked(answer, what) {
            return fault.into();
        }
        if answer.status != StatusCode::NOT_FOUND || answer.elsewhere {
            return Fault::from_answer(answer, what).into();
        }
        let codes = answer.error_codes();
        if !codes.is_empty() {
            self.speaks.flag(asked.sought()).store(true, Ordering::Relaxed);
        }
        let doubt = match judge_not_found(asked.sought(), &codes) {
            NotFoundWord::Absent => return Lack::NotFound,
            NotFoundWord::NoRepository => self.doubt_no_repository(repository).await,
            NotFoundWord::Otherwise => Some("which does not say that it does not exist".to_owned()),
            NotFoundWord::Nothing => self.doubt_bare(repository, asked, answer).await,
        };
        let Some(doubt) = doubt else { return Lack::NotFound };
        match Fault::from_answer(answer, what) {
            Fault { cause: Cause::NotFound, detail } => Fault::malformed(format!("{detail}, {doubt}")),
            other => other,
        }
        .into()
    }

    /// Why "no such repository" says nothing of what was asked for; none if the repository is gone.
    async fn doubt_no_repository(&self, repository: &Repository) -> Option<String> {
        match self.list_answer(repository).await {
            Ok(list) if list.status == StatusCode::NOT_FOUND => {
                let is_gone = list.error_codes().iter().any(|code| code == "NAME_UNKNOWN" || code == "NOT_FOUND");
                (!is_gone).then(|| "and its list of tags answers 404 in another way".to_owned())
            }
            Ok(list) if list.status == StatusCode::OK => Some("and lists tags of this repository".to_owned()),
            Ok(list) => Some(format!("and its list of tags answers {}", list.status.as_u16())),
            Err(_) => Some("and its list of tags could not be read".to_owned()),
        }
    }

    /// Why a 404 without a word is not believed; none if it is how this registry says "not there".
    async fn doubt_bare(&self, repository: &Repository, asked: Asked<'_>, answer: &HttpAnswer) -> Option<String> {
        let said = |why: &str| Some(format!("without an error document, {why}; a proxy or gateway may have answered"));
        let is_page = answer.media_type().is_some_and(|media_type| media_type.contains("html"));
        if is_page {
            return said("as a web page");
        }
        let speaks = self.speaks.flag(asked.sought());
        let reference = asked.reference();
        let manner = Manner::from_answer(answer, &reference);
        for _ in 0..ROUNDS {
            if speaks.load(Ordering::Relaxed) {
                return said("which this registry sends otherwise");
            }
            let impossible = asked.impossible();
            match self.look_again(repository, asked, &impossible).await {
                Ok(probe) if probe.status == StatusCode::NOT_FOUND && !probe.elsewhere => {
                    if !probe.error_codes().is_empty() {
                        speaks.store(true, Ordering::Relaxed);
                    } else if Manner::from_answer(&probe, &impossible) != manner {
                        return said("and not as it answers for what cannot exist");
                    }
                }
                _ => return said("and it answers otherwise for what cannot exist"),
            }
            if !self.serves(repository, asked.sought()).await {
                return said("and nothing else of its kind is served here");
            }
            match self.look_again(repository, asked, &reference).await {
                Ok(again)
                    if again.status == StatusCode::NOT_FOUND
                        && !again.elsewhere
                        && Manner::from_answer(&again, &reference) == manner => {}
                _ => return said("and another time it answered otherwise"),
            }
        }
        if speaks.load(Ordering::Relaxed) { said("which this registry sends otherwise") } else { None }
    }

    async fn look_again(
        &self,
        repository: &Repository,
        asked: Asked<'_>,
        reference: &str,
    ) -> Result<HttpAnswer, Fault> {
        let redirects = match asked {
            Asked::Manifest(reference) => manifest_redirects(reference),
            Asked::Blob(_) => Redirects::Anywhere,
        };
        let url = self.url(&asked.path(repository, reference), None);
        let extras = || Extras { first_byte: true, ..Extras::default() };
        self.pull(repository, self.read(Method::GET, url, redirects, MANIFEST_CAP), extras).await
    }

    /// Whether what is known of this repository is answered now: its list of tags, and the last thing of the same kind that
    /// it served. Where nothing of the kind was served in this run, "not found" may be a word about all of them.
    async fn serves(&self, repository: &Repository, sought: Sought) -> bool {
        let list = match self.list_answer(repository).await {
            Ok(list) if list.status == StatusCode::OK => serde_json::from_slice::<TagPage>(&list.body).ok(),
            _ => None,
        };
        let Some(list) = list else { return false };
        let served = repository.last_served();
        match (sought, served.blob) {
            (Sought::Manifest, _) => {
                let listed = list.tags.unwrap_or_default().into_iter().map(|Text(name)| name);
                let listed = listed.filter(|name| name.parse::<Tag>().is_ok_and(|tag| tag.is_oci()));
                let references: Vec<String> = served.manifest.into_iter().chain(listed).take(MOST_ASKED).collect();
                for reference in references {
                    // By HEAD, which counts nowhere (I30).
                    let head = self.head_manifest(repository, &reference).await;
                    if head.is_ok_and(|head| !head.elsewhere && head.status == StatusCode::OK) {
                        return true;
                    }
                }
                false
            }
            (Sought::Blob, Some(digest)) => {
                let asked = Asked::Blob(&digest);
                self.look_again(repository, asked, &asked.reference())
                    .await
                    .is_ok_and(|again| again.status.is_success())
            }
            (Sought::Blob, None) => false,
        }
    }

    async fn list_answer(&self, repository: &Repository) -> Result<HttpAnswer, Fault> {
        let list = List::Tags(repository);
        let url = self.list_url(list, [("n", MOST_ASKED.to_string())]);
        self.page(list, Some(url)).await.map(|(_, answer)| answer)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_cannot_exist_is_of_the_kind_that_was_asked_for_i4() {
        let digest = Digest::sha256(b"x");
        let name = digest.to_string();
        for (asked, is_digest) in
            [(Asked::Manifest("v1.0.0"), false), (Asked::Manifest(&name), true), (Asked::Blob(&digest), true)]
        {
            let [one, other] = [asked.impossible(), asked.impossible()];
            assert_ne!(one, other);
            assert_eq!(one.parse::<Digest>().is_ok(), is_digest, "{one}");
            assert!(
                one.parse::<Digest>().is_ok() || one.parse::<prodpin_core::model::Tag>().unwrap().is_oci(),
                "{one}"
            );
        }
    }
}
