//! The outbox of alerts: what happened rather than is the case, so that no later run will find it again.
//!
//! A run that closes records it as undelivered in the same commit ([`Passing`]); whoever tells next tells it with their own news
//! in one message ([`Backlog`]), and that it was delivered empties the outbox. So a host that does not answer, a signal, a cut-off
//! and a kill between the two lose nothing. What is the case and was not told needs no outbox: the next run finds it
//! again, or it is over.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::sync::Arc;
use std::time::Instant;

use super::FINDINGS_PER_EVENT;
use super::choose::{Choice, SPELT_OUT};
use crate::decide;
use crate::ledger::{Ledger, Outbox, UndeliveredRun};
use crate::model::{Digest, Event, Finding, Severity};
use crate::outcome::identity::occurrence;
use crate::policy::{Alert, Policy};
use crate::report::body::{Body, Report};

/// Of so many findings of one run the outbox has the names; the others are counted (I20).
const NAMED: usize = 10_000;

/// Of these, so many at the most are of one repository: a flood in one leaves room for all others (F109).
const NAMED_EACH: usize = 1_000;

/// So many earlier reports are read for one message; of others the findings are counted.
const REPORTS_READ: usize = 16;

/// So many earlier runs a message names.
const RUNS_NAMED: usize = 20;

/// What a run found that no later one will find, as far as any alert is to tell it.
pub(crate) struct Passing {
    /// The lowest severity that any alert tells; none where there are no alerts.
    threshold: Option<Severity>,
    named: Vec<(String, Severity)>,
    more: BTreeMap<Severity, u64>,
}

impl Passing {
    pub(crate) fn new(alerts: &[Alert]) -> Self {
        let threshold = alerts.iter().map(|alert| alert.severity).min();
        Self { threshold, named: Vec::new(), more: BTreeMap::new() }
    }

    /// Takes note of those of one repository that pass, the most severe by name. What is waived is nobody's news.
    pub(crate) fn note(&mut self, findings: &[Finding], passes: impl Fn(&str) -> bool) {
        let Some(threshold) = self.threshold else { return };
        let reported = findings.iter().filter(|finding| finding.severity >= threshold && finding.waived.is_none());
        let mut passing: Vec<(String, Severity)> =
            reported.map(|finding| (occurrence(finding), finding.severity)).filter(|(name, _)| passes(name)).collect();
        passing.sort_by_key(|(_, severity)| Reverse(*severity));
        for (number, (name, severity)) in passing.into_iter().enumerate() {
            if number >= NAMED_EACH {
                self.count(severity);
            } else if self.named.len() < NAMED {
                self.named.push((name, severity));
            } else {
                // What is worse has a name, whoever came first.
                let least = self.named.iter_mut().rev().min_by_key(|(_, known)| *known);
                match least.filter(|(_, known)| *known < severity) {
                    Some(least) => {
                        let (_, less) = std::mem::replace(least, (name, severity));
                        self.count(less);
                    }
                    None => self.count(severity),
                }
            }
        }
    }

    fn count(&mut self, severity: Severity) {
        *self.more.entry(severity).or_default() += 1;
    }

    /// What enters the outbox of each alert once the run is closed: what it neither told nor has there already.
    pub(crate) fn queued(&self, alerts: &[Alert], ledger: &Ledger, report: &Digest) -> Vec<Event> {
        let before = ledger.outboxes();
        let queued_by = |alert: &Alert| {
            let mut known = ledger.reported(&alert.name);
            let undelivered = before.get(&*alert.name).into_iter().flat_map(|outbox| &outbox.undelivered);
            for (name, severity) in undelivered.flat_map(|undelivered| &undelivered.findings) {
                let worst = known.entry(name.clone()).or_insert(*severity);
                *worst = (*worst).max(*severity);
            }
            let news = |(name, severity): &&(String, Severity)| {
                *severity >= alert.severity && known.get(name).copied() < Some(*severity)
            };
            // What was looked at twice in this run says it twice.
            let mut seen = BTreeSet::new();
            let findings = self.named.iter().filter(news).filter(|(name, _)| seen.insert(name));
            let findings: Vec<_> = findings.cloned().collect();
            let more: BTreeMap<_, _> =
                self.more.iter().filter(|(severity, _)| **severity >= alert.severity).map(|(s, n)| (*s, *n)).collect();
            events(alert, report, &findings, more)
        };
        alerts.iter().flat_map(queued_by).collect()
    }
}

fn events(
    alert: &Alert,
    report: &Digest,
    findings: &[(String, Severity)],
    more: BTreeMap<Severity, u64>,
) -> Vec<Event> {
    let event = |findings: &[(String, Severity)], more| Event::AlertQueued {
        alert: alert.name.clone().into(),
        report: report.clone(),
        findings: findings.to_vec(),
        more,
    };
    let named = findings.chunks(FINDINGS_PER_EVENT).map(|findings| event(findings, BTreeMap::new()));
    let counted = (!more.is_empty()).then(|| event(&[], more.clone()));
    named.chain(counted).collect()
}

/// What is undelivered, and to be reported by each alert.
pub(super) struct Backlog {
    by_alert: BTreeMap<Arc<str>, Outbox>,
    /// Alerts that the policy no longer has, and that others tell for.
    inherited: BTreeSet<Arc<str>>,
    /// The commit up to which this is undelivered.
    until: u64,
}

