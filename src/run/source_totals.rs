//! What is known of a source once its repositories were looked at.

use std::collections::BTreeSet;

use crate::decide::SourceFacts;
use crate::model::{Cause, Cleanup, Counts, Digest, Gap, Recognised, RepositoryName, Scope, SourceName};

/// Added up, repository by repository.
#[derive(Default)]
pub(super) struct SourceTotals {
    pub(super) counts: Counts,
    /// What each repository showed, by its name: of one that is looked at twice, the second look.
    pub(super) seen: Vec<(RepositoryName, [u8; 32])>,
    pub(super) gaps: Vec<Gap>,
    /// Those of which not everything was read.
    pub(super) incomplete: BTreeSet<RepositoryName>,
    pub(super) unmatched: Vec<String>,
    /// What is known of its cleanup, by whichever repository came first, or first showed more.
    pub(super) cleanup: Option<Cleanup>,
    /// Whether it is a bucket, as far as its settings say.
    pub(super) is_bucket: bool,
}

impl SourceTotals {
    pub(super) fn facts<'a>(&'a self, name: &'a SourceName, withheld: bool) -> SourceFacts<'a> {
        SourceFacts {
            name,
            counts: self.counts,
            seen: digest_of(&self.seen),
            gaps: &self.gaps,
            incomplete: !self.incomplete.is_empty(),
            unmatched: &self.unmatched,
            cleanup: self.cleanup.as_ref(),
            is_bucket: self.is_bucket,
            withheld,
        }
    }

    /// What the source is could not be read: the run is not complete, whatever else it read.
    pub(super) fn note(&mut self, cleanup: Cleanup) {
        // A mark may show in the answers about one repository alone.
        let is_plain = |known: &Cleanup| known.registry == Recognised::Plain && cleanup.registry != Recognised::Plain;
        if self.cleanup.as_ref().is_some_and(|known| !is_plain(known)) {
            return;
        }
        if let (Recognised::Unknown { detail }, None) = (&cleanup.registry, cleanup.stated) {
            let detail = format!("{WHICH_KIND}: {detail}");
            self.gaps.push(Gap::new(Scope::Source, Cause::Unreachable, detail));
        }
        self.cleanup = Some(cleanup);
    }
}

/// How a gap begins that is about nothing but the kind of registry.
const WHICH_KIND: &str = "which kind of registry this is";

impl SourceTotals {
    /// Where the kind of registry is unknown for the reason for which the source could not be listed, that is one cause and
    /// told once. What of its repositories is not known for that reason, they tell themselves.
    pub(super) fn tell_once(&mut self) {
        let Some(Cleanup { stated: None, registry: Recognised::Unknown { detail }, .. }) = &self.cleanup else {
            return;
        };
        let answer = |detail: &str| detail.rsplit(": ").next().unwrap_or(detail).to_owned();
        let is_kind = |gap: &Gap| gap.detail.starts_with(WHICH_KIND);
        let down = self.gaps.iter().any(|gap| !is_kind(gap) && answer(&gap.detail) == answer(detail));
        if down {
            self.gaps.retain(|gap| !is_kind(gap));
            self.cleanup = None;
        }
    }
}

/// One hash over all repositories, whatever order they finished in.
fn digest_of(seen: &[(RepositoryName, [u8; 32])]) -> Digest {
    let mut seen: Vec<[u8; 32]> = seen.iter().map(|(_, seen)| *seen).collect();
    seen.sort_unstable();
    Digest::sha256(seen.as_flattened())
}
