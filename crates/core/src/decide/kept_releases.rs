//! Which of the releases that a vault kept under one tag is meant: the one that production ran, and never simply the latest,
//! which may be what somebody pushed over it (I8, I27).

use std::collections::BTreeSet;

use jiff::Timestamp;

use crate::model::{ArtifactId, RepositoryState, Span, Tag};

/// Which one it is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Kept {
    /// This one.
    One(ArtifactId),
    /// It cannot be told, and whoever asks must name it by digest, or by its version.
    Unsure {
        /// Why.
        why: String,
        /// What there is, in the order given, each with what is on record of it.
        each: Vec<(ArtifactId, String)>,
    },
}

/// Decides by the ledger, where there is one. `kept` are distinct, and not empty.
#[must_use]
pub fn choose(tag: &Tag, kept: &[ArtifactId], state: Option<&RepositoryState>) -> Kept {
    let history = state.and_then(|state| state.tags.get(tag));
    let named: Vec<&ArtifactId> =
        history.map_or(Vec::new(), |history| history.sightings().iter().map(|sighting| &sighting.artifact).collect());
    let meant = meant(tag, &named, kept, state);
    let fits: Vec<&ArtifactId> = kept.iter().filter(|artifact| meant.contains(artifact)).collect();
    let why = match (fits.as_slice(), kept, meant.len()) {
        // Nothing on record, and nothing to choose from.
        ([], [only], 0) => return Kept::One(only.clone()),
        ([one], _, 1) => return Kept::One((*one).clone()),
        (.., 0) => format!(
            "the vault kept {} releases under {tag}, and the ledger does not say which one is meant",
            kept.len()
        ),
        ([], ..) => format!(
            "the release that the ledger knows as {tag} is {}, and the vault does not have that one",
            meant.iter().map(ToString::to_string).collect::<Vec<_>>().join(" or ")
        ),
        _ => format!("{tag} named several releases that the ledger knows"),
    };
    // What the tag named first comes first: the latest may be what somebody pushed over it.
    let place = |artifact: &ArtifactId| named.iter().position(|named| *named == artifact).unwrap_or(usize::MAX);
    let mut kept: Vec<&ArtifactId> = kept.iter().collect();
    kept.sort_by_key(|artifact| place(artifact));
    let each = kept.into_iter().map(|artifact| (artifact.clone(), on_record(tag, artifact, state))).collect();
    Kept::Unsure { why, each }
}

/// What the ledger knows to be the release of that name: what ran under it; where nothing is known to have run, what it named,
/// which is doubtful as soon as it named several.
fn meant(
    tag: &Tag,
    named: &[&ArtifactId],
    kept: &[ArtifactId],
    state: Option<&RepositoryState>,
) -> BTreeSet<ArtifactId> {
    let Some(state) = state else { return BTreeSet::new() };
    let named_too = named.iter().map(|artifact| (*artifact).clone());
    let all: BTreeSet<ArtifactId> = kept.iter().cloned().chain(named_too).collect();
    let claimed: BTreeSet<&ArtifactId> = state
        .claims
        .values()
        .filter_map(|claims| claims.get(tag))
        .chain(state.former.values().filter_map(|former| former.get(tag)).map(|(_, artifact)| artifact))
        .collect();
    let ran: BTreeSet<ArtifactId> =
        all.iter().filter(|artifact| claimed.contains(artifact) || ran(state, artifact)).cloned().collect();
    match ran.is_empty() {
        false => ran,
        true => named.iter().map(|artifact| (*artifact).clone()).collect(),
    }
}

fn ran(state: &RepositoryState, artifact: &ArtifactId) -> bool {
    state.deployments.get(artifact).is_some_and(|spans| spans.values().any(|span: &Span| !span.never_came_up()))
}

/// What is on record of one of them, for a person to choose by.
fn on_record(tag: &Tag, artifact: &ArtifactId, state: Option<&RepositoryState>) -> String {
    let Some(state) = state else { return "the ledger was not read".to_owned() };
    let day = |at: Timestamp| at.strftime("%Y-%m-%d %H:%MZ").to_string();
    let sightings = state.tags.get(tag).map_or(&[][..], |history| history.sightings());
    let at = sightings.iter().position(|sighting| sighting.artifact == *artifact);
    let named = match at {
        Some(0) => format!("the first that {tag} named, since {}", day(sightings[0].since().at)),
        Some(at) => format!("{tag} was moved to it on {}", day(sightings[at].since().at)),
        None => format!("never seen under {tag}"),
    };
    let ran = if ran(state, artifact) { "production ran it" } else { "never seen running" };
    let pinned = if state.pinned.contains_key(artifact) { "pinned" } else { "not pinned" };
    format!("{named}; {ran}; {pinned}")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{DeploymentState, Digest, Event, Mark};

    fn digest(name: &str) -> ArtifactId {
        Digest::sha256(name.as_bytes()).into()
    }

    fn state(events: &[Event]) -> RepositoryState {
        let mut state = RepositoryState::default();
        for (sequence, event) in (1..).zip(events) {
            state.apply(Mark { sequence, at: Timestamp::from_second(1_795_000_000).unwrap() }, event);
        }
        state
    }

    /// The rogue push is always the latest that the vault kept: it comes first.
    #[test]
    fn a_tag_stands_for_the_release_that_ran_and_never_for_the_latest_push_i27() {
        let tag: Tag = "v1".parse().unwrap();
        let id = digest;
        let seen = || Event::TagSeen { tag: tag.clone(), artifact: id("release"), created: None };
        let moved = || Event::TagMoved { tag: tag.clone(), from: id("release"), to: id("rogue") };
        let runs = |name: &str| Event::DeploymentStarted {
            artifact: id(name),
            via: "kubernetes".into(),
            tag: None,
            state: DeploymentState::Running,
        };
        let (both, one, rogue) =
            (vec![digest("rogue"), digest("release")], vec![digest("release")], vec![digest("rogue")]);
        for (what, kept, events, expected) in [
            ("one, as the ledger knows it", &one, vec![seen()], Some("release")),
            ("one that nobody recorded", &one, vec![], Some("release")),
            ("moved, and only the first ran", &both, vec![seen(), moved(), runs("release")], Some("release")),
            ("moved, and only the second ran", &both, vec![seen(), moved(), runs("rogue")], Some("rogue")),
            ("both ran", &both, vec![seen(), moved(), runs("release"), runs("rogue")], None),
            ("nothing says what ran", &both, vec![seen(), moved()], None),
            ("the vault has the push alone", &rogue, vec![seen(), moved()], None),
            ("the vault has the push alone, and the other ran", &rogue, vec![seen(), moved(), runs("release")], None),
            ("the ledger knows one of two", &both, vec![seen()], Some("release")),
            ("the ledger knows neither", &both, vec![], None),
        ] {
            let chosen = choose(&tag, kept, Some(&state(&events)));
            match (expected, chosen) {
                (Some(name), Kept::One(chosen)) => assert_eq!(chosen, digest(name), "{what}"),
                (None, Kept::Unsure { each, .. }) => assert_eq!(each.len(), kept.len(), "{what}"),
                (_, other) => panic!("{what}: {other:?}"),
            }
        }
        assert!(matches!(choose(&tag, &both, None), Kept::Unsure { .. }), "no ledger is no answer");
        assert_eq!(choose(&tag, &one, None), Kept::One(digest("release")));
    }
}
