//! `restore`: puts a target back from the vault, exactly the bytes that were kept. It looks first, sends only what the registry
//! lacks, never moves a tag, and reads the target back afterwards (I8, I27).

use std::collections::BTreeMap;
use std::time::Duration;

use crate::decide;
use crate::decide::vault::TagStep;
use crate::ledger::Access;
use crate::model::{
    ArtifactId, Cleanup, Closure, Digest, PinState, PinTerms, Presence, RepositoryKey, RepositoryName, Snapshot,
    SourceName, Tag,
};
use crate::policy::{OciConfig, Policy, SourceConfig};
use crate::sources::oci::{HttpEnvironment, Restorer, open_to_look, open_to_restore};
use crate::sources::{OpenOptions, Source};
use crate::vault::{Entry, Pinning, Restored, Restoring, Vault};

use super::{Stop, vault};

/// What is asked for.
#[derive(Debug, Clone)]
pub struct RestoreOptions {
    /// `[SOURCE/]REPOSITORY@DIGEST`, `[SOURCE/]REPOSITORY:TAG`, or a repository alone.
    pub reference: String,
    /// Whether anything is sent.
    pub apply: bool,
    /// It ends before this much time has passed.
    pub deadline: Option<Duration>,
    /// Ends it early when asked to.
    pub stop: Stop,
}

/// What came of it.
#[derive(Debug)]
pub enum Found {
    /// A repository alone was named: what the vault has of it, the latest first.
    Entries(RepositoryKey, Vec<Entry>),
    /// A target.
    Target(Box<Restoration>),
}

/// A target that is, or would be, put back.
#[derive(Debug)]
pub struct Restoration {
    /// To where.
    pub repository: RepositoryKey,
    /// What.
    pub digest: Digest,
    /// Where it lies.
    pub vault: String,
    /// How much all of it is.
    pub size: u64,
    /// How many parts it has.
    pub parts: usize,
    /// What the registry lacked, and what became of its tags.
    pub missing: Restored,
    /// Whether its pin was missing.
    pub unpinned: bool,
    /// What is pinned, or would be.
    pub pinning: Pinning,
    /// Whether anything was sent.
    pub applied: bool,
    /// Why it is not whole and pinned after it was sent, as it was read back; nothing where all is well.
    pub troubles: Vec<String>,
}

impl Restoration {
    fn lacks_pin(&self) -> bool {
        self.unpinned && self.pinning != Pinning::Withheld
    }

    /// Whether there was nothing to do.
    #[must_use]
    pub fn is_whole(&self) -> bool {
        let free = self.missing.tags.iter().any(|reported| reported.step == TagStep::Put);
        self.missing.blobs.is_empty() && self.missing.manifests.is_empty() && !self.lacks_pin() && !free
    }
}

/// Requests in flight at the registry.
const REQUESTS: usize = 8;

/// Looks, and with `apply` puts back. The error is for a person.
pub async fn restore(policy: &Policy, options: &RestoreOptions) -> anyhow::Result<Found> {
    let Some(location) = &policy.vault else {
        anyhow::bail!(
            "the policy names no vault; write `vault:` and run prodpin enforce, so that there is something to restore from"
        );
    };
    let stop = options.stop.with_deadline(options.deadline);
    let opened = vault::open(location, Access::Read).await.map_err(anyhow::Error::msg)?;
    let asked = Asked::read(&options.reference);
    let (key, entries) = asked.place(policy, &opened).await?;
    let (digest, entry) = match asked.choose(&key, &entries)? {
        Some(chosen) => chosen,
        None => return Ok(Found::Entries(key, entries)),
    };
    let Some(SourceConfig::Oci(config)) = policy.sources.get(&key.source) else {
        anyhow::bail!("source {} is no OCI registry: prodpin restores to these only", key.source);
    };
    let mut tags: Vec<Tag> =
        entries.iter().filter(|entry| entry.digest == digest).flat_map(|entry| entry.tags.iter().cloned()).collect();
    tags.sort();
    tags.dedup();
    let closure = opened
        .whole(&digest, Some(&entry.media_type))
        .await
        .map_err(|why| anyhow::anyhow!("{key}@{digest} cannot be restored: {why}"))?;
    let (source, restorer) = open(&key.source, config, options.apply, &stop)?;
    let pinning = pinning(source.inventory.cleanup().await, policy.pins.for_source(&key.source));
    let restoring = Restoring { vault: &opened, restorer: &restorer, source: &source, repository: &key.name, pinning };
    let in_words = |fault: prodpin_net::http::fault::Fault| anyhow::anyhow!("{key}: {}", fault.detail);
    let mut missing = restoring.look(&closure, &digest, &tags).await.map_err(in_words)?;
    let before = source.inventory.inspect(&key.name, &ArtifactId::Manifest(digest.clone())).await;
    let mut found = Restoration {
        unpinned: before.pin != PinState::Present,
        pinning,
        vault: opened.location().to_owned(),
        size: closure.parts.iter().map(|part| part.size).sum(),
        parts: closure.parts.len(),
        missing: Restored::default(),
        applied: options.apply,
        troubles: Vec::new(),
        repository: key.clone(),
        digest: digest.clone(),
    };
    if options.apply {
        let sent = tokio::select! {
            sent = restoring.send(&closure, &digest, &mut missing) => sent,
            () = stop.set() => Err(format!("{}: what was sent stays; run the command again to send the rest", stop.reason())),
        };
        sent.map_err(|why| anyhow::anyhow!("{key}@{digest} was not restored: {why}"))?;
        found.troubles = read_back(&key, config, &digest, pinning, &stop).await?;
    }
    found.missing = missing;
    Ok(Found::Target(Box::new(found)))
}

