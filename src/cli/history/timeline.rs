//! What happened, in order: when, from, to, who said so, and which run saw it.

use std::collections::{BTreeMap, BTreeSet};
use std::io::{self, Write};

use jiff::Timestamp;
use serde_json::{Value, json};

use super::row::ends;
use crate::decide::attribution::says;
use crate::model::{
    ArtifactId, DeploymentState, Drill, DrillOutcome, DrilledFrom, Entry, Event, FindingKey, Mark, PutBack, Rehearsal,
    RehearsalOutcome, RepositoryKey, RepositoryState, SourceRecord, Tag, TagStatus,
};
use crate::outcome::size::{seconds, size};
use crate::report::escape::terminal;

/// What is recorded about the reference in one repository: commits' numbers and entries, oldest first.
pub(super) struct Record {
    pub(super) key: RepositoryKey,
    pub(super) tag: Option<Tag>,
    pub(super) entries: Vec<(u64, Entry)>,
    /// The repository as it was last seen.
    pub(super) state: RepositoryState,
    /// The last look at its source.
    pub(super) seen: Option<(Mark, SourceRecord)>,
}

pub(super) fn tell(record: &Record, out: &mut dyn Write) -> io::Result<()> {
    writeln!(out, "{}", terminal(&record.key.to_string()))?;
    for (sequence, entry) in &record.entries {
        let (at, reported) = (shown(entry.at), terminal(&sentence(&entry.event)));
        writeln!(out, "  {at}  commit {sequence:<6} {reported}, seen by run {}", entry.run)?;
    }
    for line in record.now() {
        writeln!(out, "  now: {}", terminal(&line))?;
    }
    Ok(())
}

impl Record {
    /// Every artifact that the history names.
    fn named(&self) -> BTreeSet<&ArtifactId> {
        let both = self.entries.iter().flat_map(|(_, entry)| {
            let (from, to) = ends(&entry.event);
            [from, to].into_iter().flatten()
        });
        both.collect()
    }

    /// What the history names and production runs, with who says so. Known as of the last complete look.
    fn running(&self) -> BTreeMap<&ArtifactId, Vec<&str>> {
        let by = |artifact: &ArtifactId| {
            let spans = self.state.deployments.get(artifact).into_iter().flatten();
            spans.filter(|(_, span)| span.until.is_none()).map(|(via, _)| &**via).collect::<Vec<_>>()
        };
        let named = self.named().into_iter().map(|artifact| (artifact, by(artifact)));
        named.filter(|(_, via)| !via.is_empty()).collect()
    }

    /// How things stand, as of the last look.
    fn now(&self) -> Vec<String> {
        let mut lines = Vec::new();
        if let Some((tag, history)) = self.tag.as_ref().and_then(|tag| self.state.tags.get_key_value(tag)) {
            let at = history.sightings().last().map_or_else(String::new, |last| format!(" at {}", last.artifact));
            lines.push(match history.status() {
                TagStatus::Present => format!("{tag} is there,{at}"),
                TagStatus::Absent(_) => format!("{tag} was not found when last looked for, and was last seen{at}"),
                TagStatus::Deleted(_) => format!("{tag} is deleted, and was last seen{at}"),
            });
        }
        let running = self.running();
        for (artifact, via) in &running {
            lines.push(format!("{artifact} still runs in production, says {}", via.join(" and ")));
        }
        // Where no signal ever named anything, nobody knows.
        if running.is_empty() && !self.named().is_empty() && !self.state.deployments.is_empty() {
            lines.push("none of this runs in production, as far as the signals say".to_owned());
        }
        if let Some((mark, seen)) = self.seen.as_ref().filter(|_| !lines.is_empty()) {
            let whole = if seen.complete { "" } else { ", which was incomplete" };
            lines.push(format!("as of the look at {} on {}{whole}", self.key.source, shown(mark.at)));
        }
        lines
    }
}

/// Seconds are enough for people; `--json` has the rest.
pub(super) fn shown(at: Timestamp) -> String {
    at.strftime("%Y-%m-%dT%H:%M:%SZ").to_string()
}

fn about(key: &FindingKey) -> String {
    let thing = key.reference.as_ref().or(key.artifact.as_ref());
    thing.map_or_else(String::new, |thing| format!(" for {thing}"))
}

fn restored(artifact: &ArtifactId, pushed: &PutBack) -> String {
    let PutBack { tags, blobs, manifests, bytes, of, .. } = pushed;
    let sent = match of {
        None => format!("{blobs} blobs and {manifests} manifests pushed, {}", size(*bytes)),
        Some(of) => format!("the bytes of {of}, which is gone, {}", size(*bytes)),
    };
    let tags: Vec<&str> = tags.iter().map(Tag::as_str).collect();
    match tags.is_empty() {
        true => format!("{artifact} restored from the vault: {sent}"),
        false => format!("{artifact} restored from the vault as {}: {sent}", tags.join(", ")),
    }
}

fn drilled(artifact: &ArtifactId, from: DrilledFrom, drill: &Drill) -> String {
    let place = if from == DrilledFrom::Vault { " from the vault" } else { "" };
    let read = format!("{} in {}", size(drill.bytes), seconds(drill.milliseconds));
    match drill.outcome {
        DrillOutcome::Intact => format!("{artifact} drilled{place}: every byte read and intact, {read}"),
        DrillOutcome::Broken => format!("{artifact} drilled{place}: BROKEN"),
    }
}

