//! What names an artifact as its subject: by the registry's interface for that, else by the list under a tag of its digest
//! (C91).

use std::collections::BTreeMap;

use jiff::Timestamp;
use oci_distribution::annotations::ORG_OPENCONTAINERS_IMAGE_CREATED;
use reqwest::{Method, StatusCode};
use serde::Deserialize;
use serde_json::Value;
use url::Url;

use super::answer::HttpAnswer;
use super::closure::Trouble;
use super::fault::Fault;
use super::link::next_page;
use super::manifest::{is_index, is_manifest};
use super::parts::newest_of_each_type;
use super::redirect::Redirects;
use super::registry::{MANIFEST_CAP, Registry, Repository};
use super::transport::Extras;
use prodpin_core::model::{Attached, Digest, Part, PinState, Resolution, Tag};

/// More pages than this are more referrers than anybody attaches.
const MOST_PAGES: usize = 16;

/// The longest type that is reported.
const LONGEST_TYPE: usize = 128;

/// What refers to one artifact.
#[derive(Debug, Default)]
pub(super) struct Listed {
    /// The newest of each type.
    pub(super) newest: Vec<Attached>,
    /// How many more there are.
    pub(super) beyond: usize,
}

/// A list of referrers, read leniently: what is pinned of it is fetched and read strictly.
#[derive(Deserialize)]
struct Page {
    #[serde(default)]
    manifests: Option<Vec<Entry>>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Entry {
    media_type: String,
    digest: Digest,
    artifact_type: Option<String>,
    #[serde(default)]
    annotations: Option<BTreeMap<String, Value>>,
}

impl Registry {
    /// What names this artifact as its subject. `listed` is what the tag names that has such a list.
    pub(super) async fn referrers(
        &self,
        repository: &Repository,
        subject: &Digest,
        listed: Option<Digest>,
    ) -> Result<Listed, Fault> {
        let entries = match self.referrers_by_interface(repository, subject).await? {
            Some(entries) => entries,
            None => match listed {
                Some(listed) => self.referrers_by_tag(repository, &listed).await?,
                None => return Ok(Listed::default()),
            },
        };
        let (manifests, others): (Vec<Entry>, Vec<Entry>) =
            entries.into_iter().partition(|entry| is_manifest(&entry.media_type));
        let attached = manifests.into_iter().map(|entry| entry.attached(subject)).collect();
        let mut listed = newest_of_each_type(attached);
        // Of these nobody can push the bytes again under a tag of prodpin's.
        listed.beyond += others.len();
        Ok(listed)
    }

    /// What of these types names this artifact as its subject: no more than `most`, and how many there are beyond.
    pub(super) async fn referring(
        &self,
        repository: &Repository,
        subject: &Digest,
        is_meant: impl Fn(&str) -> bool,
        most: usize,
    ) -> Result<(Vec<Digest>, usize), Fault> {
        let entries = match self.referrers_by_interface(repository, subject).await? {
            Some(entries) => entries,
            None => {
                match self.attached_by_tag(repository, &format!("{}-{}", subject.algorithm(), subject.hex())).await? {
                    Some(listed) => self.referrers_by_tag(repository, &listed).await?,
                    None => Vec::new(),
                }
            }
        };
        // Whoever lists one without its type may mean one of these.
        let meant = entries.into_iter().filter(|entry| entry.artifact_type.as_deref().is_none_or(&is_meant));
        let mut digests: Vec<Digest> = meant.map(|entry| entry.digest).collect();
        let beyond = digests.len().saturating_sub(most);
        digests.truncate(most);
        Ok((digests, beyond))
    }

    /// What a tag that attaches something names; none where there is no such tag.
    pub(super) async fn attached_by_tag(&self, repository: &Repository, tag: &str) -> Result<Option<Digest>, Fault> {
        // The name of a digest is always one.
        let tag = tag.parse::<Tag>().map_err(|_| Fault::malformed("no tag has the name of that digest"))?;
        let named = self.resolve(repository, &tag).await?;
        match named {
            Resolution::NotFound => Ok(None),
            Resolution::Artifact(artifact) => Ok(artifact.digest().cloned()),
            Resolution::Unknown => Err(Fault::malformed(format!("what tag {tag} names could not be told"))),
        }
    }

    /// Whether the registry has such an interface, asked once: one that has it answers an empty list where nothing refers.
    async fn has_referrers(&self, repository: &Repository, subject: &Digest) -> Result<bool, Fault> {
        let asked = self.has_referrers.get_or_try_init(|| async {
            let answer = self.page_of_referrers(repository, self.referrers_url(repository, subject)).await?;
            match answer.status {
                StatusCode::OK => Ok(true),
                status if is_no_interface(status) => Ok(false),
                _ => Err(Fault::from_answer(&answer, &self.referrers_of(repository, subject))),
            }
        });
        asked.await.copied()
    }

    fn referrers_of(&self, repository: &Repository, subject: &Digest) -> String {
        format!("referrers of {}/{}@{subject}", self.host.shown(), repository.name)
    }

    fn referrers_url(&self, repository: &Repository, subject: &Digest) -> Url {
        self.url(&format!("v2/{}/referrers/{subject}", repository.name), None)
    }

    async fn page_of_referrers(&self, repository: &Repository, url: Url) -> Result<HttpAnswer, Fault> {
        let call = self.read(Method::GET, url, Redirects::SameOrigin, MANIFEST_CAP);
        self.pull(repository, call, Extras::default).await
    }

