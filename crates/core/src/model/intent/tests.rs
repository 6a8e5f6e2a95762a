use jiff::{SignedDuration, Timestamp};

use super::*;
use crate::model::{Digest, rebase};

fn artifact() -> ArtifactId {
    ArtifactId::Manifest(Digest::sha256(b"one"))
}

fn run(number: u64) -> RunId {
    RunId::new(Timestamp::UNIX_EPOCH, number)
}

/// A ledger of one repository: commits are numbered from 1.
#[derive(Default)]
struct Log {
    state: RepositoryState,
    commits: u64,
}

impl Log {
    /// What a run commits that recalled the log as of a commit; what of it counted.
    fn commit(&mut self, by: u64, as_of: u64, events: impl IntoIterator<Item = Event>) -> Vec<Event> {
        let (run, sequence) = (run(by), self.commits + 1);
        let speaker = Speaker { run: &run, as_of, sequence };
        let mut kept = Vec::new();
        for event in events {
            let counts = !is_overtaken(&event, &self.state, &speaker);
            if let Some(event) = counts.then(|| rebase(event, &self.state)).flatten() {
                self.state.apply(Mark { sequence, at: Timestamp::UNIX_EPOCH }, &event);
                kept.push(event);
            }
        }
        self.commits += u64::from(!kept.is_empty());
        kept
    }

    /// A pin that this ledger made, that nothing needs, and that the first run set out to remove.
    fn with_intent() -> Self {
        let mut log = Self::default();
        log.commit(0, 0, [pinned(), made(), Event::PinUnneeded { artifact: artifact() }]);
        assert_eq!(log.commit(1, 1, [releasing(1)]).len(), 1);
        log
    }
}

fn pinned() -> Event {
    Event::Pinned { artifact: artifact() }
}
fn made() -> Event {
    Event::PinMade { artifact: artifact() }
}
fn releasing(by: u64) -> Event {
    Event::PinReleasing { artifact: artifact(), by: Some(run(by)) }
}
fn needed() -> Event {
    Event::PinNeeded { artifact: artifact() }
}
fn ended() -> Event {
    Event::PinReleaseEnded { artifact: artifact() }
}
fn released() -> Event {
    Event::PinReleased { artifact: artifact() }
}
fn losses() -> [Event; 2] {
    [Event::PinLost { artifact: artifact() }, Event::PinUnmade { artifact: artifact() }]
}

#[test]
fn an_intent_has_one_owner_and_is_taken_over_only_by_who_knew_of_it_i14() {
    let mut log = Log::with_intent();
    assert_eq!(log.commit(2, 1, [releasing(2)]), [], "it recalled before that was on record");
    assert_eq!(log.commit(2, 2, [releasing(2)]), [releasing(2)]);
    assert!(log.state.releasing[&artifact()].is_of(&run(2)));
    assert_eq!(log.commit(3, 2, [releasing(3)]), [], "another one took it over meanwhile");
    assert_eq!(log.commit(1, 2, [released()]), [], "a late word of the first one");
    assert_eq!(log.commit(1, 2, [ended()]), []);
    assert_eq!(log.commit(2, 2, [released()]), [released()]);
}

#[test]
fn its_owner_says_what_came_of_it_until_somebody_needs_the_pin_and_then_whoever_looks_after_that_i15() {
    let mut log = Log::with_intent();
    assert_eq!(log.commit(2, 2, [ended(), pinned(), made()]), [], "a removal may be under way");
    assert_eq!(log.commit(2, 1, [released()]), [], "it recalled before that was on record");
    assert_eq!(log.commit(2, 2, [released()]), [released()], "it saw that it is gone");
    let mut log = Log::with_intent();
    log.commit(2, 2, [needed()]);
    assert_eq!(log.commit(1, 2, [released()]), [], "whoever needs it may have pinned it again by now");
    assert_eq!(log.commit(3, 2, [released(), pinned(), made(), ended()]), [], "that look is from before");
    assert_eq!(log.commit(2, 3, [released(), pinned(), made()]), [released(), pinned(), made()]);
    assert!(log.state.misses_pin(&artifact()));
    assert_eq!(log.commit(1, 2, [released()]), []);
}

#[test]
fn no_look_that_is_older_than_a_removal_makes_a_pin_of_it_again_i15() {
    let mut log = Log::with_intent();
    assert_eq!(log.commit(2, 2, [pinned()]), [], "the pin is there, and may be about to go");
    log.commit(1, 2, [released()]);
    assert_eq!(log.commit(2, 2, [pinned(), made()]), []);
    assert_eq!(log.commit(2, 3, [pinned(), made()]), [pinned(), made()]);
}

