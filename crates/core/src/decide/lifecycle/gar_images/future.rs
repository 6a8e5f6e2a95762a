//! What cleanup policies come to for the versions of one package, with their pins.

use std::collections::{BTreeMap, BTreeSet};

use jiff::{SignedDuration, Timestamp};

use super::super::Situation;
use super::super::effects::Foreseen;
use super::super::gar::{Policies, Rank, Verdict, Version, ranks};
use super::UNREAD;
use crate::model::{
    ArtifactId, Certainty, Digest, Due, Effect, GarImage, GarRepository, Inspection, Pin, Setting, Threat,
};

pub(super) struct Future {
    pub(super) policies: Policies,
    versions: Vec<Version>,
    /// How many are more recent than each.
    ranks: Vec<Rank>,
    /// Where each stands.
    places: BTreeMap<Digest, usize>,
    /// What each index lists.
    children: BTreeMap<Digest, BTreeSet<Digest>>,
    /// The indexes that list each.
    parents: BTreeMap<Digest, BTreeSet<Digest>>,
    /// Whether tags cannot be deleted: then what has one may not go either.
    immutable: bool,
    /// The most versions that a push brings, as far as that was seen.
    per_push: u64,
    now: Timestamp,
}

impl Future {
    /// None where no policy deletes. The error says why it is not known.
    pub(super) fn of(situation: &Situation<'_>, repository: &GarRepository) -> Result<Option<Self>, String> {
        let text = match &repository.policies {
            Setting::Unset => return Ok(None),
            Setting::Unknown => return Err(UNREAD.to_owned()),
            Setting::Text(text) => text,
        };
        let policies = Policies::parse(text).map_err(|problem| problem.to_string())?;
        if policies.deleting().next().is_none() {
            return Ok(None);
        }
        if let Some(unread) = &repository.unread {
            return Err(unread.to_string());
        }
        if !situation.snapshot.listing_is_complete() {
            return Err("not all tags were listed that cleanup policies look at".to_owned());
        }
        let pinned: BTreeSet<&Digest> = situation.pinned.iter().filter_map(|artifact| artifact.digest()).collect();
        let versions = versions(repository, &pinned);
        let ranks = ranks(&versions).into_iter();
        let ranks = ranks.map(|rank| if repository.is_counted { rank } else { rank.at_least() }).collect();
        let places = repository.images.iter().enumerate().map(|(place, image)| (image.digest.clone(), place)).collect();
        let children = children(repository, situation.inspections);
        let most = children.values().map(BTreeSet::len).max().unwrap_or(0);
        let mut parents: BTreeMap<Digest, BTreeSet<Digest>> = BTreeMap::new();
        for (index, part) in children.iter().flat_map(|(index, parts)| parts.iter().map(move |part| (index, part))) {
            parents.entry(part.clone()).or_default().insert(index.clone());
        }
        Ok(Some(Self {
            policies,
            ranks,
            versions,
            places,
            children,
            parents,
            immutable: repository.immutable_tags != Some(false),
            per_push: u64::try_from(most).unwrap_or(u64::MAX).saturating_add(1),
            now: situation.now,
        }))
    }

    /// What takes it first by each policy; none at all where it, or something below it, was not listed.
    pub(super) fn threats(&self, artifact: &ArtifactId) -> Option<Vec<Threat>> {
        let mut all = self.in_full(artifact)?;
        let mut named = BTreeSet::new();
        all.retain(|threat| named.insert(threat.rule.clone()));
        Some(all)
    }

    /// What takes it, the soonest first: by each policy at which date, or after how many pushes, for when it may and for when it
    /// surely does. By all of that one future is held against another (I22).
    pub(super) fn in_full(&self, artifact: &ArtifactId) -> Option<Vec<Threat>> {
        let digest = artifact.digest()?;
        let mut threats = self.own(*self.places.get(digest)?);
        for part in self.below(digest) {
            let of_part = self.own(*self.places.get(&part)?);
            threats.extend(of_part.into_iter().map(|threat| of_index(threat, &part)));
        }
        super::super::sort(&mut threats, self.now);
        // Of several parts with one fate the first says it.
        let mut known = BTreeSet::new();
        threats.retain(|threat| {
            let by_push = matches!(threat.due, Due::AfterPushes { .. });
            known.insert((threat.rule.clone(), threat.certainty, by_push))
        });
        Some(threats)
    }

