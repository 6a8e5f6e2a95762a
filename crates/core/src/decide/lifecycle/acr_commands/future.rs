//! The runs to come of the commands on a repository with its pins.

use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};

use jiff::{SignedDuration, Timestamp};

use super::super::Situation;
use super::super::acr::{Unclear, any_matches, purge};
use crate::model::{
    AcrCommand, AcrLocks, AcrManifest, AcrPurge, AcrPurges, AcrRepository, AcrRetention, AcrTag, ArtifactId, Certainty,
    Digest, Due, Effect, Pin, Tag, Threat,
};

pub(super) const UNLISTED: &str = "not everything was listed that acr purge counts";

/// More runs in a row than this change nothing any more.
const MOST_ROUNDS: usize = 16;

/// What a pin's tag is locked against, and what the manifests are.
const LOCKED_TAG: AcrLocks = AcrLocks { delete_enabled: Some(false), write_enabled: Some(false) };

/// What goes, how surely, and by which command.
pub(super) type Fates = BTreeMap<Digest, (Certainty, usize)>;

pub(super) struct Future<'a> {
    commands: &'a [AcrCommand],
    repository: AcrRepository,
    /// Where each manifest stands in it.
    places: BTreeMap<Digest, usize>,
    /// What is asked about; nothing else is remembered.
    asked: BTreeSet<Digest>,
    now: Timestamp,
    /// Now, and every instant at which something comes of age, in order.
    instants: Vec<Timestamp>,
    /// The most that any command keeps.
    most: usize,
    /// By instant and number of tags pushed meanwhile.
    tried: RefCell<BTreeMap<(usize, usize), Option<Fates>>>,
}

impl<'a> Future<'a> {
    /// Why it is not known, if it is not.
    pub(super) fn of(situation: &Situation<'_>, acr: &'a AcrRetention) -> Result<Self, String> {
        let commands: &[AcrCommand] = match &acr.purges {
            AcrPurges::Unknown => return Err(super::UNSTATED.to_owned()),
            AcrPurges::Stated { commands, .. } => commands,
        };
        if let Some(unread) = acr.unread.as_ref().filter(|_| !commands.is_empty()) {
            return Err(unread.to_string());
        }
        if !commands.is_empty() && !situation.snapshot.listing_is_complete() {
            return Err(UNLISTED.to_owned());
        }
        if let Some(ended) = commands.iter().find_map(|command| ends(command, &acr.repository)) {
            return Err(ended);
        }
        let pinned = situation.pinned.iter().filter_map(|artifact| artifact.digest()).collect();
        let repository = with_pins(&acr.repository, &pinned, situation.now);
        let asked: BTreeSet<Digest> = situation.targets.iter().filter_map(|it| it.digest().cloned()).collect();
        let mut fates = fates(commands, &repository, situation.now, 0).map_err(|unclear| unclear.to_string())?;
        fates.retain(|digest, _| asked.contains(digest));
        let keeps = commands.iter().map(|command| usize::try_from(command.purge.keep).unwrap_or(0));
        let (now, most) = (situation.now, keeps.max().unwrap_or(0));
        let instants = instants(commands, &repository, now);
        let tried = RefCell::new(BTreeMap::from([((0, 0), Some(fates))]));
        let places = places(&repository);
        Ok(Self { commands, repository, places, asked, now, instants, most, tried })
    }

    /// What takes it first; none inside where nothing does, none at all where it was not listed.
    pub(super) fn threats(&self, artifact: &ArtifactId) -> Option<Vec<Threat>> {
        let mut all = self.in_full(artifact)?;
        all.truncate(1);
        Some(all)
    }