fn open(name: &SourceName, config: &OciConfig, apply: bool, stop: &Stop) -> anyhow::Result<(Source, Restorer)> {
    let options =
        OpenOptions { write: apply, rehearse: false, tried: false, concurrency: REQUESTS, deadline: stop.deadline() };
    let environment = HttpEnvironment::of_process();
    if apply {
        return Ok(open_to_restore(name, config, &options, &environment)?);
    }
    // The half that could write is there and may not: its wire refuses (I17).
    Ok(open_to_look(name, config, &options, &environment)?)
}

/// What may be pinned of it: as in a run, nothing where rules that nobody read may count or take what is pinned (I22), and
/// what is below it, too, where cleanup does not follow references (I26).
fn pinning(cleanup: Cleanup, terms: PinTerms) -> Pinning {
    let snapshot = Snapshot { cleanup, ..Snapshot::default() };
    match () {
        () if snapshot.cleanup.withholds_pins() => Pinning::Withheld,
        () if decide::pins_parts(&snapshot, terms) => Pinning::Closure,
        () => Pinning::Target,
    }
}

/// The target, asked anew by a client that remembers nothing.
async fn read_back(
    key: &RepositoryKey,
    config: &OciConfig,
    digest: &Digest,
    pinning: Pinning,
    stop: &Stop,
) -> anyhow::Result<Vec<String>> {
    let (source, _) = open(&key.source, config, false, stop)?;
    let seen = source.inventory.inspect(&key.name, &ArtifactId::Manifest(digest.clone())).await;
    let mut troubles: Vec<String> = seen.gaps.iter().map(|gap| gap.detail.clone()).collect();
    if seen.presence != Presence::Present {
        troubles.push("the registry does not serve it".to_owned());
    }
    match &seen.closure {
        Closure::Complete => {}
        Closure::Broken(parts) => {
            let parts: Vec<String> = parts.iter().take(3).map(ToString::to_string).collect();
            troubles.push(format!(
                "the registry took everything and still does not serve {}: its storage is damaged; have it collect garbage \
                 and restart, then run the command again",
                parts.join(", ")
            ));
        }
        Closure::Unknown => troubles.push("whether all of its parts are there could not be told".to_owned()),
    }
    if seen.pin != PinState::Present && pinning != Pinning::Withheld {
        troubles.push("its pin is not there".to_owned());
    }
    troubles.sort();
    troubles.dedup();
    Ok(troubles)
}

/// A reference as it was given.
struct Asked<'a> {
    text: &'a str,
    name: &'a str,
    digest: Option<Digest>,
    tag: Option<Tag>,
}

impl<'a> Asked<'a> {
    fn read(text: &'a str) -> Self {
        if let Some((name, digest)) = text.rsplit_once('@')
            && let Ok(digest) = digest.parse()
        {
            // A tag beside a digest says nothing more.
            let name = match name.rsplit_once(':') {
                Some((front, tag)) if !tag.contains('/') => front,
                _ => name,
            };
            return Self { text, name, digest: Some(digest), tag: None };
        }
        match text.rsplit_once(':') {
            Some((name, tag)) if !tag.contains('/') => match tag.parse() {
                Ok(tag) => Self { text, name, digest: None, tag: Some(tag) },
                Err(_) => Self { text, name: text, digest: None, tag: None },
            },
            _ => Self { text, name: text, digest: None, tag: None },
        }
    }

