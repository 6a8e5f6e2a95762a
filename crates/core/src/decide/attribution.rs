//! Who moved or deleted a release tag: what is asked of an audit trail, which of its entries answers, and in what words that is
//! passed on (J36, L64–L68).

use std::collections::BTreeMap;

use jiff::{SignedDuration, Timestamp};

use crate::model::{
    ArtifactId, Attribution, Confidence, Event, RepositoryState, Snapshot, Tag, TagChange, TagHistory, TagStatus,
    TrailAct, TrailAnswer, TrailEntry, UnnamedChange,
};

use super::labels::Labels;
use super::rules::{Rules, is_watched, looks_like_release};

/// What trails answered to changes without naming anybody.
pub type Unnamed = BTreeMap<(Tag, TagChange), TrailAnswer>;

/// A trail is asked again by each run for this long after a change was seen. Entries come minutes late; what is not there after
/// days was never written (L64).
pub const ASKED_FOR: SignedDuration = SignedDuration::from_hours(72);

/// So many changes of one repository are asked about in one run, the latest first (L66).
const MOST_ASKED: usize = 20;

/// Clocks of registries and of this machine differ by no more than this, or entries are not found.
const SKEW: SignedDuration = SignedDuration::from_mins(5);

/// A principal or client is a name and no letter; whoever sends a longer one is cut short.
const MOST_CHARS: usize = 256;

/// The changes of release tags that nobody is named for, and that a trail may still tell of, the latest first.
#[must_use]
pub fn unnamed_changes(
    state: &RepositoryState,
    rules: &Rules,
    snapshot: &Snapshot,
    labels: &Labels<'_>,
    now: Timestamp,
) -> Vec<UnnamedChange> {
    // What follows an upstream was moved by nobody here (A46, J31).
    if snapshot.retention.cached_from().is_some() {
        return Vec::new();
    }
    // One more name would make another one forgotten, which would then be asked about again.
    if state.remembers_no_more_names(now.checked_sub(ASKED_FOR).unwrap_or(Timestamp::MIN)) {
        return Vec::new();
    }
    let asks = |tag: &Tag| is_asked(tag, labels.label(tag), state, rules);
    let changed = state.tags.iter().filter(|(_, history)| is_changed(history));
    let mut open: Vec<UnnamedChange> = changed
        .flat_map(|(tag, history)| [moved(tag, history), deleted(tag, history)])
        .flatten()
        .filter(|change| now.duration_since(change.until).abs() < ASKED_FOR)
        .filter(|change| state.attribution(&change.tag, change.change).is_none())
        .filter(|change| asks(&change.tag))
        .collect();
    open.sort_by(|a, b| b.until.cmp(&a.until).then_with(|| a.tag.cmp(&b.tag)));
    open.truncate(MOST_ASKED);
    open
}

/// Nearly no tag of a million is.
fn is_changed(history: &TagHistory) -> bool {
    history.sightings().len() > 1 || matches!(history.status(), TagStatus::Deleted(_))
}

/// Releases, and what production was named by; never what may move.
fn is_asked(tag: &Tag, label: &str, state: &RepositoryState, rules: &Rules) -> bool {
    let is_claimed = || state.claims.values().any(|claims| claims.contains_key(tag));
    is_watched(tag)
        && !rules.may_move(tag, label)
        && (rules.is_release(label) || looks_like_release(label) || is_claimed())
}

fn moved(tag: &Tag, history: &TagHistory) -> Option<UnnamedChange> {
    let [.., before, latest] = history.sightings() else { return None };
    Some(UnnamedChange {
        tag: tag.clone(),
        change: TagChange::Moved,
        digest: latest.artifact.digest()?.clone(),
        after: before.since().at,
        until: latest.since().at,
    })
}

fn deleted(tag: &Tag, history: &TagHistory) -> Option<UnnamedChange> {
    let TagStatus::Deleted(since) = history.status() else { return None };
    let latest = history.latest()?;
    Some(UnnamedChange {
        tag: tag.clone(),
        change: TagChange::Deleted,
        digest: latest.artifact.digest()?.clone(),
        after: latest.since().at,
        until: since.at,
    })
}