impl Backlog {
    /// The outbox of an alert that is gone from the policy is reported by those that never told anything: it was renamed. If
    /// there is none, it stays undelivered.
    pub(super) fn load(ledger: &Ledger, alerts: &[Alert]) -> Self {
        let until = ledger.head().map_or(0, |head| head.sequence);
        let is_there = |name: &Arc<str>| alerts.iter().any(|alert| *alert.name == **name);
        let (mut by_alert, gone): (BTreeMap<_, _>, BTreeMap<_, _>) =
            ledger.outboxes().into_iter().partition(|(name, _)| is_there(name));
        let mut inherited = BTreeSet::new();
        for heir in alerts.iter().filter(|alert| !ledger.has_reported(&alert.name)) {
            for (name, outbox) in &gone {
                by_alert.entry(Arc::from(&*heir.name)).or_default().take_over(outbox.clone());
                inherited.insert(name.clone());
            }
        }
        Self { by_alert, inherited, until }
    }

    /// Up to which commit everything of this alert is delivered; none if its outbox was empty.
    pub(super) fn delivered_until(&self, alert: &str) -> Option<u64> {
        self.by_alert.contains_key(alert).then_some(self.until)
    }

    /// The alerts that are gone from the policy, once others told what was in their outboxes.
    pub(super) fn inherited(&self) -> impl Iterator<Item = (&Arc<str>, u64)> {
        self.inherited.iter().map(|name| (name, self.until))
    }

    /// Adds what is undelivered from earlier runs to what it is to tell of this one.
    pub(super) async fn add_to(
        &self,
        choice: &mut Choice,
        alert: &Alert,
        policy: &Policy,
        report: &Report,
        ledger: &Ledger,
        by: Instant,
    ) {
        let Some(outbox) = self.by_alert.get(&*alert.name) else { return };
        let known = ledger.reported(&alert.name);
        let mut seen: BTreeSet<String> = choice.reported.iter().map(|(name, _)| name.clone()).collect();
        // Reading back must leave time to deliver.
        let read_by = Instant::now() + by.saturating_duration_since(Instant::now()) / 3;
        let mut read = 0;
        // Latest first. What this run itself found is in the report at hand.
        for undelivered in outbox.undelivered.iter().rev().filter(|undelivered| undelivered.run != report.run.id) {
            let mut due: BTreeMap<String, Severity> = undelivered.findings.iter().cloned().collect();
            due.retain(|name, severity| {
                *severity >= alert.severity && known.get(name).copied() < Some(*severity) && !seen.contains(name)
            });
            let more = counted(&undelivered.more, alert.severity);
            if due.is_empty() && more.is_empty() {
                continue;
            }
            seen.extend(due.keys().cloned());
            if read < REPORTS_READ && !due.is_empty() {
                read += 1;
                match tokio::time::timeout_at(read_by.into(), findings(ledger, undelivered, &due)).await {
                    Ok(Ok(mut found)) => {
                        decide::waive(&policy.waivers, &mut found, report.run.started);
                        for finding in found {
                            let name = occurrence(&finding);
                            let severity = due.remove(&name);
                            if let (Some(severity), None) = (severity, &finding.waived) {
                                choice.add_earlier(name, severity);
                                choice.shown.push(finding);
                            }
                        }
                    }
                    Ok(Err(error)) => {
                        tracing::warn!(run = %undelivered.run, "an earlier report could not be read: {error}")
                    }
                    Err(_) => tracing::warn!(run = %undelivered.run, "there was no time to read an earlier report"),
                }
            }
            due.into_iter().for_each(|(name, severity)| choice.add_earlier(name, severity));
            choice.add_earlier_nameless(&more);
            if choice.earlier_runs.len() < RUNS_NAMED {
                choice.earlier_runs.push(undelivered.run.clone());
            }
        }
        choice.add_earlier_nameless(&counted(&outbox.more, alert.severity));
        // What this run found stays in front of what is as severe.
        choice.shown.sort_by_key(|finding| std::cmp::Reverse(finding.severity));
        choice.shown.truncate(SPELT_OUT);
    }
}

impl Choice {
    fn add_earlier(&mut self, name: String, severity: Severity) {
        self.counts.add(severity);
        self.earlier += 1;
        self.reported.push((name, severity));
    }

    fn add_earlier_nameless(&mut self, counts: &BTreeMap<Severity, u64>) {
        for (severity, count) in counts {
            self.counts.add_many(*severity, *count);
            self.nameless += count;
            self.earlier += count;
        }
    }
}

fn counted(more: &BTreeMap<Severity, u64>, threshold: Severity) -> BTreeMap<Severity, u64> {
    more.iter().filter(|(severity, _)| **severity >= threshold).map(|(severity, count)| (*severity, *count)).collect()
}

/// The findings of an earlier report that are due, but no more than any message spells out.
async fn findings(
    ledger: &Ledger,
    undelivered: &UndeliveredRun,
    due: &BTreeMap<String, Severity>,
) -> io::Result<Vec<Finding>> {
    let body = ledger.report(&undelivered.report).await.map_err(io::Error::other)?;
    let body = Body::read_canonical(body)?;
    let severities: BTreeSet<Severity> = due.values().copied().collect();
    let mut found = Vec::new();
    for severity in severities.into_iter().rev() {
        for finding in body.findings(severity) {
            let finding = finding?;
            if due.contains_key(&occurrence(&finding)) {
                found.push(finding);
            }
            if found.len() == SPELT_OUT {
                return Ok(found);
            }
        }
    }
    Ok(found)
}