    /// What goes by then, nothing else being pushed, and what loses a part.
    pub(super) fn taken_by(&self, at: Timestamp) -> BTreeMap<ArtifactId, Foreseen> {
        let mut taken: BTreeMap<ArtifactId, Foreseen> = BTreeMap::new();
        for (place, version) in self.versions.iter().enumerate() {
            let instants = self.instants(version).into_iter().filter(|instant| *instant <= at.max(self.now));
            let fates = instants.filter_map(|instant| self.fate(place, instant, 0));
            let Some((certainty, rules)) = fates.min_by_key(|(certainty, _)| *certainty) else { continue };
            let Ok(digest) = version.name.parse::<Digest>() else { continue };
            let rule = rules.into_iter().next().unwrap_or_default();
            for index in self.above(&digest).into_iter().flatten() {
                let why = "a manifest below it goes, unless Artifact Registry keeps what an index lists".to_owned();
                let part =
                    Foreseen { effect: Effect::Deletes, rule: rule.clone(), certainty: Certainty::Possible, why };
                taken.entry(index).or_insert(part);
            }
            let own = Foreseen { effect: Effect::Deletes, rule, certainty, why: FITS.to_owned() };
            taken.insert(ArtifactId::Manifest(digest), own);
        }
        taken
    }

    /// It and each index above it; none if it was not listed.
    pub(super) fn above(&self, digest: &Digest) -> Option<BTreeSet<ArtifactId>> {
        self.places.get(digest)?;
        let (mut found, mut next) = (BTreeSet::from([digest.clone()]), vec![digest.clone()]);
        while let Some(part) = next.pop() {
            for index in self.parents.get(&part).into_iter().flatten() {
                if found.insert(index.clone()) {
                    next.push(index.clone());
                }
            }
        }
        Some(found.into_iter().map(ArtifactId::Manifest).collect())
    }

    /// Every manifest below it, as far as that is known.
    fn below(&self, digest: &Digest) -> BTreeSet<Digest> {
        let (mut found, mut next) = (BTreeSet::new(), vec![digest]);
        while let Some(index) = next.pop() {
            for part in self.children.get(index).into_iter().flatten() {
                if part != digest && found.insert(part.clone()) {
                    next.push(part);
                }
            }
        }
        found
    }

    /// What takes this version itself.
    fn own(&self, place: usize) -> Vec<Threat> {
        let instants = self.instants(&self.versions[place]);
        let uploads = self.uploads(place);
        let mut threats = Vec::new();
        for policy in self.policies.deleting() {
            for least in [Certainty::Possible, Certainty::Certain] {
                let goes = |at: Timestamp, uploads: u64| {
                    let (certainty, rules) = self.fate(place, at, uploads)?;
                    (certainty <= least && rules.contains(&policy.id)).then_some(certainty)
                };
                let dated = instants.iter().find_map(|at| Some((*at, goes(*at, 0)?)));
                let pushed = || {
                    let ever = |count: u64| instants.iter().find_map(|at| goes(*at, count));
                    uploads.iter().find_map(|count| Some((*count, ever(*count)?)))
                };
                let (due, certainty, why) = match (dated, dated.is_none().then(pushed).flatten()) {
                    (Some((at, certainty)), _) if at <= self.now => (Due::Now, certainty, FITS),
                    (Some((at, certainty)), _) => (Due::On(at), certainty, FITS),
                    (None, Some((count, certainty))) => {
                        let pushes = count.div_ceil(self.per_push);
                        (Due::AfterPushes { pushes, around: None }, certainty, PUSHED_OUT)
                    }
                    (None, None) => continue,
                };
                let why = match certainty {
                    Certainty::Possible if policy.has_idle_prefixes() => IDLE,
                    _ => why,
                };
                let (rule, why) = (policy.id.clone(), why.to_owned());
                threats.push(Threat { rule, effect: Effect::Deletes, due, certainty, why });
            }
        }
        threats
    }