#[test]
fn a_pin_that_is_not_there_is_not_lost_while_nobody_knows_nor_by_a_look_from_before_it_came_back_i15() {
    let mut log = Log::with_intent();
    for event in losses() {
        assert_eq!(log.commit(2, 1, [event.clone()]), []);
        assert_eq!(log.commit(2, 2, [event]), []);
    }
    log.commit(2, 2, [needed()]);
    assert_eq!(log.commit(2, 3, losses()), [], "a removal took it, if anything did");
    // It was gone for a while, and nobody recorded that.
    log.commit(3, 3, [ended()]);
    assert_eq!(log.commit(2, 3, losses()), [], "that look is from before");
    assert_eq!(log.commit(2, 4, [losses()[0].clone()]), [losses()[0].clone()], "and this one is not");
}

#[test]
fn the_owner_gives_up_what_it_did_not_remove_and_what_is_needed_is_not_set_out_to_again_i14() {
    let mut log = Log::with_intent();
    assert_eq!(log.commit(1, 0, [ended()]), [ended()]);
    assert!(log.state.misses_pin(&artifact()) && log.state.unneeded.contains_key(&artifact()));
    assert_eq!(log.commit(2, 3, [releasing(2)]), [releasing(2)]);
    log.commit(3, 4, [needed()]);
    assert_eq!(log.commit(4, 5, [releasing(4)]), [], "it is needed");
}

#[test]
fn what_is_heard_late_is_not_missed_by_a_look_from_before_i15() {
    let mut log = Log::with_intent();
    let mut looked = log.state.clone();
    assert_eq!(looked.hear_of_pins(log.state.clone()), BTreeSet::new());
    log.commit(2, 2, [needed()]);
    log.commit(2, 3, [ended()]);
    assert!(log.state.misses_pin(&artifact()));
    assert_eq!(looked.hear_of_pins(log.state.clone()), BTreeSet::from([artifact()]));
    assert!(!looked.misses_pin(&artifact()), "it may have been away for a while");
}

#[test]
fn a_pin_that_somebody_took_is_remembered_until_one_is_read_back_or_a_release_removed_it_i15() {
    let mut log = Log::default();
    log.commit(0, 0, [pinned(), made()]);
    let looked = log.state.clone();
    assert!(looked.lost_pin(&artifact()).is_none() && looked.was_pinned(&artifact()));
    log.commit(1, 1, losses());
    assert_eq!(log.state.lost_pin(&artifact()).map(|mark| mark.sequence), Some(2));
    assert!(log.state.lacks_pin(&artifact()) && !log.state.misses_pin(&artifact()) && !log.state.is_empty());
    assert_eq!(log.commit(2, 2, losses()), [], "that is on record");
    let text = serde_json::to_string(&log.state).unwrap();
    assert_eq!(serde_json::from_str::<RepositoryState>(&text).unwrap(), log.state);

    let mark = Mark { sequence: 3, at: Timestamp::UNIX_EPOCH };
    for back in [pinned(), made(), released()] {
        let mut state = log.state.clone();
        state.apply(mark, &back);
        assert_eq!(state.lost_pin(&artifact()), None, "{back:?}");
    }
    let mut releasing_it = log.state.clone();
    releasing_it.apply(mark, &releasing(1));
    assert!(!releasing_it.lacks_pin(&artifact()), "a removal may have taken what somebody made there");

    // A look from before says nothing of it, whoever said it meanwhile.
    let mut heard = looked;
    assert_eq!(heard.hear_of_pins(log.state.clone()), BTreeSet::from([artifact()]));
    assert!(!heard.lacks_pin(&artifact()));
}

#[test]
fn an_intent_survives_being_written_down() {
    let mut log = Log::with_intent();
    log.commit(2, 2, [needed()]);
    let text = serde_json::to_string(&log.state).unwrap();
    assert_eq!(serde_json::from_str::<RepositoryState>(&text).unwrap(), log.state);
}

#[test]
fn a_removal_has_arrived_some_time_after_the_pin_was_said_to_be_needed_and_not_before_that_i15() {
    let minutes = |minutes: i64| Timestamp::UNIX_EPOCH + SignedDuration::from_mins(minutes);
    let mut log = Log::with_intent();
    assert!(!log.state.releasing[&artifact()].has_arrived(minutes(60)), "one may be sent at any time");
    log.commit(2, 2, [needed()]);
    let intent = &log.state.releasing[&artifact()];
    assert!(intent.has_arrived(minutes(13)) && !intent.has_arrived(minutes(11)) && !intent.has_arrived(minutes(-60)));
}
