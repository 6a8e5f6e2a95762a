//! What a restore was asked for, and what of it the vault has.

use std::collections::{BTreeMap, BTreeSet};

use crate::model::{ArtifactId, RepositoryKey, RepositoryName, SourceName, Tag};
use crate::policy::{Policy, SourceConfig};
use crate::vault::{Entry, Vault};

use super::Unusable;

/// A reference as it was given.
pub(super) struct Asked<'a> {
    text: &'a str,
    name: &'a str,
    sources: &'a [SourceName],
    pub(super) artifact: Option<ArtifactId>,
    pub(super) tag: Option<Tag>,
}

impl<'a> Asked<'a> {
    pub(super) fn read(text: &'a str, sources: &'a [SourceName]) -> Self {
        // A key may hold anything, the `@` of a version without an id included.
        if let Some((name, object)) = text.split_once('@')
            && let Ok(artifact @ ArtifactId::ObjectVersion { .. }) = object.parse()
        {
            return Self { text, name, sources, artifact: Some(artifact), tag: None };
        }
        if let Some((name, digest)) = text.rsplit_once('@')
            && let Ok(digest) = digest.parse()
        {
            // A tag beside a digest says nothing more.
            let name = match name.rsplit_once(':') {
                Some((front, tag)) if !tag.contains('/') => front,
                _ => name,
            };
            return Self { text, name, sources, artifact: Some(ArtifactId::Manifest(digest)), tag: None };
        }
        match text.rsplit_once(':') {
            Some((name, tag)) if !tag.contains('/') => match tag.parse() {
                Ok(tag) => Self { text, name, sources, artifact: None, tag: Some(tag) },
                Err(_) => Self { text, name: text, sources, artifact: None, tag: None },
            },
            _ => Self { text, name: text, sources, artifact: None, tag: None },
        }
    }

    /// The repositories that it may mean: with its source in front, with the registry's host in front, or alone. Where sources
    /// are given by themselves, what is left is a repository's own name first.
    fn keys(&self, policy: &Policy) -> [BTreeSet<RepositoryKey>; 2] {
        let (mut own, mut prefixed) = (BTreeSet::new(), BTreeSet::new());
        for (source, config) in &policy.sources {
            if !self.sources.is_empty() && !self.sources.contains(source) {
                continue;
            }
            let host = match config {
                SourceConfig::Oci(oci) => {
                    let port = oci.url.port().map(|port| format!(":{port}")).unwrap_or_default();
                    oci.url.host_str().map(|host| format!("{host}{port}/"))
                }
                _ => None,
            };
            let of_source = self.name.strip_prefix(source.as_str()).and_then(|rest| rest.strip_prefix('/'));
            let of_host = host.and_then(|host| self.name.strip_prefix(host.as_str()));
            let key =
                |name: &str| Some(RepositoryKey { source: source.clone(), name: name.parse::<RepositoryName>().ok()? });
            own.extend(key(self.name));
            prefixed.extend([of_source, of_host].into_iter().flatten().filter_map(key));
        }
        if self.sources.is_empty() {
            own.append(&mut prefixed);
        }
        [own, prefixed]
    }

    /// The same where what follows the first colon is a key, which may have slashes.
    fn read_key(text: &'a str, sources: &'a [SourceName]) -> Option<Self> {
        let (name, key) = text.split_once(':')?;
        Some(Self { text, name, sources, artifact: None, tag: Some(key.parse().ok()?) })
    }

    /// What is asked for, and the one repository that the vault knows by its name.
    pub(super) async fn place(
        text: &'a str,
        sources: &'a [SourceName],
        policy: &Policy,
        vault: &Vault,
    ) -> anyhow::Result<(Self, RepositoryKey, Vec<Entry>)> {
        let asked = Self::read(text, sources);
        if let Some((key, entries)) = asked.only(policy, vault).await? {
            return Ok((asked, key, entries));
        }
        if let Some(by_key) = Self::read_key(text, sources).filter(|_| asked.artifact.is_none())
            && let Some((key, entries)) = by_key.only(policy, vault).await?
        {
            return Ok((by_key, key, entries));
        }
        Err(Unusable(format!(
            "the vault {} has nothing that is called {text}; write REPOSITORY@DIGEST, REPOSITORY:TAG or \
             REPOSITORY@KEY?versionId=ID, with `--source SOURCE` in front where several sources have it",
            vault.location()
        ))
        .into())
    }

    /// The one repository that the vault knows by this name; none where it knows none.
    async fn only(&self, policy: &Policy, vault: &Vault) -> anyhow::Result<Option<(RepositoryKey, Vec<Entry>)>> {
        let mut known: BTreeMap<RepositoryKey, Vec<Entry>> = BTreeMap::new();
        for keys in self.keys(policy) {
            if !known.is_empty() {
                break;
            }
            for key in keys {
                let entries = vault.entries(&key).await?;
                let fits = |entry: &Entry| self.artifact.as_ref().is_none_or(|artifact| entry.artifact() == *artifact);
                if entries.iter().any(fits) {
                    known.insert(key, entries);
                }
            }
        }
        let text = self.text;
        let Some(found) = known.pop_first() else { return Ok(None) };
        if let Some((other, _)) = known.first_key_value() {
            let what = text.strip_prefix(self.name).unwrap_or_default();
            let command = |key: &RepositoryKey| format!("`prodpin restore --source {} {}{what}`", key.source, key.name);
            return Err(Unusable(format!(
                "{text} may be {} in {} or {} in {}: {} or {}",
                found.0.name,
                found.0.source,
                other.name,
                other.source,
                command(&found.0),
                command(other)
            ))
            .into());
        }
        Ok(Some(found))
    }

    /// What the vault kept under the tag, the latest first, each once.
    pub(super) fn kept(&self, tag: &Tag, entries: &[Entry]) -> Vec<ArtifactId> {
        let mut kept: Vec<ArtifactId> = Vec::new();
        for artifact in entries.iter().filter(|entry| entry.tags.contains(tag)).map(Entry::artifact) {
            if !kept.contains(&artifact) {
                kept.push(artifact);
            }
        }
        kept
    }

    /// That the vault has the repository, and not this of it.
    pub(super) fn lacking(&self, key: &RepositoryKey, entries: &[Entry]) -> Unusable {
        let kept: Vec<String> = entries.iter().flat_map(|entry| &entry.tags).map(ToString::to_string).take(8).collect();
        Unusable(format!(
            "the vault has {} in {} and not {}; it has {}; all of it: `prodpin restore --source {} {}`",
            key.name,
            key.source,
            self.text,
            kept.join(", "),
            key.source,
            key.name
        ))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::Digest;

    #[test]
    fn an_object_is_named_by_its_key_and_version_b57() {
        for (text, name, artifact) in [
            ("api@api/1/x.zip?versionId=abc", "api", "api/1/x.zip?versionId=abc"),
            ("api@api/1@2/x.zip?versionId=null@aa", "api", "api/1@2/x.zip?versionId=null@aa"),
        ] {
            let asked = Asked::read(text, &[]);
            assert_eq!((asked.name, asked.artifact.unwrap().to_string().as_str()), (name, artifact), "{text}");
        }
        let by_key = Asked::read_key("api:api/1/x.zip", &[]).unwrap();
        assert_eq!((by_key.name, by_key.tag.unwrap().as_str()), ("api", "api/1/x.zip"));
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
            let asked = Asked::read(&text, &[]);
            assert_eq!((asked.name, asked.artifact.is_some()), (name, has_digest), "{text}");
            assert_eq!(asked.tag.as_ref().map(Tag::as_str), tag, "{text}");
        }
    }
}