    /// What takes it, the soonest first: at which date, and after how many pushes, each for when it may and for when it surely
    /// does. By all of that one future is held against another (I22).
    pub(super) fn in_full(&self, artifact: &ArtifactId) -> Option<Vec<Threat>> {
        let digest = artifact.digest().filter(|digest| self.asked.contains(*digest))?;
        // What nothing is run on need not be listed.
        if !self.commands.is_empty() && !self.places.contains_key(digest) {
            return None;
        }
        let mut found = Vec::new();
        for least in [Certainty::Possible, Certainty::Certain] {
            let goes = |at, pushes| self.fate(digest, at, pushes).filter(|(certainty, _)| *certainty <= least);
            let last = self.instants.len() - 1;
            if goes(last, 0).is_some() {
                let at = first(last, |at| goes(at, 0).is_some());
                let due = if at == 0 { Due::Now } else { Due::On(self.instants[at]) };
                found.extend(goes(at, 0).map(|fate| (due, fate)));
            }
            if self.most > 0 && goes(last, self.most).is_some() {
                let pushes = first(self.most, |pushes| goes(last, pushes).is_some()).max(1);
                let due = Due::AfterPushes { pushes: u64::try_from(pushes).unwrap_or(u64::MAX), around: None };
                found.extend(goes(last, pushes).map(|fate| (due, fate)));
            }
        }
        let threat = |(due, (certainty, command))| self.threat(digest, command, due, certainty);
        let mut threats: Vec<Threat> = found.into_iter().map(threat).collect();
        super::super::sort(&mut threats, self.now);
        Some(threats)
    }

    /// What goes by then, nothing else being pushed; none where that cannot be told.
    pub(super) fn fates_at(&self, at: Timestamp) -> Option<Fates> {
        fates(self.commands, &self.repository, at.max(self.now), 0).ok()
    }

    pub(super) fn threat(&self, digest: &Digest, command: usize, due: Due, certainty: Certainty) -> Threat {
        let manifest = self.places.get(digest).and_then(|place| self.repository.manifests.get(*place));
        let tagged = manifest.is_some_and(|manifest| !manifest.tags.is_empty());
        let why = match (tagged, certainty) {
            (true, Certainty::Certain) => "every tag of it goes, or a manifest below it, and then it goes itself",
            (true, Certainty::Possible) => "every tag of it may go, or a manifest below it; what has no tag goes next",
            (false, _) => "it has no tag, and nothing that stays and is looked at lists it",
        };
        let rule = self.commands.get(command).map_or_else(String::new, |command| command.line.to_string());
        Threat { rule, effect: Effect::Deletes, due, certainty, why: why.to_owned() }
    }

    fn fate(&self, digest: &Digest, at: usize, pushes: usize) -> Option<(Certainty, usize)> {
        let mut tried = self.tried.borrow_mut();
        let found = tried.entry((at, pushes)).or_insert_with(|| {
            // That it can be worked out was seen before: only times and counts differ.
            let mut fates = fates(self.commands, &self.repository, self.instants[at], pushes).ok()?;
            fates.retain(|digest, _| self.asked.contains(digest));
            Some(fates)
        });
        match found {
            Some(fates) => fates.get(digest).copied(),
            None => Some((Certainty::Possible, 0)),
        }
    }
}

/// Where each manifest stands.
fn places(repository: &AcrRepository) -> BTreeMap<Digest, usize> {
    let mut places = BTreeMap::new();
    for (place, manifest) in repository.manifests.iter().enumerate() {
        places.entry(manifest.digest.clone()).or_insert(place);
    }
    places
}

/// Why the command ends before it does anything here, if it does: with a filter that it cannot read, for one. It was meant
/// otherwise then, and whoever corrects it makes it take something.
fn ends(command: &AcrCommand, repository: &AcrRepository) -> Option<String> {
    let bare = AcrRepository { name: repository.name.clone(), manifests: Vec::new() };
    if command.purge.dry_run {
        return None;
    }
    // What cannot be told is told elsewhere.
    let ended = purge(&command.purge, std::slice::from_ref(&bare), Timestamp::UNIX_EPOCH).ok()?.ended?;
    Some(format!("{} ends before it does anything, and so was meant otherwise: {ended}", command.line))
}

/// The first place at which it holds, if it does at the last one, and from there on at all.
fn first(last: usize, holds: impl Fn(usize) -> bool) -> usize {
    let (mut low, mut high) = (0, last);
    while low < high {
        let middle = low.midpoint(high);
        if holds(middle) { high = middle } else { low = middle + 1 }
    }
    low
}