    /// None where the registry has no such interface.
    async fn referrers_by_interface(
        &self,
        repository: &Repository,
        subject: &Digest,
    ) -> Result<Option<Vec<Entry>>, Fault> {
        if !self.has_referrers(repository, subject).await? {
            return Ok(None);
        }
        let what = self.referrers_of(repository, subject);
        let mut url = self.referrers_url(repository, subject);
        let mut entries = Vec::new();
        for _ in 0..MOST_PAGES {
            let answer = self.page_of_referrers(repository, url.clone()).await?;
            match answer.status {
                StatusCode::OK => {}
                status if is_no_interface(status) && entries.is_empty() => return Ok(None),
                _ => return Err(Fault::from_answer(&answer, &what)),
            }
            answer.must_be(&what, |media_type| is_index(media_type) || media_type.contains("json"))?;
            entries.extend(read(&answer.body, &what)?);
            match next_page(&url, &answer.headers)? {
                Some(next) => url = next,
                None => return Ok(Some(entries)),
            }
        }
        Err(Fault::malformed(format!("{what}: a list of more than {MOST_PAGES} pages")))
    }

    async fn referrers_by_tag(&self, repository: &Repository, listed: &Digest) -> Result<Vec<Entry>, Fault> {
        let what = format!("the referrers that {}/{}@{listed} lists", self.host.shown(), repository.name);
        match self.verified(repository, listed).await {
            Ok((answer, _room)) => read(&answer.body, &what),
            // The tag went since it was listed.
            Err(Trouble::NotFound) => Ok(Vec::new()),
            Err(Trouble::WrongBytes(detail)) => Err(Fault::malformed(detail)),
            Err(Trouble::Unknown(fault)) => Err(fault),
        }
    }
}

/// What a server answers to a path that it does not have.
fn is_no_interface(status: StatusCode) -> bool {
    matches!(
        status,
        StatusCode::NOT_FOUND | StatusCode::BAD_REQUEST | StatusCode::METHOD_NOT_ALLOWED | StatusCode::NOT_IMPLEMENTED
    )
}

fn read(bytes: &[u8], what: &str) -> Result<Vec<Entry>, Fault> {
    let page: Page =
        serde_json::from_slice(bytes).map_err(|_| Fault::malformed(format!("{what}: no list of referrers")))?;
    Ok(page.manifests.unwrap_or_default())
}

impl Entry {
    fn attached(self, subject: &Digest) -> (Option<Timestamp>, Attached) {
        let created = self.annotations.as_ref().and_then(|all| all.get(ORG_OPENCONTAINERS_IMAGE_CREATED)?.as_str());
        let created = created.and_then(|text| text.parse().ok());
        let by: Box<str> = type_of(self.artifact_type.as_deref()).into();
        let part = Part { digest: self.digest, name: Some(by.clone()), pin: PinState::Unknown };
        (created, Attached { part, subject: subject.clone(), by })
    }
}

/// What it is by its own word, which whoever made it chose: a media type, or what can stand for one (I19).
fn type_of(said: Option<&str>) -> String {
    let plain =
        |text: &&str| !text.is_empty() && text.len() <= LONGEST_TYPE && text.bytes().all(|b| b.is_ascii_graphic());
    match said.filter(plain) {
        Some(said) if said.contains('/') => said.to_owned(),
        Some(said) => format!("type/{said}"),
        None => "type/unknown".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn entries(types: &[(&str, Option<&str>)]) -> Vec<(Option<Timestamp>, Attached)> {
        let subject = Digest::sha256(b"subject");
        let entry = |(n, (kind, created)): (usize, &(&str, Option<&str>))| {
            let annotation = created.map(|at| (ORG_OPENCONTAINERS_IMAGE_CREATED.to_owned(), at.into()));
            let entry = Entry {
                media_type: String::new(),
                digest: Digest::sha256(&n.to_be_bytes()),
                artifact_type: Some((*kind).to_owned()),
                annotations: Some(annotation.into_iter().collect()),
            };
            entry.attached(&subject)
        };
        types.iter().enumerate().map(entry).collect()
    }

    #[test]
    fn of_many_referrers_the_newest_of_each_type_are_kept_and_the_others_counted_i20() {
        let nightly: Vec<(&str, Option<&str>)> = (0..300).map(|_| ("application/report", None)).collect();
        let signed = [("application/signature", Some("2026-01-01T00:00:00Z"))];
        let all = entries(&[&signed[..], &nightly[..]].concat());
        let last = all.last().unwrap().1.part.digest.clone();
        let Listed { newest, beyond } = newest_of_each_type(all);
        assert_eq!((newest.len(), beyond), (5, 296));
        assert!(newest.iter().any(|attached| &*attached.by == "application/signature"), "{newest:?}");
        assert!(newest.iter().any(|attached| attached.part.digest == last), "what came last is the newest");
        let types: Vec<String> = (0..40).map(|n| format!("application/t{n}")).collect();
        let types: Vec<(&str, Option<&str>)> = types.iter().map(|kind| (kind.as_str(), None)).collect();
        assert_eq!(newest_of_each_type(entries(&types)).newest.len(), 16);
    }

    #[test]
    fn a_type_is_a_name_and_never_a_tag_i19() {
        for (said, reported) in [
            (
                Some("application/vnd.dev.cosign.artifact.sig.v1+json"),
                "application/vnd.dev.cosign.artifact.sig.v1+json",
            ),
            (Some("sha256-0.sig"), "type/sha256-0.sig"),
            (Some("a\u{1b}[31m/b"), "type/unknown"),
            (Some(""), "type/unknown"),
            (None, "type/unknown"),
        ] {
            assert_eq!(type_of(said), reported);
        }
    }
}
