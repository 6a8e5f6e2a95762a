//! How a run ends: from what it knows of itself to its own findings, what is put on record beside them, and whether it saw
//! everything. The order matters: what only a run about everything may say comes before waivers, what is said of waivers
//! after them, and what is open on record is compared with what is left.

use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;

use crate::model::{
    Cause, Cleanup, Code, Counts, Digest, Event, Finding, Gap, OpenFindings, Scope, Severity, SourceName, SourceRecord,
    Waiver,
};

use super::findings::NOT_EVERYTHING;
use super::rules::Uses;
use super::{expired, gap_finding, idle, idle_rules, uncovered, unmatched, unreadable, waive, without_tags};

/// What a run knows of itself once everything else is done.
#[derive(Debug, Clone)]
pub struct RunFacts<'a> {
    /// When the run began: waivers hold or not for all of it.
    pub started: Timestamp,
    /// Now.
    pub now: Timestamp,
    /// Whether it was about everything in the policy.
    pub about_all: bool,
    /// Whether every source that it was about was opened.
    pub opened_all: bool,
    /// What was found before: about settings, schedules, histories.
    pub found: Vec<Finding>,
    /// What signals say.
    pub production: ProductionFacts<'a>,
    /// Every source, in the order of their names.
    pub sources: Vec<SourceFacts<'a>>,
    /// Which entries of the policy matched nothing.
    pub uses: &'a Uses,
    /// What is to be said of the ledger.
    pub ledger: LedgerFacts,
    /// The policy's waivers.
    pub waivers: &'a [Waiver],
    /// Those that covered something in a repository, by their place.
    pub waivers_used: BTreeSet<usize>,
    /// What is open on record and about no repository.
    pub open: &'a OpenFindings,
}

/// What signals say of no repository.
#[derive(Debug, Clone)]
pub struct ProductionFacts<'a> {
    /// What could not be read.
    pub gaps: &'a [Gap],
    /// References into no source of the policy, which a file names one by one.
    pub uncovered: &'a [String],
    /// What workloads name that no source of the policy holds, by registry or bucket.
    pub elsewhere: &'a BTreeMap<String, BTreeSet<String>>,
    /// What they say of workloads, whatever those run.
    pub findings: &'a [Finding],
}

/// What came of one source.
#[derive(Debug, Clone)]
pub struct SourceFacts<'a> {
    /// The source.
    pub name: &'a SourceName,
    /// How much was seen.
    pub counts: Counts,
    /// A hash over that.
    pub seen: Digest,
    /// What could not be read of the source itself.
    pub gaps: &'a [Gap],
    /// Whether something could not be read in a repository of it.
    pub incomplete: bool,
    /// Patterns of the policy that matched no repository.
    pub unmatched: &'a [String],
    /// What is known of its cleanup.
    pub cleanup: Option<&'a Cleanup>,
    /// Whether it is a bucket.
    pub is_bucket: bool,
    /// Whether nothing of it is recorded, because its history is missing.
    pub withheld: bool,
}

/// What is to be said of the ledger; none of it on a good day.
#[derive(Debug, Clone, Default)]
pub struct LedgerFacts {
    /// Where it is.
    pub location: String,
    /// Why its anchor could not be asked or written.
    pub unanchored: Option<String>,
    /// That its key was given up for lost.
    pub lost_key: Option<String>,
    /// Derived files that were not what the signed commits say.
    pub distrusted: Option<String>,
    /// Files among its commits that are none.
    pub strays: Option<String>,
}

/// How a run ends.
#[derive(Debug, Clone, PartialEq)]
pub struct Closing {
    /// What to tell beside what was told of repositories.
    pub findings: Vec<Finding>,
    /// Those of them that tell what happened: no later run will find them.
    pub happened: Vec<Finding>,
    /// What to record.
    pub events: Vec<Event>,
    /// What all sources together hold.
    pub counts: Counts,
    /// Whether everything was seen.
    pub complete: bool,
}