/// What the commands come to, run again and again in whatever order: what goes in every course is certain, what goes in one of
/// them is possible.
fn fates(commands: &[AcrCommand], repository: &AcrRepository, at: Timestamp, pushes: usize) -> Result<Fates, Unclear> {
    let forward: Vec<usize> = (0..commands.len()).collect();
    let backward: Vec<usize> = forward.iter().rev().copied().collect();
    let orders = if commands.len() > 1 { vec![forward, backward] } else { vec![forward] };
    let mut courses = Vec::new();
    for order in &orders {
        for worst in [false, true] {
            courses.push(course(commands, order, repository, (at, pushes), worst)?);
        }
    }
    let mut found = Fates::new();
    for gone in &courses {
        for (digest, (command, _)) in gone {
            let sure = |other: &Gone| other.get(digest).is_some_and(|(_, sure)| *sure == Certainty::Certain);
            let certainty = if courses.iter().all(sure) { Certainty::Certain } else { Certainty::Possible };
            found.entry(digest.clone()).or_insert((certainty, *command));
        }
    }
    Ok(found)
}

/// What goes in one course, by which command.
type Gone = BTreeMap<Digest, (usize, Certainty)>;

fn course(
    commands: &[AcrCommand],
    order: &[usize],
    repository: &AcrRepository,
    (at, pushes): (Timestamp, usize),
    worst: bool,
) -> Result<Gone, Unclear> {
    let mut left = repository.clone();
    let mut taken: BTreeMap<Digest, usize> = BTreeMap::new();
    let mut bare: BTreeMap<Digest, usize> = BTreeMap::new();
    for _ in 0..MOST_ROUNDS {
        let before = size(&left);
        for number in order {
            let purge = pushed(&commands[*number].purge, pushes);
            run(&purge, &mut left, at, worst, &mut |digest, went| {
                let gone = if went { &mut taken } else { &mut bare };
                gone.entry(digest).or_insert(*number);
            })?;
        }
        if size(&left) == before {
            break;
        }
    }
    let mut gone: Gone = taken.iter().map(|(digest, by)| (digest.clone(), (*by, Certainty::Certain))).collect();
    // What lost every tag is prey of whoever takes what has none.
    for (digest, by) in bare {
        gone.entry(digest).or_insert((by, Certainty::Possible));
    }
    // What lost a part cannot be pulled any more, whatever is left of it.
    let tree = Tree::of(repository);
    for manifest in repository.manifests.iter().filter(|manifest| !manifest.children.is_empty()) {
        if let Some(by) = tree.below(&manifest.digest).iter().find_map(|part| taken.get(part)) {
            gone.entry(manifest.digest.clone()).or_insert((*by, Certainty::Certain)).1 = Certainty::Certain;
        }
    }
    Ok(gone)
}

fn size(repository: &AcrRepository) -> (usize, usize) {
    (repository.manifests.len(), repository.manifests.iter().map(|manifest| manifest.tags.len()).sum())
}

/// The command after so many further tags were pushed that it counts, and came of age: each takes a place.
fn pushed(purge: &AcrPurge, pushes: usize) -> AcrPurge {
    let pushes = i64::try_from(pushes).unwrap_or(i64::MAX);
    AcrPurge { keep: purge.keep.max(0).saturating_sub(pushes).max(0), ..purge.clone() }
}

/// One run. What goes is told, and what lost its last tag.
fn run(
    purge_command: &AcrPurge,
    left: &mut AcrRepository,
    at: Timestamp,
    worst: bool,
    told: &mut dyn FnMut(Digest, bool),
) -> Result<(), Unclear> {
    if purge_command.dry_run {
        return Ok(());
    }
    let purged = purge(purge_command, std::slice::from_ref(left), at)?;
    let Some(outcome) = purged.repositories.get(&left.name) else { return Ok(()) };
    let tag_goes = |tag: &Tag| match worst {
        true => outcome.tags.contains(tag) || outcome.open_tags.contains(tag),
        false => outcome.tags.contains(tag) && !outcome.open_tags.contains(tag),
    };
    let goes = |digest: &Digest| match worst {
        true => outcome.manifests.contains(digest) || outcome.open_manifests.contains(digest),
        false => outcome.manifests.contains(digest) && !outcome.open_manifests.contains(digest),
    };
    for manifest in &mut left.manifests {
        let had = !manifest.tags.is_empty();
        manifest.tags.retain(|tag| !tag_goes(&tag.name));
        if goes(&manifest.digest) {
            told(manifest.digest.clone(), true);
        } else if had && manifest.tags.is_empty() {
            told(manifest.digest.clone(), false);
        }
    }
    left.manifests.retain(|manifest| !goes(&manifest.digest));
    Ok(())
}