fn rehearsed(artifact: &ArtifactId, rehearsal: &Rehearsal) -> String {
    let (workload, revision) = (&rehearsal.workload, &rehearsal.revision);
    let came_to = match rehearsal.outcome {
        RehearsalOutcome::Passed => "would start".to_owned(),
        RehearsalOutcome::Failed => {
            format!("WOULD NOT START: {}", rehearsal.reasons().collect::<Vec<_>>().join("; "))
        }
        RehearsalOutcome::Unknown => "not known whether it would start".to_owned(),
    };
    format!("{artifact} rehearsed at {workload} (revision {revision}): {came_to}")
}

fn sentence(event: &Event) -> String {
    match event {
        Event::TagSeen { tag, artifact, .. } => format!("{tag} first seen, at {artifact}"),
        Event::TagMoved { tag, from, to } => format!("{tag} moved from {from} to {to}"),
        Event::TagAbsent { tag } => format!("{tag} not found, once"),
        Event::TagReturned { tag, artifact } => format!("{tag} found again, at {artifact}"),
        Event::TagDeleted { tag } => format!("{tag} deleted: not found a second time"),
        Event::TagRecreated { tag, artifact } => format!("{tag} created again, at {artifact}"),
        Event::TagAttributed { tag, change, by, .. } => format!("{tag} was {}", says(*change, by)),
        Event::DeploymentStarted { artifact, via, state: DeploymentState::Running, .. } => {
            format!("{artifact} runs in production, says {via}")
        }
        Event::DeploymentStarted { artifact, via, state: DeploymentState::Wanted, .. } => {
            format!("{artifact} is wanted in production and does not run, says {via}")
        }
        Event::DeploymentEnded { artifact, via, state: DeploymentState::Running } => {
            format!("{artifact} runs no more, says {via}")
        }
        Event::DeploymentEnded { artifact, via, state: DeploymentState::Wanted } => {
            format!("{artifact} is wanted no more, says {via}")
        }
        Event::DeploymentRecalled { artifact, via, last: Some(last), .. } => {
            format!("{artifact} ran in production, last on {last}, says {via}")
        }
        Event::DeploymentRecalled { artifact, via, .. } => format!("{artifact} ran in production before, says {via}"),
        Event::Pinned { artifact } => format!("{artifact} pinned"),
        Event::PinMade { artifact } => format!("the pin of {artifact} was made by this ledger's run"),
        Event::PinLost { artifact } => format!("{artifact} lost its pin"),
        Event::PinUnmade { artifact } => format!("the pin of {artifact} that was made is not there"),
        Event::PinUnneeded { artifact } => format!("{artifact} is pinned, and not in the rollback set any more"),
        Event::PinNeeded { artifact } => format!("{artifact} is in the rollback set again"),
        Event::PinReleasing { artifact, .. } => format!("the pin of {artifact} is about to be released"),
        Event::PinReleaseEnded { artifact } => format!("the pin of {artifact} was not released and is in place"),
        Event::PinReleased { artifact } => format!("the pin of {artifact} was released"),
        Event::Attached { subject, by, artifact } => format!("{artifact} attached to {subject} by {by}"),
        Event::TargetMissing { artifact } => format!("{artifact} not found, though it is a rollback target"),
        Event::TargetFound { artifact } => format!("{artifact} found again"),
        Event::FindingOpened(key) => format!("{} found{}", key.code, about(key)),
        Event::FindingResolved(key) => format!("{} no longer found{}", key.code, about(key)),
        Event::Settings { .. } | Event::RepositorySettings { .. } => {
            "protection settings differ from before".to_owned()
        }
        Event::LifecycleClaimed { .. } => "a rule that claims pins put in front of the lifecycle policy".to_owned(),
        Event::AlertSent { alert, reported, .. } => format!("alert {alert} told {} findings", reported.len()),
        Event::AlertQueued { alert, findings, .. } => {
            format!("alert {alert} has {} undelivered findings", findings.len())
        }
        Event::ReportedAgain { until } => format!("what no run may have reported up to commit {until} is reported"),
        Event::Drilled { artifact, from, drill } => drilled(artifact, *from, drill),
        Event::Rehearsed { artifact, rehearsal } => rehearsed(artifact, rehearsal),
        Event::Restored { artifact, pushed } => restored(artifact, pushed),
        Event::Source(_) => "the source was looked at".to_owned(),
        Event::Run(_) => "the run ended".to_owned(),
    }
}

/// In each of a list, because the list itself is what it always was.
pub(super) fn say_doubt(value: &mut Value, doubt: Option<&str>) {
    if let (Some(object), Some(doubt)) = (value.as_object_mut(), doubt) {
        object.insert("ledger_doubt".to_owned(), json!(doubt));
    }
}

/// All entries as one list. `doubt` says why they may not be the whole of it.
pub(super) fn as_json(records: &[Record], doubt: Option<&str>, out: &mut dyn Write) -> io::Result<()> {
    let mut all = Vec::new();
    for record in records {
        let running = record.running();
        for (sequence, entry) in &record.entries {
            let mut value = serde_json::to_value(entry)?;
            let (from, to) = ends(&entry.event);
            if let Some(object) = value.as_object_mut() {
                object.shift_insert(0, "sequence".to_owned(), json!(sequence));
                // Of what it leads to; of what it leads from, where there is no other.
                if let Some(artifact) = to.or(from) {
                    object.insert("in_production".to_owned(), json!(running.contains_key(artifact)));
                }
            }
            say_doubt(&mut value, doubt);
            all.push(value);
        }
    }
    serde_json::to_writer_pretty(&mut *out, &all)?;
    writeln!(out)
}
