//! One run of zot's garbage collection over one repository: tags by retention, then referrers and untagged manifests until
//! a pass removes nothing, then indexes without parts, then bytes.

use std::cell::Cell;
use std::collections::{BTreeMap, BTreeSet};

use jiff::{SignedDuration, Timestamp};

use super::Panic;
use super::rows::{Row, Rows};
use super::rules::{Candidate, has_rules, kept_in_order, must_not_be_below_nought};
use crate::model::{Digest, Tag, ZotKeep, ZotPolicy, ZotRepository, ZotUse};

/// What one run leaves.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Left<'a> {
    pub(super) tags: BTreeSet<&'a Tag>,
    pub(super) manifests: BTreeSet<&'a Digest>,
}

/// How ties among untagged manifests come out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Ties {
    /// By the order of the rows, as far as zot's sort keeps it.
    InOrder,
    /// All of those that compete stay.
    AllStay,
    /// None of them.
    NoneStay,
}

/// A run that is under way.
pub(super) struct Run<'a, 'r> {
    pub(super) repository: &'a ZotRepository,
    pub(super) policy: Option<&'a ZotPolicy>,
    pub(super) ties: Ties,
    /// Whether untagged manifests competed with equal times where their order does not decide.
    pub(super) is_open: &'r Cell<bool>,
    pub(super) now: Timestamp,
    pub(super) rows: Rows<'a>,
}

