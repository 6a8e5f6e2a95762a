//! What is asked about, and where in the ledger that is.

use std::collections::BTreeMap;

use crate::cli::exit::Misuse;
use crate::ledger::Ledger;
use crate::model::{ArtifactId, Digest, EcrHost, Reference, RepositoryKey, RepositoryName, SourceName, Tag};
use crate::policy::{Policy, SourceConfig};

/// A reference as everywhere else, or as prodpin's own reports write it, without a host: `[SOURCE/]REPOSITORY[:TAG]`.
#[derive(Debug, Clone)]
pub(crate) struct Asked {
    text: String,
    reference: Option<Reference>,
}

/// One repository that it may mean, and what in it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Subject {
    pub(super) key: RepositoryKey,
    /// The tag or key; none for all of the repository, or for bytes that need no tag.
    pub(super) tag: Option<Tag>,
    pub(super) artifact: Option<ArtifactId>,
}

impl Asked {
    /// Reads either form. What is neither is reported in the words of the first.
    pub(crate) fn read(text: &str) -> Result<Self, String> {
        match text.parse::<Reference>() {
            Ok(reference) => Ok(Self { text: text.to_owned(), reference: Some(reference) }),
            Err(error) => {
                let (name, _) = split_digest(text);
                let plain = !name.contains("://")
                    && !name.contains(|c: char| matches!(c, '@' | ' ') || c.is_control())
                    && name.parse::<RepositoryName>().is_ok();
                if plain { Ok(Self { text: text.to_owned(), reference: None }) } else { Err(error.to_string()) }
            }
        }
    }

    /// Where in the ledger this is: more than one place where two sources have a repository of the name.
    pub(super) fn subjects(&self, policy: &Policy, ledger: &Ledger) -> anyhow::Result<Vec<Subject>> {
        let named = self.reference.as_ref().map_or_else(Vec::new, |reference| of_reference(policy, reference));
        let (known, unknown): (Vec<_>, Vec<_>) = named.into_iter().partition(|subject| ledger.knows(&subject.key));
        if !known.is_empty() {
            return Ok(known);
        }
        let short = self.in_short(ledger);
        if !short.is_empty() {
            return Ok(short);
        }
        let text = &self.text;
        if let Some(subject) = unknown.first() {
            let name = &subject.key;
            anyhow::bail!("the ledger holds nothing about {name}; it knows what audit and enforce have seen");
        }
        let sources: Vec<&str> = policy.sources.keys().map(SourceName::as_str).collect();
        let sources = sources.join(", ");
        Err(Misuse(format!(
            "{text} is in no source of the policy, and the ledger knows no repository of that name; the policy has \
             {sources}; write HOST/REPOSITORY:TAG, or [SOURCE/]REPOSITORY:TAG as reports do"
        ))
        .into())
    }

    /// The repositories that the ledger knows by this name. A colon may belong to a bucket's repository or key, so that
    /// each is tried.
    fn in_short(&self, ledger: &Ledger) -> Vec<Subject> {
        let (name, digest) = split_digest(&self.text);
        let artifact = digest.map(ArtifactId::Manifest);
        let whole = std::iter::once((name, None));
        let splits = name.match_indices(':').map(|(at, _)| (&name[..at], Some(&name[at + 1..])));
        let mut found = BTreeMap::new();
        for (name, tag) in whole.chain(splits) {
            let tag = match tag.map(str::parse::<Tag>) {
                None => None,
                Some(Ok(tag)) => Some(tag),
                Some(Err(_)) => continue,
            };
            for source in ledger.sources() {
                let within = name.strip_prefix(source.as_str()).and_then(|rest| rest.strip_prefix('/'));
                for name in [Some(name), within].into_iter().flatten() {
                    let Ok(name) = name.parse::<RepositoryName>() else { continue };
                    let key = RepositoryKey { source: source.clone(), name };
                    if ledger.knows(&key) {
                        found.entry(key).or_insert_with(|| (tag.clone(), artifact.clone()));
                    }
                }
            }
        }
        found.into_iter().map(|(key, (tag, artifact))| Subject { key, tag, artifact }).collect()
    }
}

impl std::fmt::Display for Asked {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match &self.reference {
            Some(reference) => reference.fmt(f),
            None => f.write_str(&self.text),
        }
    }
}

fn split_digest(text: &str) -> (&str, Option<Digest>) {
    let digest = text.rsplit_once('@').and_then(|(name, digest)| Some((name, digest.parse().ok()?)));
    digest.map_or((text, None), |(name, digest)| (name, Some(digest)))
}

/// What the reference means in each of the policy's sources that it points into. Sources need not answer for that: what
/// is gone has a history too.
fn of_reference(policy: &Policy, reference: &Reference) -> Vec<Subject> {
    let tag = match reference {
        Reference::Image { tag, .. } => tag.clone(),
        Reference::Object { key, .. } => Some(key.clone()),
        Reference::Chart { version, .. } => Some(version.clone()),
    };
    let located = policy.sources.iter().filter_map(|(source, config)| Some((source, inside(config, reference)?)));
    let subject = |(source, name): (&SourceName, RepositoryName)| Subject {
        key: RepositoryKey { source: source.clone(), name },
        tag: tag.clone(),
        artifact: reference.artifact(),
    };
    located.map(subject).collect()
}

/// The repository of this source that the reference points into.
fn inside(config: &SourceConfig, reference: &Reference) -> Option<RepositoryName> {
    match (config, reference) {
        (SourceConfig::Oci(oci), Reference::Image { host, repository, .. }) => {
            let known = oci.url.host_str().unwrap_or_default();
            let named = oci.url.port().map_or_else(|| known.to_owned(), |port| format!("{known}:{port}"));
            let usual = oci.url.port_or_known_default().map(|port| format!("{known}:{port}"));
            let hub = known == "registry-1.docker.io" && host == "docker.io";
            (hub || host.eq_ignore_ascii_case(&named) || usual.is_some_and(|usual| host.eq_ignore_ascii_case(&usual)))
                .then(|| repository.clone())
        }
        (SourceConfig::S3(s3), Reference::Object { bucket, key, .. }) if *bucket == s3.bucket => {
            s3.layout.parse(key.as_str()).map(|(repository, _)| repository)
        }
        (SourceConfig::Ecr(ecr), Reference::Image { host, repository, .. }) => {
            let host = host.to_ascii_lowercase();
            let host = EcrHost::read(&host)?;
            // What the policy does not say is not known here: the ledger then tells whether there is such a repository.
            let ours = ecr.account().is_none_or(|account| account == host.account)
                && ecr.region.as_deref().is_none_or(|region| region == host.region);
            ours.then(|| repository.clone())
        }
        (SourceConfig::Helm(helm), Reference::Chart { repository, name, .. }) => {
            let address = helm.address();
            let here = repository.as_ref().is_none_or(|known| {
                let beneath = known.strip_prefix(address.trim_end_matches('/'));
                beneath.is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
            });
            here.then(|| name.clone())
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_forms_are_read_and_what_may_be_a_password_is_not() {
        for text in ["r.example/shop/api:1", "shop/api:latest", "bundles/Shop:shop/1.2.3/bundle.zip", "Web"] {
            assert_eq!(Asked::read(text).map(|asked| asked.text), Ok(text.to_owned()));
        }
        for text in ["not a reference", "user:hunter2@Host/x", "https://h.example/x", "", "a\u{1b}b"] {
            assert!(Asked::read(text).is_err(), "{text:?}");
        }
    }
}
