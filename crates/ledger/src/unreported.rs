//! What was recorded of repositories and stands in no report so far: a pure fold of the log.
//!
//! A run commits as it goes and reports when it closes, so what it recorded before it died was reported by nobody (I15).
//! Whether it died or is still under way does not show; what is certain is which runs closed. So each run tells again
//! what others recorded that did not close, says so ([`Event::ReportedAgain`]), and that counts once it has closed itself. Two
//! that overlap may tell the same: rather twice than never (I16), and dated by the entry, so that an alert tells it once.

use std::collections::BTreeMap;

use futures::TryStreamExt as _;
use serde::{Deserialize, Serialize};

use super::touch::Touch;
use super::{Ledger, LedgerError};
use prodpin_core::model::{Answers, Entry, Event, RepositoryKey, RepositoryName, RunId, SourceName};

/// How many runs that did not close are distinguished for one repository. Of more the oldest are taken together.
const STRETCHES_KEPT: usize = 8;

/// How many commits are read for one repository in one run; what lies beyond waits for the next one (I20).
const COMMITS_READ: usize = 1_024;

/// For each repository the commits of runs that are not on record as closed.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[serde(transparent)]
pub(super) struct UnreportedCommits(BTreeMap<SourceName, BTreeMap<RepositoryName, Vec<Stretch>>>);

/// Where in the log the entries of one run about one repository lie.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
struct Stretch {
    /// The run; none if it is several.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    run: Option<RunId>,
    first: u64,
    last: u64,
    /// What others recorded up to here is reported by this run's report, if there will be one.
    #[serde(rename = "retold")]
    #[serde(default, skip_serializing_if = "Option::is_none")]
    reported_again: Option<u64>,
}

impl UnreportedCommits {
    /// Folds one entry in.
    pub(super) fn apply(&mut self, sequence: u64, entry: &Entry) {
        match (&entry.repository, &entry.event) {
            // The drill and the restore report it by themselves, and nothing of it is news.
            (Some(_), Event::Drilled { .. } | Event::Rehearsed { .. } | Event::Restored { .. }) => {}
            (Some(key), event) => {
                let names = self.0.entry(key.source.clone()).or_default();
                add(names.entry(key.name.clone()).or_default(), sequence, &entry.run, event);
            }
            (None, Event::Run(record)) => match record.answers {
                Answers::ForEverything => self.0.clear(),
                Answers::ForItself => self.close(&record.id),
            },
            (None, _) => {}
        }
    }

    fn close(&mut self, run: &RunId) {
        self.0.retain(|_, names| {
            names.retain(|_, stretches| {
                settle(stretches, run);
                !stretches.is_empty()
            });
            !names.is_empty()
        });
    }

    fn stretches(&self, key: &RepositoryKey, until: u64) -> Vec<Stretch> {
        let stretches = self.0.get(&key.source).and_then(|names| names.get(&key.name));
        stretches.into_iter().flatten().filter(|stretch| stretch.first <= until).cloned().collect()
    }
}

fn add(stretches: &mut Vec<Stretch>, sequence: u64, run: &RunId, event: &Event) {
    let at = match stretches.iter().position(|stretch| stretch.run.as_ref() == Some(run)) {
        Some(at) => at,
        None => {
            if stretches.len() == STRETCHES_KEPT {
                let oldest = stretches.remove(0);
                let next = &mut stretches[0];
                // Whether one of the two closes yet does not show any more: then it is reported again.
                *next = Stretch {
                    run: None,
                    first: oldest.first.min(next.first),
                    last: oldest.last.max(next.last),
                    reported_again: None,
                };
            }
            stretches.push(Stretch { run: Some(run.clone()), first: sequence, last: sequence, reported_again: None });
            stretches.len() - 1
        }
    };
    let stretch = &mut stretches[at];
    stretch.last = sequence;
    if let Event::ReportedAgain { until } = event {
        stretch.reported_again = Some(*until);
    }
}