    /// Whether it goes then, after so many further uploads, how surely and by which policies.
    fn fate(&self, place: usize, at: Timestamp, uploads: u64) -> Option<(Certainty, Vec<String>)> {
        let version = &self.versions[place];
        let (certainty, rules) = match self.policies.judge(version, self.ranks[place].after(uploads), at) {
            Verdict::Untouched | Verdict::Kept { .. } => return None,
            Verdict::Undetermined { by } => (Certainty::Possible, by),
            Verdict::Deleted { by } => (Certainty::Certain, by),
        };
        let is_held = self.immutable && !version.tags.is_empty();
        Some((if is_held { Certainty::Possible } else { certainty }, rules))
    }

    /// Now, and every later instant at which a policy fits it otherwise, in order.
    fn instants(&self, version: &Version) -> Vec<Timestamp> {
        let mut instants = BTreeSet::from([self.now]);
        // What is older than a span fits, and not what is as old. Of what is newer the same moment ends it.
        let passed = |span: SignedDuration| span.checked_add(SignedDuration::from_nanos(1));
        let ends = self.policies.spans().filter_map(|span| version.uploaded.checked_add(passed(span)?).ok());
        instants.extend(ends.filter(|end| *end > self.now));
        instants.into_iter().collect()
    }

    /// After how many further uploads it may come to stand behind those that some policy keeps by number, in order.
    fn uploads(&self, place: usize) -> BTreeSet<u64> {
        let until = self.policies.counts().flat_map(|count| self.ranks[place].until_behind(count));
        until.filter(|uploads| *uploads > 0).collect()
    }
}

const FITS: &str = "it fits the policy, and no other policy keeps it";

const IDLE: &str = "it fits the policy but for the tag prefixes, which Google uses beside tagState TAGGED only";

const PUSHED_OUT: &str =
    "newer versions, platforms among them, then push it out of those that a policy keeps by number";

/// What becomes of an index when this becomes of a part of it.
fn of_index(threat: Threat, part: &Digest) -> Threat {
    let why = format!(
        "{} below it fits the policy, and whether Artifact Registry keeps what an index lists is not documented",
        ArtifactId::Manifest(part.clone()).short()
    );
    Threat { certainty: Certainty::Possible, why, ..threat }
}

/// The versions as the engine takes them, with these pinned.
fn versions(repository: &GarRepository, pinned: &BTreeSet<&Digest>) -> Vec<Version> {
    let version = |image: &GarImage| {
        let mut tags: Vec<String> = image.tags.iter().map(ToString::to_string).collect();
        let pin = Pin::for_digest(&image.digest).to_string();
        if pinned.contains(&image.digest) && !tags.contains(&pin) {
            tags.push(pin);
        }
        let (package, name) = (repository.package.to_string(), image.digest.to_string());
        Version { package, name, tags, uploaded: image.uploaded }
    };
    repository.images.iter().map(version).collect()
}

/// What each index lists: as the list of images has it, and as a closer look showed it.
fn children(
    repository: &GarRepository,
    inspections: &BTreeMap<ArtifactId, Inspection>,
) -> BTreeMap<Digest, BTreeSet<Digest>> {
    let mut children: BTreeMap<Digest, BTreeSet<Digest>> = BTreeMap::new();
    for image in repository.images.iter().filter(|image| !image.children.is_empty()) {
        children.entry(image.digest.clone()).or_default().extend(image.children.iter().cloned());
    }
    for (artifact, seen) in inspections {
        let Some(digest) = artifact.digest() else { continue };
        let below = seen.parts.below.iter().map(|part| &part.digest);
        // What nobody needs, and is gone already, no policy takes.
        let is_there = |part: &&Digest| !seen.lost_attestations.contains(part);
        let listed: BTreeSet<Digest> = seen.children.iter().chain(below).filter(is_there).cloned().collect();
        if !listed.is_empty() {
            children.entry(digest.clone()).or_default().extend(listed);
        }
    }
    children
}
