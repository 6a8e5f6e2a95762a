//! What both kinds of chart repository make of an index: names, versions, and what is wrong with them.

use std::collections::BTreeSet;

use futures::stream::{self, BoxStream, StreamExt as _};

use super::index::{Chart, Entry, Index, Listed};
use crate::matched::Matched;
use crate::{Reservation, outgrown};
use prodpin_core::model::{
    Cause, DeployedReference, Gap, NamePatterns, Reference, RepositoryName, Scope, Snapshot, Tag,
};

/// The charts that the policy selects.
#[derive(Debug)]
pub(super) struct Shelf {
    /// The repository's address, for messages and references.
    pub(super) address: String,
    pub(super) patterns: NamePatterns,
    matched: Matched,
}

impl Shelf {
    pub(super) fn new(address: String, patterns: NamePatterns) -> Self {
        Self { address, patterns, matched: Matched::in_one_piece() }
    }

    /// The charts of the index that the patterns select, and those that the policy spells out, so that the loss of one
    /// is seen.
    pub(super) fn repositories(&self, index: &Index) -> Vec<Result<RepositoryName, Gap>> {
        let mut names: BTreeSet<RepositoryName> =
            index.charts.keys().filter(|name| self.patterns.matches(name.as_str())).cloned().collect();
        names.iter().for_each(|name| self.matched.note(&self.patterns, name.as_str()));
        names.extend(self.spelled_out());
        let mut found: Vec<Result<RepositoryName, Gap>> = names.into_iter().map(Ok).collect();
        if let Some(example) = index.unnameable.first() {
            let detail = format!(
                "{}: the index has {} names that no chart can have, such as {example:?}; they were left out",
                self.address,
                index.unnameable.len()
            );
            found.push(Err(Gap::new(Scope::Source, Cause::Refused, detail)));
        }
        let odd = index.odd.iter().map(|odd| format!("{}index.yaml: {odd}; have it written anew", self.base()));
        found.extend(odd.map(|detail| Err(Gap::new(Scope::Source, Cause::Malformed, detail))));
        found
    }

    /// The address with a slash behind it.
    fn base(&self) -> String {
        format!("{}/", self.address.trim_end_matches('/'))
    }

    /// The names that the policy spells out, and what kept the index from being read.
    pub(super) fn without_index(&self, gap: Gap) -> Vec<Result<RepositoryName, Gap>> {
        self.spelled_out().map(Ok).chain([Err(gap)]).collect()
    }

    fn spelled_out(&self) -> impl Iterator<Item = RepositoryName> + '_ {
        let names = self.patterns.explicit_names().filter(|name| self.patterns.matches(name));
        names.filter_map(|name| name.parse().ok())
    }

    pub(super) fn unmatched(&self) -> Vec<String> {
        self.matched.lacking(&self.patterns)
    }

    /// A chart of the index. One that is not there at all is no chart without versions: a repository that lost it looks
    /// like one that is not the same any more (I4).
    pub(super) fn chart<'i>(&self, index: &'i Index, name: &RepositoryName) -> Result<&'i Chart, Gap> {
        index.charts.get(name).ok_or_else(|| {
            let detail = format!(
                "{}: the index does not name the chart {name}; if it was removed on purpose, take it out of the policy",
                self.address
            );
            Gap::new(Scope::Repository, Cause::NotFound, detail)
        })
    }

    /// Where a reference points: a chart by name and version, with this repository's address or without any.
    pub(super) fn locate(&self, reference: &Reference) -> Option<(RepositoryName, DeployedReference)> {
        let Reference::Chart { repository, name, .. } = reference else { return None };
        let here = repository.as_ref().is_none_or(|repository| {
            let beneath = repository.strip_prefix(self.address.trim_end_matches('/'));
            beneath.is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
        });
        let is_ours = here && self.patterns.matches(name.as_str());
        is_ours.then(|| Some((name.clone(), reference.running()?))).flatten()
    }
}

/// Counts what a chart's versions will take. Where there is no room for all of them, none is read: the index names them in
/// no order of age.
pub(super) fn reserve(chart: &Chart, memory: &Reservation) -> Result<(), Gap> {
    let reserved = memory.take(chart.versions.len().saturating_mul(Snapshot::TAG_COST));
    reserved.map_err(|_| outgrown(0, "versions"))
}

/// A chart's entries by what can be made of them.
#[derive(Debug)]
pub(super) struct Sorted {
    /// Those that can be used.
    pub(super) good: Vec<(Tag, Entry)>,
    /// Versions whose entry is no good, and why.
    pub(super) bad: Vec<(Tag, Gap)>,
    /// Entries without a version: whatever is not listed may be one of them.
    pub(super) nameless: Option<Gap>,
}

impl Sorted {
    pub(super) fn from_chart(chart: &Chart) -> Self {
        let (mut good, mut bad) = (Vec::new(), Vec::new());
        for (version, listed) in &chart.versions {
            match listed {
                Listed::Archive(entry) => good.push((version.clone(), entry.clone())),
                Listed::Invalid(reason) => {
                    let detail = format!("version {version}: {reason}; have the index written anew");
                    bad.push((version.clone(), Gap::new(Scope::Tag(version.clone()), Cause::Malformed, detail)));
                }
            }
        }
        let nameless = chart.nameless.first().map(|reason| {
            let detail =
                format!("{} entries of the index are no good ({reason}); have it written anew", chart.nameless.len());
            Gap::new(Scope::Repository, Cause::Malformed, detail)
        });
        Self { good, bad, nameless }
    }
}

pub(super) fn stream<'s>(
    found: impl Future<Output = Vec<Result<RepositoryName, Gap>>> + Send + 's,
) -> BoxStream<'s, Result<RepositoryName, Gap>> {
    stream::once(found).flat_map(stream::iter).boxed()
}