/// This run closed: its report tells what it recorded, and what it retold.
fn settle(stretches: &mut Vec<Stretch>, run: &RunId) {
    let Some(at) = stretches.iter().position(|stretch| stretch.run.as_ref() == Some(run)) else { return };
    let Some(until) = stretches.remove(at).reported_again else { return };
    stretches.retain(|stretch| stretch.last > until);
    stretches.iter_mut().for_each(|stretch| stretch.first = stretch.first.max(until + 1));
}

/// What a run is to tell beside what it sees itself.
#[derive(Debug, Default)]
pub struct UnreportedEvents {
    /// What happened, in order.
    pub events: Vec<Event>,
    /// Telling it settles what was recorded up to this commit; none if nothing waits to be reported.
    pub until: Option<u64>,
}

impl Ledger {
    /// What was recorded about a repository before it was recalled here, by runs that are not known to have reported it:
    /// they died before they could, or are still under way.
    pub async fn unreported(&self, key: &RepositoryKey) -> Result<UnreportedEvents, LedgerError> {
        // What was committed since is not in the state that was recalled: this run sees it for itself.
        let recalled = self.recalled().get(key).copied();
        let stretches = {
            let log = self.log();
            log.unreported(key, recalled.unwrap_or(log.index.sequence))
        };
        let Some((stretches, mut until)) = stretches else { return Ok(UnreportedEvents::default()) };
        let mut touches = self.touched_in(key, &stretches, until).await?;
        if touches.len() > COMMITS_READ {
            touches.truncate(COMMITS_READ);
            until = touches.last().map_or(until, |touch| touch.0);
        }
        let mut batches = self.batches(touches);
        let mut events = Vec::new();
        while let Some((touch, batch)) = batches.try_next().await? {
            let unreported = batch.entries.into_iter().filter(|entry| {
                let about =
                    entry.repository.as_ref() == Some(key) && !matches!(entry.event, Event::ReportedAgain { .. });
                about && stretches.iter().any(|stretch| self.may_be_unreported(stretch, touch.0, &entry.run))
            });
            events.extend(unreported.map(|entry| entry.event));
        }
        Ok(UnreportedEvents { events, until: Some(until) })
    }

    fn may_be_unreported(&self, stretch: &Stretch, sequence: u64, run: &RunId) -> bool {
        let within = (stretch.first..=stretch.last).contains(&sequence);
        within && stretch.run.as_ref().map_or_else(|| !self.log().index.has_closed(run), |of| of == run)
    }

    /// The commits in these stretches that touched the repository, as its view lists them, or the links from there back.
    async fn touched_in(
        &self,
        key: &RepositoryKey,
        stretches: &[Stretch],
        until: u64,
    ) -> Result<Vec<Touch>, LedgerError> {
        let view = self.view_at_head(key).await?;
        let mut touches: Vec<Touch> = view.touches().cloned().collect();
        let first = stretches.iter().map(|stretch| stretch.first).min().unwrap_or(u64::MAX);
        if let Some(oldest) = touches.first().filter(|_| first <= view.body.complete_after) {
            let before = self.before(key, oldest).await?;
            let mut older = Vec::new();
            let mut commits = self.linked(before.unlinked);
            while let Some((tip, batch)) = commits.try_next().await? {
                if tip.sequence >= first && batch.entries.iter().any(|entry| entry.repository.as_ref() == Some(key)) {
                    older.push(Touch(tip.sequence, tip.checkpoint.batch));
                }
            }
            drop(commits);
            touches = older.into_iter().chain(before.linked).chain(touches).collect();
        }
        touches.retain(|touch| {
            let within = |stretch: &Stretch| (stretch.first..=stretch.last).contains(&touch.0);
            touch.0 <= until && stretches.iter().any(within)
        });
        Ok(touches)
    }
}