/// What is below what.
struct Tree<'r>(BTreeMap<&'r Digest, &'r AcrManifest>);

impl<'r> Tree<'r> {
    fn of(repository: &'r AcrRepository) -> Self {
        Self(repository.manifests.iter().map(|manifest| (&manifest.digest, manifest)).collect())
    }

    /// Every manifest below one, as far as it was listed.
    fn below(&self, digest: &Digest) -> BTreeSet<&'r Digest> {
        let children = |digest: &Digest| self.0.get(digest).into_iter().flat_map(|manifest| &manifest.children);
        let mut found = BTreeSet::new();
        let mut next: Vec<&Digest> = children(digest).collect();
        while let Some(part) = next.pop() {
            if found.insert(part) {
                next.extend(children(part));
            }
        }
        found
    }
}

/// The repository with these pinned: a locked tag each, its manifest locked, and every manifest below that.
fn with_pins(repository: &AcrRepository, pinned: &BTreeSet<&Digest>, now: Timestamp) -> AcrRepository {
    let tree = Tree::of(repository);
    let mut locked: BTreeSet<&Digest> = pinned.clone();
    locked.extend(pinned.iter().flat_map(|digest| tree.below(digest)));
    let mut then = repository.clone();
    for manifest in &mut then.manifests {
        if locked.contains(&manifest.digest) {
            manifest.locks.delete_enabled = Some(false);
        }
        if pinned.contains(&manifest.digest) {
            add_pin(manifest, now);
        }
    }
    then
}

fn add_pin(manifest: &mut AcrManifest, now: Timestamp) {
    let pin = Pin::for_digest(&manifest.digest);
    let is_it = |tag: &&mut AcrTag| Pin::read(&tag.name).as_ref() == Some(&pin);
    match manifest.tags.iter_mut().find(is_it) {
        Some(tag) => tag.locks = LOCKED_TAG,
        None => {
            if let Ok(name) = pin.to_string().parse() {
                manifest.tags.push(AcrTag { name, updated: now, locks: LOCKED_TAG });
            }
        }
    }
}

/// Every instant at which a tag or manifest comes of age, the present first.
fn instants(commands: &[AcrCommand], repository: &AcrRepository, now: Timestamp) -> Vec<Timestamp> {
    // An age that cannot be read ends the command.
    let empty = AcrRepository { name: repository.name.clone(), manifests: Vec::new() };
    let ages = commands.iter().filter_map(|command| purge(&command.purge, std::slice::from_ref(&empty), now).ok()?.ago);
    let ages: BTreeSet<SignedDuration> = ages.collect();
    let mut instants = BTreeSet::from([now]);
    for manifest in &repository.manifests {
        let times = manifest.tags.iter().map(|tag| tag.updated).chain(manifest.updated);
        for (time, age) in times.flat_map(|time| ages.iter().map(move |age| (time, *age))) {
            // What is older than the age goes, and not what is as old.
            let end = age.checked_add(SignedDuration::from_nanos(1)).and_then(|age| time.checked_add(age).ok());
            instants.extend(end.filter(|end| *end > now));
        }
    }
    instants.into_iter().collect()
}

/// Whether a command unlocks what is locked, and its filters match pins. The error says that this cannot be told.
pub(super) fn reaches_pins(command: &AcrCommand, repository: &AcrRepository) -> Result<bool, String> {
    let AcrPurge { include_locked, untagged_only, dry_run, filters, .. } = &command.purge;
    if !include_locked || *untagged_only || *dry_run {
        return Ok(false);
    }
    if let Some(ended) = ends(command, repository) {
        return Err(ended);
    }
    // An expression may match some of them and others not.
    let digests = repository.manifests.iter().map(|manifest| manifest.digest.clone()).chain([Digest::sha256(b"")]);
    let pins: Vec<Tag> = digests.filter_map(|digest| Pin::for_digest(&digest).to_string().parse().ok()).collect();
    match any_matches(filters, repository, &pins) {
        Ok(reaches) => Ok(reaches),
        Err(unclear) => Err(unclear.to_string()),
    }
}