/// What the entries of a trail about a change come to: the latest of those that fit best. That a tag was put on something names
/// somebody only where no other entry fits: it may be about any push of that time. `source` is the trail's name.
#[must_use]
pub fn attribute(change: &UnnamedChange, entries: &[TrailEntry], source: &str) -> Option<Attribution> {
    let window = earliest(change)..=latest(change);
    let within = entries.iter().filter(|entry| window.contains(&entry.at));
    let fitting: Vec<_> = within.filter_map(|entry| Some((fit(change, &entry.act)?, entry))).collect();
    let named = fitting.iter().filter(|(_, entry)| !entry.principal.trim().is_empty());
    let (confidence, entry) = *named.max_by_key(|(confidence, entry)| (*confidence, entry.at))?;
    let is_guess = confidence == Confidence::Likely && change.change == TagChange::Moved;
    // A trail may hand out one entry twice.
    if is_guess && fitting.iter().any(|(_, other)| *other != entry) {
        return None;
    }
    Some(Attribution {
        principal: cut(&entry.principal),
        via: cut(&entry.via),
        at: entry.at,
        source: source.into(),
        confidence,
        shared: entry.shared,
    })
}

/// An entry about a change is not from before this.
#[must_use]
pub fn earliest(change: &UnnamedChange) -> Timestamp {
    change.after.checked_sub(SKEW).unwrap_or(Timestamp::MIN)
}

/// And not from after this.
#[must_use]
pub fn latest(change: &UnnamedChange) -> Timestamp {
    change.until.checked_add(SKEW).unwrap_or(Timestamp::MAX)
}

fn fit(change: &UnnamedChange, act: &TrailAct) -> Option<Confidence> {
    match (change.change, act) {
        (TagChange::Moved, TrailAct::Put { tag, digest }) if *tag == change.tag => match digest {
            Some(digest) => (*digest == change.digest).then_some(Confidence::Exact),
            None => Some(Confidence::Likely),
        },
        (TagChange::Deleted, TrailAct::DeletedTag(tag)) => (*tag == change.tag).then_some(Confidence::Exact),
        (TagChange::Deleted, TrailAct::DeletedArtifact(digest)) => {
            (*digest == change.digest).then_some(Confidence::Likely)
        }
        (TagChange::Deleted, TrailAct::DeletedRepository) => Some(Confidence::Likely),
        (TagChange::Moved | TagChange::Deleted, _) => None,
    }
}

fn cut(text: &str) -> Box<str> {
    text.trim().chars().take(MOST_CHARS).collect::<String>().into()
}

/// What is recorded of a change that a trail names somebody for.
#[must_use]
pub fn attributed(change: &UnnamedChange, by: Attribution) -> Event {
    let to = (change.change == TagChange::Moved).then(|| ArtifactId::from(change.digest.clone()));
    Event::TagAttributed { tag: change.tag.clone(), change: change.change, to, by: Box::new(by) }
}

/// `moved by robot$shop+ci via push at …, says Harbor's audit log`.
#[must_use]
pub fn says(change: TagChange, by: &Attribution) -> String {
    let Attribution { principal, via, at, source, confidence, shared } = by;
    let shared = if *shared { " (credentials that several may share)" } else { "" };
    let unsure = match (confidence, change) {
        (Confidence::Exact, _) => "",
        (Confidence::Likely, TagChange::Moved) => ", which names the tag and not the bytes",
        (Confidence::Likely, TagChange::Deleted) => ", which names what the tag named and not the tag",
    };
    format!("{} by {principal}{shared} via {via} at {}, says {source}{unsure}", change.as_str(), second(*at))
}

/// The same of a change that nobody is named for. No entry is never read as "nobody" (J36).
pub(super) fn says_not(change: TagChange, answer: &TrailAnswer) -> String {
    let change = change.as_str();
    match answer {
        TrailAnswer::Named(by) => format!("named {}", by.principal),
        TrailAnswer::NotYet { source } => format!("{source} has no entry yet of who {change} it"),
        TrailAnswer::NotRecorded { why } => format!("who {change} it is not recorded: {why}"),
        TrailAnswer::Unread(gap) => format!("who {change} it is unknown: {}", gap.detail),
    }
}

fn second(at: Timestamp) -> String {
    at.strftime("%Y-%m-%dT%H:%M:%SZ").to_string()
}

#[cfg(test)]
mod tests;