impl<'a> Run<'a, '_> {
    /// Carries it out. `kept`: the tags that retention keeps; none where it takes no tags.
    pub(super) fn carry_out(mut self, kept: Option<&BTreeSet<&'a Tag>>) -> Result<Left<'a>, Panic> {
        if !self.repository.settings.collects {
            let manifests = self.rows.stored.keys().copied().collect();
            return Ok(Left { tags: self.rows.tags().collect(), manifests });
        }
        if let Some(kept) = kept {
            let gone: Vec<&Tag> = self.rows.tags().filter(|tag| !kept.contains(tag)).collect();
            for tag in gone {
                self.rows.remove_tag(tag);
            }
        }
        while self.pass()? {}
        if self.repository.settings.dry_run {
            self.rows = Rows::of(self.repository);
            let manifests = self.rows.stored.keys().copied().collect();
            return Ok(Left { tags: self.rows.tags().collect(), manifests });
        }
        self.rows.drop_hollow();
        let reached = self.rows.reached();
        let delay = self.repository.settings.delay;
        let stays = |digest: &&Digest, written| reached.contains(digest) || !self.is_older(written, delay);
        let stored = self.rows.stored.iter().filter(|(digest, manifest)| stays(digest, manifest.written));
        let manifests = stored.map(|(digest, _)| *digest).collect();
        Ok(Left { tags: self.rows.tags().collect(), manifests })
    }

    /// One pass over referrers, and one over untagged manifests. Whether another one follows.
    fn pass(&mut self) -> Result<bool, Panic> {
        let referrers = self.policy.is_some_and(|policy| policy.delete_referrers) && self.remove_referrers();
        let untagged = deletes_untagged(self.policy) && self.remove_untagged()?;
        Ok(referrers || untagged)
    }

    fn is_older(&self, written: Timestamp, delay: SignedDuration) -> bool {
        self.now.duration_since(written) >= delay
    }

    fn remove_if_older(&mut self, row: &Row<'a>, delay: SignedDuration) -> bool {
        self.is_older(row.manifest.written, delay)
            && match row.tag {
                Some(tag) => self.rows.remove_tag(tag),
                None => self.rows.remove_digest(&row.manifest.digest),
            }
    }

    /// Removes what refers to something that no row names: by its subject, and by a tag as cosign makes them. A subject
    /// that only an index lists is named by no row.
    fn remove_referrers(&mut self) -> bool {
        let settings = &self.repository.settings;
        let mut any = false;
        for row in self.rows.rows.clone() {
            let subject = row.manifest.subject.as_ref().is_some_and(|subject| !self.rows.names(subject));
            if subject && self.remove_if_older(&row, settings.retention_delay) {
                any = true;
                continue;
            }
            let signed = row.tag.and_then(signed_by);
            let orphan = signed.is_some_and(|signed| signed.is_none_or(|signed| !self.rows.names(&signed)));
            any |= orphan && self.remove_if_older(&row, settings.delay);
        }
        any
    }

    /// Removes rows without a tag that nothing spares. Another pass follows only if the last one that was looked at was
    /// removed: zot remembers no other.
    fn remove_untagged(&mut self) -> Result<bool, Panic> {
        let spared = self.rows.spared();
        let kept = self.kept_untagged()?;
        let mut last = false;
        for row in self.rows.rows.clone() {
            let digest = &row.manifest.digest;
            if row.tag.is_none() && !spared.contains(digest) && !kept.contains(digest) {
                last = self.remove_if_older(&row, self.repository.settings.retention_delay);
            }
        }
        Ok(last)
    }

    /// The untagged manifests that `keepUntagged` keeps. Without the database its rules are ignored; what the database
    /// knows nothing of is kept.
    fn kept_untagged(&self) -> Result<BTreeSet<&'a Digest>, Panic> {
        let keep = self.policy.and_then(|policy| policy.keep_untagged.as_ref());
        let Some(keep) = keep.filter(|keep| has_rules(keep)) else { return Ok(BTreeSet::new()) };
        if !self.repository.settings.has_database {
            return Ok(BTreeSet::new());
        }
        let untagged = self.rows.rows.iter().filter(|row| row.tag.is_none()).map(|row| row.manifest);
        if !self.repository.knows_use {
            must_not_be_below_nought(keep)?;
            self.is_open.set(true);
            let stay = untagged.filter(|_| self.ties == Ties::AllStay);
            return Ok(stay.map(|manifest| &manifest.digest).collect());
        }
        let (counted, unknown): (Vec<_>, Vec<_>) = untagged.partition(|manifest| manifest.used.is_some());
        let candidates: Vec<Candidate<&Digest>> = counted
            .iter()
            .filter_map(|manifest| manifest.used.map(|used| Candidate { key: &manifest.digest, used }))
            .collect();
        let mut kept = self.kept_of(keep, &candidates)?;
        kept.extend(unknown.into_iter().map(|manifest| &manifest.digest));
        Ok(kept)
    }

    fn kept_of(&self, keep: &ZotKeep, candidates: &[Candidate<&'a Digest>]) -> Result<BTreeSet<&'a Digest>, Panic> {
        let (mut kept, open) = kept_in_order(keep, candidates, self.now)?;
        if !open.is_empty() {
            self.is_open.set(true);
        }
        match self.ties {
            Ties::InOrder => {}
            Ties::AllStay => kept.extend(open),
            Ties::NoneStay => kept.retain(|digest| !open.contains(digest)),
        }
        Ok(kept)
    }
}

/// Manifests without a tag go unless the policy says otherwise, without any policy too.
pub(super) fn deletes_untagged(policy: Option<&ZotPolicy>) -> bool {
    policy.and_then(|policy| policy.delete_untagged).unwrap_or(true)
}

/// What a tag as cosign makes them stands for: `sha256-<hex>.sig`. The outer none: it is no such tag; the inner one: it
/// names no digest that could be there.
fn signed_by(tag: &Tag) -> Option<Option<Digest>> {
    let tag = tag.as_str();
    let is_cosign = tag.match_indices("sha256-").any(|(at, start)| {
        // Something must stand between.
        let mut behind = tag[at + start.len()..].chars();
        behind.next().is_some() && (behind.as_str().contains(".sig") || behind.as_str().contains(".sbom"))
    });
    if !is_cosign {
        return None;
    }
    // zot takes what stands before the first hyphen and between that and the second one.
    let mut parts = tag.split('-');
    let (algorithm, encoded) = (parts.next().unwrap_or(""), parts.next().unwrap_or(""));
    let encoded = encoded.strip_suffix(".sig").unwrap_or(encoded);
    let encoded = encoded.strip_suffix(".sbom").unwrap_or(encoded);
    Some(format!("{algorithm}:{encoded}").parse().ok())
}

/// Every tag that a rule may count, where nobody knows what the database knows.
pub(super) fn uncounted_tags(repository: &ZotRepository) -> Vec<Candidate<&Tag>> {
    let named = repository.manifests.iter().flat_map(|manifest| &manifest.tags);
    let all: BTreeSet<&Tag> = named.chain(&repository.unresolved).collect();
    all.into_iter().map(|key| Candidate { key, used: ZotUse::default() }).collect()
}

/// What the database knows of every tag, where it knows the tag and has statistics of its digest.
pub(super) fn counted_tags(repository: &ZotRepository) -> Vec<Candidate<&Tag>> {
    let used: BTreeMap<&Digest, _> =
        repository.manifests.iter().filter_map(|manifest| Some((&manifest.digest, manifest.used?))).collect();
    let named =
        repository.manifests.iter().flat_map(|manifest| manifest.tags.iter().map(|tag| (tag, &manifest.digest)));
    let known = named.filter(|(tag, _)| !repository.tags_missing_in_database.contains(*tag));
    let all: BTreeMap<&Tag, &Digest> = known.chain(&repository.tags_only_in_database).collect();
    all.into_iter().filter_map(|(tag, digest)| Some(Candidate { key: tag, used: *used.get(digest)? })).collect()
}