/// Decides it.
#[must_use]
pub fn closing(facts: RunFacts<'_>) -> Closing {
    let RunFacts { started, now, about_all, opened_all, found, production, sources, uses, ledger, .. } = facts;
    let mut findings = found;
    findings.extend(production.gaps.iter().map(|gap| gap_finding(None, gap, now)));
    let mut complete = production.gaps.is_empty();
    let mut counts = Counts::default();
    let mut events = Vec::new();
    for source in sources {
        let whole = !source.incomplete && source.gaps.is_empty();
        complete &= whole;
        counts += source.counts;
        // One cause is told once.
        let told = source.findings(about_all && whole, now).into_iter().filter(|found| !is_told(found, &findings));
        let told: Vec<Finding> = told.collect();
        findings.extend(told);
        events.push(Event::Source(source.record(whole)));
    }
    let settled = about_all && complete;
    if settled {
        findings.extend(unmatched(None, uses.entries(), Severity::Low, now));
        if counts.repositories > 0 {
            findings.extend(idle_rules(uses, counts.repositories, counts.targets, now));
        }
    }
    // A source that was not opened may cover what no other does.
    if about_all && opened_all {
        findings.extend(unmatched(None, production.uncovered.iter().map(String::as_str), Severity::High, now));
        findings.extend(uncovered(production.elsewhere, now));
    }
    findings.extend(production.findings.iter().cloned());
    let anchored = ledger.unanchored.is_none();
    findings.extend(ledger.findings(now));
    let mut used = facts.waivers_used;
    used.extend(waive(facts.waivers, &mut findings, started));
    // What is said of waivers, no waiver covers.
    findings.extend(expired(facts.waivers, started));
    if settled {
        let used: Vec<usize> = used.into_iter().collect();
        let idle = idle(facts.waivers, &used, started);
        findings.extend(unmatched(None, idle.iter().map(String::as_str), Severity::Low, now));
    }
    // What happened is on record as itself, and is neither opened nor resolved.
    let happened: Vec<Finding> = findings.extract_if(.., |finding| finding.code.is_event()).collect();
    facts.open.date(&mut findings);
    events.extend(facts.open.changes(&findings, settled));
    findings.extend(happened.iter().cloned());
    // An anchor that is out of reach hides nothing of what was looked at, and so settles it all the same.
    Closing { findings, happened, events, counts, complete: complete && anchored }
}

/// Whether a graver finding about the same source says why nothing of it was read, and so this one, too.
fn is_told(found: &Finding, before: &[Finding]) -> bool {
    let detail = found.message.strip_prefix(NOT_EVERYTHING).unwrap_or(&found.message);
    found.code == Code::InventoryIncomplete
        && before.iter().any(|other| {
            other.code == found.code
                && other.source == found.source
                && other.severity > found.severity
                && other.message.contains(detail)
        })
}

impl SourceFacts<'_> {
    /// `settled`: everything of it was seen, by a run about everything.
    fn findings(&self, settled: bool, now: Timestamp) -> Vec<Finding> {
        let mut findings: Vec<Finding> = self.gaps.iter().map(|gap| gap_finding(Some(self.name), gap, now)).collect();
        findings.extend(self.cleanup.and_then(|cleanup| unreadable(self.name, cleanup, now)));
        if settled {
            // With nothing to look at, nothing is protected, and all may look well.
            let severity = if self.counts.repositories == 0 { Severity::High } else { Severity::Medium };
            findings.extend(unmatched(Some(self.name), self.unmatched.iter().map(String::as_str), severity, now));
            if self.counts.repositories > 0 && self.counts.tags == 0 {
                findings.push(without_tags(self.name, self.counts.repositories, self.is_bucket, now));
            }
        }
        findings
    }

    fn record(&self, whole: bool) -> SourceRecord {
        let complete = whole && !self.withheld;
        SourceRecord { source: self.name.clone(), complete, counts: self.counts, seen: self.seen.clone() }
    }
}

impl LedgerFacts {
    fn findings(self, now: Timestamp) -> Vec<Finding> {
        let Self { location, unanchored, lost_key, distrusted, strays } = self;
        let unanchored =
            unanchored.map(|trouble| gap_finding(None, &Gap::new(Scope::Source, Cause::Unreachable, trouble), now));
        let lost_key = lost_key.map(|message| {
            let remedy = "make sure that it was you who gave it up: whoever could write to the ledger may have done so; \
                          add a waiver that names who answers for it";
            Finding::new(Code::LedgerKeyReplaced, Severity::Medium, message, remedy, now)
        });
        let distrusted = distrusted.map(|message| {
            let remedy = "find out who can write to the ledger's view/ and tile/ folders and did; nothing in this report \
                          rests on what was there; check the rest with: prodpin verify";
            Finding::new(Code::LedgerStateDamaged, Severity::High, message, remedy, now)
        });
        let strays = strays.map(|message| {
            let message = format!("ledger {location}: {message}; not commits of this ledger, ignored");
            let remedy =
                "find out who else can write there, and remove that permission; check the rest with: prodpin verify";
            Finding::new(Code::LedgerForeignFiles, Severity::Medium, message, remedy, now)
        });
        [unanchored, lost_key, distrusted, strays].into_iter().flatten().collect()
    }
}

#[cfg(test)]
mod tests;
