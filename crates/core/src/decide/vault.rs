//! The vault, decided: in which order parts are written, what is told of targets that it does not hold whole, and
//! which tags a restore may put back (I27). Nothing here reads or writes.

use std::collections::BTreeMap;

use jiff::Timestamp;

use crate::model::{ArtifactId, Code, Digest, Finding, RepositoryKey, Resolution, Severity, SourceName, Survival};
use crate::outcome::report::{TargetReport, VaultState};

/// A part of a target, at its depth below it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct VaultPart {
    /// Its digest.
    pub digest: Digest,
    /// Its size, by the word of the manifest above.
    pub size: u64,
    /// Its type.
    pub media_type: String,
    /// Whether it is a manifest rather than a blob.
    pub is_manifest: bool,
    /// The target itself is 0; a part that is named at several depths counts at the deepest.
    pub depth: usize,
}

/// The order in which parts are written, each once: blobs, then manifests from the deepest up, the target itself last. A copy
/// that is cut off so never holds a manifest that names what is not there.
#[must_use]
pub fn order(parts: impl IntoIterator<Item = VaultPart>) -> Vec<VaultPart> {
    let mut each: BTreeMap<Digest, VaultPart> = BTreeMap::new();
    for part in parts {
        match each.get_mut(&part.digest) {
            Some(known) => known.depth = known.depth.max(part.depth),
            None => _ = each.insert(part.digest.clone(), part),
        }
    }
    let mut ordered: Vec<VaultPart> = each.into_values().collect();
    ordered.sort_by_key(|part| (part.is_manifest, std::cmp::Reverse(part.depth)));
    ordered
}

/// Why a target is not whole in the vault, least grave first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Lack {
    /// Its source is of a kind that is not copied.
    Unsupported,
    /// This run only looks; `enforce` copies it.
    NotYet,
    /// The same, and the directory is not there, which may be one that is not mounted.
    NoDirectory,
    /// The run ended first; the next one carries on.
    Interrupted,
    /// It could not be read from its source.
    Unread,
    /// The vault could not be read or written.
    Vault,
    /// The source does not have it whole any more.
    Gone,
    /// What the source serves does not hash to its digest.
    WrongBytes,
}

/// A target that is not whole in the vault, or of which that is not known.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Unkept {
    /// Its repository.
    pub repository: RepositoryKey,
    /// The target.
    pub artifact: ArtifactId,
    /// Why.
    pub lack: Lack,
    /// What was asked and answered.
    pub detail: String,
}

/// So many targets are named in one finding.
const NAMED: usize = 3;

/// How many targets of a source there are, and how many of them the vault does not hold whole.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Held {
    /// All of them.
    pub targets: u64,
    /// Those that it does not hold.
    pub unkept: u64,
}

/// What the vault holds of a target, and with that whether it survives the loss of its registry.
pub fn note(target: &mut TargetReport, state: VaultState, vault: &str) {
    target.vault = Some(state);
    let Some(survives) = &mut target.survives else { return };
    // What is lost or spoilt already is said to be.
    if target.restorable == Some(false) && state != VaultState::Kept {
        return;
    }
    survives.loss_of_registry = match state {
        VaultState::Kept => Survival::yes(format!("the vault {vault} holds it whole")),
        VaultState::Missing => Survival::no(format!("the vault {vault} does not hold it whole")),
        VaultState::Unknown => Survival::unknown(format!("what the vault {vault} holds of it could not be told")),
    };
}

/// One finding for each source of which the vault does not hold every target. `unkept` are some of these, for naming;
/// `requires` says of which sources the policy requires targets to survive the loss of their registry.
#[must_use]
pub fn incomplete(
    vault: &str,
    sources: &BTreeMap<SourceName, Held>,
    mut unkept: Vec<Unkept>,
    requires: &dyn Fn(&SourceName) -> bool,
    now: Timestamp,
) -> Vec<Finding> {
    // The gravest are named.
    unkept.sort_by(|a, b| (b.lack, &a.repository, &a.artifact).cmp(&(a.lack, &b.repository, &b.artifact)));
    let finding = |(source, held): (&SourceName, &Held)| {
        let of_source: Vec<&Unkept> = unkept.iter().filter(|one| one.repository.source == *source).collect();
        let worst = of_source.first()?.lack;
        let (mut severity, remedy) = advice(worst);
        if requires(source) {
            severity = severity.max(Severity::Medium);
        }
        let Held { targets, unkept: count } = held;
        let message = match worst {
            Lack::Unsupported => format!(
                "the vault {vault} holds none of the {count} rollback targets of source {source}: prodpin has no way to read \
                 their bytes there"
            ),
            _ => {
                let mut named: Vec<String> = of_source.iter().take(NAMED).map(|one| reported(one)).collect();
                if *count > named.len() as u64 {
                    named.push("…".to_owned());
                }
                let named = named.join("; ");
                format!(
                    "the vault {vault} does not hold {count} of {targets} rollback targets of source {source}: {named}"
                )
            }
        };
        let message = match requires(source) {
            true => format!("{message}; the policy requires loss-of-registry to be survived"),
            false => message,
        };
        Some(Finding::at_large(Code::VaultIncomplete, severity, Some(source), message, remedy, now))
    };
    sources.iter().filter_map(finding).collect()
}

fn reported(one: &Unkept) -> String {
    format!("{}@{}: {}", one.repository.name, one.artifact.short(), one.detail)
}

