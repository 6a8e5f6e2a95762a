//! A repository as zot's collections see it, as far as the registry protocol shows it: tags and what they name. What has no
//! tag is not listed, nor is it told when anything was pushed or pulled.

use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;
use serde::Deserialize;

use prodpin_core::model::{Digest, RepositoryName, Resolution, Snapshot, Tag, ZotManifest, ZotRepository, ZotSettings};

/// What a tag takes beside what was listed of it, with what rules make of it.
pub(super) const TAG_COST: usize = 512;

/// The repository with the tags that were listed. What an index lists counts as lost with its last tag, although zot keeps
/// it as long as another one lists it: nothing is called safe by that.
pub(super) fn repository(name: &RepositoryName, settings: &ZotSettings, snapshot: &Snapshot) -> ZotRepository {
    let mut tags: BTreeMap<&Digest, Vec<Tag>> = BTreeMap::new();
    let mut unresolved = BTreeSet::new();
    for tag in &snapshot.tags {
        match (&tag.target, tag.target.artifact().and_then(|artifact| artifact.digest())) {
            (_, Some(digest)) => tags.entry(digest).or_default().push(tag.name.clone()),
            (Resolution::NotFound, _) => {}
            (Resolution::Artifact(_) | Resolution::Unknown, None) => {
                unresolved.insert(tag.name.clone());
            }
        }
    }
    let manifest = |(digest, tags): (&Digest, Vec<Tag>)| ZotManifest {
        digest: digest.clone(),
        children: Vec::new(),
        subject: None,
        tags,
        is_listed: true,
        // Old enough for every delay: when it was written is not told.
        written: Timestamp::UNIX_EPOCH,
        used: None,
    };
    ZotRepository {
        name: name.clone(),
        settings: settings.clone(),
        manifests: tags.into_iter().map(manifest).collect(),
        tags_only_in_database: BTreeMap::new(),
        tags_missing_in_database: BTreeSet::new(),
        unresolved,
        knows_use: false,
    }
}

/// Whether any of the policies removes what refers to something that is gone.
pub(super) fn takes_referrers(settings: &ZotSettings) -> bool {
    settings.collects && !settings.dry_run && settings.policies.iter().any(|policy| policy.delete_referrers)
}

/// What a manifest refers to; the error says why that is not known.
pub(super) fn subject(bytes: &[u8]) -> Result<Option<Digest>, String> {
    #[derive(Deserialize)]
    struct Manifest {
        subject: Option<Descriptor>,
    }
    #[derive(Deserialize)]
    struct Descriptor {
        digest: String,
    }
    let manifest: Manifest = serde_json::from_slice(bytes).map_err(|_| "its manifest cannot be read".to_owned())?;
    match manifest.subject {
        None => Ok(None),
        Some(Descriptor { digest }) => digest.parse().map(Some).map_err(|_| "its subject is no digest".to_owned()),
    }
}
