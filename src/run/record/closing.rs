//! How the books of a run are closed: source records, the report's body, and the run's own record in one commit.

use std::collections::BTreeMap;
use std::io::Seek as _;
use std::sync::PoisonError;

use jiff::Timestamp;

use super::Recorder;
use crate::decide::{self, Closing, LedgerFacts, ProductionFacts, RunFacts};
use crate::model::{Answers, Cause, Cleanup, Counts, Entry, Event, RunRecord, Severity, SourceName};
use crate::outcome::report::{FindingCounts, LedgerSection, Row, RunSection, Summary};
use crate::report::body::Report;
use crate::run::RunError;
use crate::run::repository::Sightings;

impl Recorder {
    /// Closes the books: source records, the report's body, the run's record.
    pub(in crate::run) async fn finish(mut self, stopped: Option<(Cause, String)>) -> Result<Report, RunError> {
        let setup = self.setup.clone();
        let production = setup.production().await;
        // First what waits, so that the anchor was asked to take all but the last words.
        if setup.ledger.is_anchored() {
            self.commit().await?;
        }
        let now = Timestamp::now();
        self.witnesses();
        if let Some((cause, reason)) = stopped {
            self.end_early(cause, &reason);
        }
        let mut sources = std::mem::take(&mut self.sources);
        for (name, totals) in &mut sources {
            self.remember(name, totals.cleanup.as_ref());
            totals.tell_once();
        }
        let uses = setup.uses.lock().unwrap_or_else(PoisonError::into_inner).clone();
        let closing = decide::closing(RunFacts {
            started: setup.started,
            now,
            about_all: setup.scope.is_whole(),
            opened_all: self.opened_all,
            found: std::mem::take(&mut self.findings),
            production: ProductionFacts {
                gaps: &production.gaps,
                uncovered: &production.uncovered,
                elsewhere: &production.elsewhere,
                findings: &production.findings,
            },
            sources: sources.iter().map(|(name, totals)| totals.facts(name, setup.witnesses.withhold(name))).collect(),
            uses: &uses,
            ledger: LedgerFacts {
                location: setup.ledger.location().to_owned(),
                unanchored: setup.ledger.anchor_trouble(),
                lost_key: setup.ledger.lost_key(),
                distrusted: setup.ledger.distrusted().in_words(),
                strays: setup.ledger.strays(),
            },
            waivers: &setup.waivers,
            waivers_used: std::mem::take(&mut self.waivers_used),
            open: &setup.ledger.open_findings(),
        });
        let Closing { findings, happened, events, counts, complete } = closing;
        self.passing.note(&happened, |_| true);
        self.enter(None, now, Sightings::default(), events);
        self.waiting.push(Row { repository: None, findings });
        self.commit().await?;
        self.close(complete, counts).await
    }

    /// What was found where the ledger knows nothing. By now every look has ended, or the run did before it.
    fn witnesses(&mut self) {
        let setup = self.setup.clone();
        let is_unread = |source: &SourceName| {
            let has_read =
                self.sources.get(source).is_some_and(|totals| totals.counts.tags + totals.counts.artifacts > 0);
            !has_read && !setup.ledger.has_history(source)
        };
        let found = setup.witnesses.findings(setup.started, &is_unread);
        self.findings.extend(found);
        self.settings.retain(|entry| match &entry.event {
            Event::Settings { source, .. } => !setup.witnesses.withhold(source),
            _ => true,
        });
    }

    /// Which kind of registry a source is, kept for runs to which it shows no mark of it (F123).
    fn remember(&mut self, source: &SourceName, cleanup: Option<&Cleanup>) {
        if self.setup.witnesses.withhold(source) {
            return;
        }
        let before = self.setup.ledger.settings(source);
        let facts = cleanup.and_then(|cleanup| cleanup.to_remember(before.as_ref().map(|(_, facts)| facts)));
        let Some(facts) = facts else { return };
        let event = Event::Settings { source: source.clone(), facts: Box::new(facts) };
        // In place of what was to be recorded of it: of a registry there is nothing else.
        self.settings.retain(|entry| !matches!(&entry.event, Event::Settings { source: other, .. } if other == source));
        self.settings.push(self.entry(None, Timestamp::now(), event));
    }

    async fn close(self, complete: bool, counts: Counts) -> Result<Report, RunError> {
        let Self { setup, body, passing, settings, .. } = self;
        let body = body.finish()?;
        let mut canonical = tempfile::SpooledTempFile::new(4 << 20);
        body.write_canonical(&mut canonical)?;
        canonical.rewind()?;
        let report = setup.ledger.put_report(canonical).await?;
        let summary = Summary { counts, ..body.summary() };
        let finished = Timestamp::now();
        let record = RunRecord {
            id: setup.id.clone(),
            mode: setup.mode,
            started: setup.started,
            finished,
            complete,
            scope: setup.scope.clone(),
            policy: setup.policy.clone(),
            counts,
            findings: by_name(summary.findings),
            report,
            answers: Answers::ForItself,
        };
        // In one commit: whatever cuts this run off from here on, what it has to tell is reported or on record as undelivered.
        let last = passing.queued(&setup.alerts, &setup.ledger, &record.report);
        let last = last.into_iter().chain([Event::Run(Box::new(record))]);
        let last = last.map(|event| Entry { run: setup.id.clone(), at: finished, repository: None, event });
        let head = setup.ledger.commit(settings.into_iter().chain(last).collect()).await?;
        let checkpoint = setup.ledger.checkpoint(head.sequence).await?.map(|checkpoint| checkpoint.note);
        // Asked after the last commit. The record cannot say it any more; the next run finds out what became of it.
        let unanchored = setup.ledger.anchor_trouble();
        if let Some(trouble) = unanchored.as_ref().filter(|_| complete) {
            tracing::error!("the run is incomplete: {trouble}");
        }
        let run = RunSection {
            id: setup.id.clone(),
            mode: setup.mode,
            started: setup.started,
            finished,
            complete: complete && unanchored.is_none(),
            scope: setup.scope.clone(),
            policy_sha256: setup.policy.clone(),
            ledger: setup.keeps_ledger.then(|| LedgerSection {
                unanchored,
                ..LedgerSection::new(head.sequence, head.root_base64(), checkpoint)
            }),
        };
        Ok(Report { run, summary, body })
    }
}

fn by_name(findings: FindingCounts) -> BTreeMap<String, u64> {
    Severity::ALL.into_iter().map(|severity| (severity.to_string(), findings.with_severity(severity))).collect()
}