fn advice(lack: Lack) -> (Severity, &'static str) {
    match lack {
        Lack::Unsupported => (
            Severity::Info,
            "keep a copy of these by other means: a replica in another account, or versioning with replication",
        ),
        Lack::NotYet => (Severity::Low, "run prodpin enforce: it copies what is missing"),
        Lack::NoDirectory => (
            Severity::Low,
            "mount the directory, or correct `vault:` in the policy; if there was none yet, `prodpin enforce` makes it and \
             copies what is missing",
        ),
        Lack::Interrupted => (
            Severity::Low,
            "run prodpin enforce again, with a longer --deadline: the copy is carried on, and nothing is copied twice",
        ),
        Lack::Unread => (Severity::Medium, "make it readable, and run prodpin enforce again: the copy is carried on"),
        Lack::Vault => {
            (Severity::Medium, "make the vault readable and writable for prodpin, and run prodpin enforce again")
        }
        Lack::Gone => (Severity::High, "bring the same bytes back to where they were, from a replica or a backup"),
        Lack::WrongBytes => (
            Severity::High,
            "the source serves damaged bytes, and the vault takes none of them: of an image, delete these blobs from the \
             registry's storage, since it skips a push of a digest that it has; put the same bytes there again from a replica \
             or a backup; then prove it with prodpin drill",
        ),
    }
}

/// What becomes of a tag that a target had.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum TagStep {
    /// Nobody holds it: it is put.
    Put,
    /// It names the target already.
    Held,
    /// It names something else, and stays there.
    Taken(ArtifactId),
    /// What it names is not known: it is left alone.
    Unknown,
}

/// Decides what becomes of a tag, by what a look-up just now said. Only a definitive "not found" frees it (I4, I8).
#[must_use]
pub fn tag_step(target: &Digest, found: &Resolution) -> TagStep {
    match found {
        Resolution::NotFound => TagStep::Put,
        Resolution::Artifact(artifact) if artifact.digest() == Some(target) => TagStep::Held,
        Resolution::Artifact(artifact) => TagStep::Taken(artifact.clone()),
        Resolution::Unknown => TagStep::Unknown,
    }
}

/// The same for a file: its key is free where readers get nothing there, and holds it where they get its bytes, which may be
/// another version of them by now.
#[must_use]
pub fn file_step(target: &ArtifactId, found: Option<(&ArtifactId, bool)>) -> TagStep {
    match found {
        None => TagStep::Put,
        Some((artifact, same_bytes)) if artifact == target || same_bytes => TagStep::Held,
        Some((artifact, _)) => TagStep::Taken(artifact.clone()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn part(name: &str, is_manifest: bool, depth: usize) -> VaultPart {
        let (digest, media_type) = (Digest::sha256(name.as_bytes()), "x".to_owned());
        VaultPart { digest, size: 1, media_type, is_manifest, depth }
    }

    #[test]
    fn what_is_named_is_written_before_what_names_it_i27() {
        let parts = [
            part("index", true, 0),
            part("image", true, 1),
            part("layer", false, 1),
            part("nested", true, 1),
            part("image", true, 2),
            part("layer", false, 2),
        ];
        let expected = [("layer", 2), ("image", 2), ("nested", 1), ("index", 0)]
            .map(|(name, depth)| (Digest::sha256(name.as_bytes()), depth));
        let ordered: Vec<_> = order(parts).into_iter().map(|part| (part.digest, part.depth)).collect();
        assert_eq!(ordered, expected);
    }

    #[test]
    fn a_tag_is_put_only_where_nobody_holds_it_i8_i27() {
        let (ours, other) = (Digest::sha256(b"ours"), ArtifactId::Manifest(Digest::sha256(b"other")));
        for (found, step) in [
            (Resolution::NotFound, TagStep::Put),
            (Resolution::Artifact(ours.clone().into()), TagStep::Held),
            (Resolution::Artifact(other.clone()), TagStep::Taken(other.clone())),
            (Resolution::Unknown, TagStep::Unknown),
        ] {
            assert_eq!(tag_step(&ours, &found), step, "{found:?}");
        }
    }

    #[test]
    fn a_key_is_free_where_readers_get_nothing_i8_i27() {
        let version = |id: &str| format!("api/1.zip?versionId={id}").parse::<ArtifactId>().unwrap();
        let (ours, other) = (version("a"), version("b"));
        for (found, step) in [
            (None, TagStep::Put),
            (Some((&ours, false)), TagStep::Held),
            (Some((&other, true)), TagStep::Held),
            (Some((&other, false)), TagStep::Taken(other.clone())),
        ] {
            assert_eq!(file_step(&ours, found), step, "{found:?}");
        }
    }

    #[test]
    fn one_finding_tells_of_a_source_and_the_gravest_comes_first_i27() {
        let unkept = |name: &str, lack, detail: &str| Unkept {
            repository: RepositoryKey { source: "shop".parse().unwrap(), name: name.parse().unwrap() },
            artifact: Digest::sha256(name.as_bytes()).into(),
            lack,
            detail: detail.to_owned(),
        };
        let targets = BTreeMap::from([("shop".parse().unwrap(), Held { targets: 7, unkept: 2 })]);
        let given = vec![
            unkept("a", Lack::Interrupted, "the run ended"),
            unkept("z", Lack::WrongBytes, "hashes to something else"),
        ];
        let found = incomplete("/vault", &targets, given, &|_| false, Timestamp::UNIX_EPOCH);
        assert_eq!(found.len(), 1);
        assert_eq!((found[0].code, found[0].severity), (Code::VaultIncomplete, Severity::High));
        assert!(found[0].message.contains("2 of 7 rollback targets of source shop: z@"), "{}", found[0].message);
        assert_eq!(incomplete("/vault", &targets, Vec::new(), &|_| true, Timestamp::UNIX_EPOCH), []);
    }
}