impl super::Log {
    fn unreported(&self, key: &RepositoryKey, until: u64) -> Option<(Vec<Stretch>, u64)> {
        let stretches = self.index.unreported.stretches(key, until);
        (!stretches.is_empty()).then_some((stretches, until))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use prodpin_core::model::{Counts, Digest, Mode, RunRecord, RunScope};

    fn key(name: &str) -> RepositoryKey {
        RepositoryKey { source: "shop".parse().unwrap(), name: name.parse().unwrap() }
    }

    fn run(number: u64) -> RunId {
        RunId::new(jiff::Timestamp::UNIX_EPOCH, number)
    }

    /// A log of so many commits: each tells of one entry of a run.
    #[derive(Default)]
    struct Story(UnreportedCommits, u64);

    impl Story {
        fn tells(&mut self, number: u64, repository: Option<&str>, event: Event) -> u64 {
            self.1 += 1;
            let entry =
                Entry { run: run(number), at: jiff::Timestamp::UNIX_EPOCH, repository: repository.map(key), event };
            self.0.apply(self.1, &entry);
            self.1
        }

        fn moves(&mut self, number: u64, repository: &str) -> u64 {
            self.tells(number, Some(repository), Event::TagAbsent { tag: "latest".parse().unwrap() })
        }

        fn retells(&mut self, number: u64, repository: &str, until: u64) {
            self.tells(number, Some(repository), Event::ReportedAgain { until });
        }

        fn closes(&mut self, number: u64, answers: Answers) {
            let record = RunRecord {
                id: run(number),
                mode: Mode::Audit,
                started: jiff::Timestamp::UNIX_EPOCH,
                finished: jiff::Timestamp::UNIX_EPOCH,
                complete: true,
                scope: RunScope::default(),
                policy: Digest::sha256(b""),
                counts: Counts::default(),
                findings: BTreeMap::new(),
                report: Digest::sha256(b""),
                answers,
            };
            self.tells(number, None, Event::Run(Box::new(record)));
        }

        fn unreported(&self, repository: &str) -> Vec<(u64, u64)> {
            self.0.stretches(&key(repository), u64::MAX).iter().map(|stretch| (stretch.first, stretch.last)).collect()
        }
    }

    #[test]
    fn only_the_run_itself_or_one_that_retold_it_settles_what_a_run_recorded_i16() {
        let mut story = Story::default();
        let moved = story.moves(1, "api");
        story.moves(2, "web");
        story.closes(2, Answers::ForItself);
        assert_eq!(story.unreported("api"), [(moved, moved)], "another run about something else says nothing of it");
        assert_eq!(story.unreported("web"), []);
        story.retells(3, "api", moved);
        assert_eq!(story.unreported("api").len(), 2, "not before it closes, and it may die as well");
        let late = story.moves(1, "api");
        story.closes(3, Answers::ForItself);
        assert_eq!(
            story.unreported("api"),
            [(moved + 1, late)],
            "the run was still under way: what came later is untold"
        );
        story.closes(1, Answers::ForItself);
        assert!(story.0.0.is_empty(), "nothing is kept of what was told");
    }

    #[test]
    fn of_many_runs_that_died_the_first_is_not_lost_i16() {
        let mut story = Story::default();
        let first = story.moves(1, "api");
        for number in 2..=50 {
            story.moves(number, "api");
        }
        let unreported = story.unreported("api");
        assert_eq!(unreported.len(), STRETCHES_KEPT);
        assert_eq!(unreported[0], (first, 43));
        assert_eq!(unreported[7], (50, 50));
        story.retells(51, "api", 50);
        story.closes(51, Answers::ForItself);
        assert_eq!(story.unreported("api"), []);
    }

    #[test]
    fn records_of_programs_before_settle_what_they_took_to_be_settled() {
        let mut story = Story::default();
        story.moves(1, "api");
        story.closes(2, Answers::ForEverything);
        assert_eq!(story.unreported("api"), []);
    }
}