    /// The repositories that it may mean: with its source in front, with the registry's host in front, or alone.
    fn keys(&self, policy: &Policy) -> Vec<RepositoryKey> {
        let mut keys = Vec::new();
        for (source, config) in &policy.sources {
            let host = match config {
                SourceConfig::Oci(oci) => {
                    let port = oci.url.port().map(|port| format!(":{port}")).unwrap_or_default();
                    oci.url.host_str().map(|host| format!("{host}{port}/"))
                }
                _ => None,
            };
            let of_source = self.name.strip_prefix(source.as_str()).and_then(|rest| rest.strip_prefix('/'));
            let of_host = host.and_then(|host| self.name.strip_prefix(host.as_str()));
            for name in [Some(self.name), of_source, of_host].into_iter().flatten() {
                if let Ok(name) = name.parse::<RepositoryName>() {
                    keys.push(RepositoryKey { source: source.clone(), name });
                }
            }
        }
        keys.sort();
        keys.dedup();
        keys
    }

    /// The one repository that the vault knows by this name.
    async fn place(&self, policy: &Policy, vault: &Vault) -> anyhow::Result<(RepositoryKey, Vec<Entry>)> {
        let mut known: BTreeMap<RepositoryKey, Vec<Entry>> = BTreeMap::new();
        for key in self.keys(policy) {
            let entries = vault.entries(&key).await?;
            let fits = |entry: &Entry| self.digest.as_ref().is_none_or(|digest| entry.digest == *digest);
            if entries.iter().any(fits) {
                known.insert(key, entries);
            }
        }
        let text = self.text;
        let Some(found) = known.pop_first() else {
            anyhow::bail!(
                "the vault {} has nothing that is called {text}; write [SOURCE/]REPOSITORY@DIGEST or \
                 [SOURCE/]REPOSITORY:TAG, as reports do",
                vault.location()
            );
        };
        if let Some((other, _)) = known.first_key_value() {
            anyhow::bail!("{text} may be {} or {other}: put the source in front", found.0);
        }
        Ok(found)
    }

    /// The target that is meant; none where a repository alone was named.
    fn choose<'e>(&self, key: &RepositoryKey, entries: &'e [Entry]) -> anyhow::Result<Option<(Digest, &'e Entry)>> {
        let chosen = match (&self.digest, &self.tag) {
            (None, None) => return Ok(None),
            (Some(digest), _) => entries.iter().find(|entry| entry.digest == *digest),
            // The latest that had the tag.
            (None, Some(tag)) => entries.iter().find(|entry| entry.tags.contains(tag)),
        };
        match chosen {
            Some(entry) => Ok(Some((entry.digest.clone(), entry))),
            None => {
                let kept: Vec<String> =
                    entries.iter().flat_map(|entry| &entry.tags).map(ToString::to_string).take(8).collect();
                anyhow::bail!(
                    "the vault has {key} and not {}; it has {}: `prodpin restore {key}` lists all of it",
                    self.text,
                    kept.join(", ")
                )
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{PinCover, Recognised, RegistryKind, StatedCleanup};

    #[test]
    fn what_a_run_would_not_pin_a_restore_does_not_pin_i22_i26() {
        let zot = || Recognised::Kind(RegistryKind::Zot);
        let unread = || Recognised::Unknown { detail: "it did not answer".to_owned() };
        for (registry, stated, cover, expected) in [
            (Recognised::Plain, None, PinCover::Auto, Pinning::Closure),
            (Recognised::Plain, None, PinCover::Index, Pinning::Target),
            (zot(), None, PinCover::Auto, Pinning::Withheld),
            (zot(), None, PinCover::Closure, Pinning::Withheld),
            (zot(), Some(StatedCleanup::None), PinCover::Auto, Pinning::Target),
            (zot(), Some(StatedCleanup::None), PinCover::Closure, Pinning::Closure),
            (unread(), None, PinCover::Auto, Pinning::Withheld),
            (Recognised::Kind(RegistryKind::Nexus), Some(StatedCleanup::Untagged), PinCover::Auto, Pinning::Closure),
        ] {
            let what = format!("{registry:?} {stated:?} {cover:?}");
            let terms = PinTerms { cover, ..PinTerms::default() };
            assert_eq!(pinning(Cleanup { registry, stated }, terms), expected, "{what}");
        }
    }

    #[test]
    fn references_are_read_as_reports_write_them() {
        let digest = Digest::sha256(b"x");
        for (text, name, has_digest, tag) in [
            (format!("shop/api@{digest}"), "shop/api", true, None),
            (format!("shop/api:v1@{digest}"), "shop/api", true, None),
            ("shop/api:v1.0".to_owned(), "shop/api", false, Some("v1.0")),
            ("shop/api".to_owned(), "shop/api", false, None),
            ("localhost:5000/shop/api".to_owned(), "localhost:5000/shop/api", false, None),
            ("localhost:5000/shop/api:v1".to_owned(), "localhost:5000/shop/api", false, Some("v1")),
        ] {
            let asked = Asked::read(&text);
            assert_eq!((asked.name, asked.digest.is_some()), (name, has_digest), "{text}");
            assert_eq!(asked.tag.as_ref().map(Tag::as_str), tag, "{text}");
        }
    }
}
