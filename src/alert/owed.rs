//! What alerts owe: what happened rather than is the case, so that no later run will find it again.
//!
//! A run that closes records it as owed in the same commit ([`Passing`]); whoever tells next tells it with their own news
//! in one message ([`Claims`]), and that it was delivered settles it. So a host that does not answer, a signal, a cut-off
//! and a kill between the two lose nothing. What is the case and was not told needs no debt: the next run finds it
//! again, or it is over.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::sync::Arc;
use std::time::Instant;

use super::TOLD_PER_EVENT;
use super::choose::{Choice, SPELT_OUT};
use crate::decide;
use crate::ledger::{Debt, Ledger, Owing};
use crate::model::{Digest, Event, Finding, Severity};
use crate::outcome::identity::occurrence;
use crate::policy::{Alert, Policy};
use crate::report::body::{Body, Report};

/// Of so many findings of one run a debt has the names; the others are counted (I20).
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
    pub(crate) fn of(alerts: &[Alert]) -> Self {
        let threshold = alerts.iter().map(|alert| alert.severity).min();
        Self { threshold, named: Vec::new(), more: BTreeMap::new() }
    }

    /// Takes note of those of one repository that pass, the most severe by name. What is waived is nobody's news.
    pub(crate) fn note(&mut self, findings: &[Finding], passes: impl Fn(&str) -> bool) {
        let Some(threshold) = self.threshold else { return };
        let told = findings.iter().filter(|finding| finding.severity >= threshold && finding.waived.is_none());
        let mut passing: Vec<(String, Severity)> =
            told.map(|finding| (occurrence(finding), finding.severity)).filter(|(name, _)| passes(name)).collect();
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

    /// What each alert owes once the run is closed: what it neither told nor owes already.
    pub(crate) fn owed(&self, alerts: &[Alert], ledger: &Ledger, report: &Digest) -> Vec<Event> {
        let before = ledger.owed();
        let owed_by = |alert: &Alert| {
            let mut known = ledger.told(&alert.name);
            let debts = before.get(&*alert.name).into_iter().flat_map(|owing| &owing.debts);
            for (name, severity) in debts.flat_map(|debt| &debt.owed) {
                let worst = known.entry(name.clone()).or_insert(*severity);
                *worst = (*worst).max(*severity);
            }
            let news = |(name, severity): &&(String, Severity)| {
                *severity >= alert.severity && known.get(name).copied() < Some(*severity)
            };
            // What was looked at twice in this run says it twice.
            let mut seen = BTreeSet::new();
            let owed = self.named.iter().filter(news).filter(|(name, _)| seen.insert(name));
            let owed: Vec<_> = owed.cloned().collect();
            let more: BTreeMap<_, _> =
                self.more.iter().filter(|(severity, _)| **severity >= alert.severity).map(|(s, n)| (*s, *n)).collect();
            events(alert, report, &owed, more)
        };
        alerts.iter().flat_map(owed_by).collect()
    }
}

fn events(alert: &Alert, report: &Digest, owed: &[(String, Severity)], more: BTreeMap<Severity, u64>) -> Vec<Event> {
    let event = |owed: &[(String, Severity)], more| Event::AlertOwed {
        alert: alert.name.clone().into(),
        report: report.clone(),
        owed: owed.to_vec(),
        more,
    };
    let named = owed.chunks(TOLD_PER_EVENT).map(|owed| event(owed, BTreeMap::new()));
    let counted = (!more.is_empty()).then(|| event(&[], more.clone()));
    named.chain(counted).collect()
}

/// What is owed, and to be told by each alert.
pub(super) struct Claims {
    by_alert: BTreeMap<Arc<str>, Owing>,
    /// Alerts that the policy no longer has, and that others tell for.
    inherited: BTreeSet<Arc<str>>,
    /// The commit up to which this is what is owed.
    until: u64,
}

impl Claims {
    /// What an alert owes that is gone from the policy is told by those that never told anything: it was renamed. If
    /// there is none, it stays owed.
    pub(super) fn of(ledger: &Ledger, alerts: &[Alert]) -> Self {
        let until = ledger.head().map_or(0, |head| head.sequence);
        let is_there = |name: &Arc<str>| alerts.iter().any(|alert| *alert.name == **name);
        let (mut by_alert, gone): (BTreeMap<_, _>, BTreeMap<_, _>) =
            ledger.owed().into_iter().partition(|(name, _)| is_there(name));
        let mut inherited = BTreeSet::new();
        for heir in alerts.iter().filter(|alert| !ledger.has_told(&alert.name)) {
            for (name, owing) in &gone {
                by_alert.entry(Arc::from(&*heir.name)).or_default().take_over(owing.clone());
                inherited.insert(name.clone());
            }
        }
        Self { by_alert, inherited, until }
    }

    /// Up to which commit all is told that this alert owed; none if it owed nothing.
    pub(super) fn paid_by(&self, alert: &str) -> Option<u64> {
        self.by_alert.contains_key(alert).then_some(self.until)
    }

    /// The alerts that are gone from the policy, once others told what they owed.
    pub(super) fn inherited(&self) -> impl Iterator<Item = (&Arc<str>, u64)> {
        self.inherited.iter().map(|name| (name, self.until))
    }

    /// Adds what an alert owes from earlier runs to what it is to tell of this one.
    pub(super) async fn add_to(
        &self,
        choice: &mut Choice,
        alert: &Alert,
        policy: &Policy,
        report: &Report,
        ledger: &Ledger,
        by: Instant,
    ) {
        let Some(owing) = self.by_alert.get(&*alert.name) else { return };
        let known = ledger.told(&alert.name);
        let mut seen: BTreeSet<String> = choice.told.iter().map(|(name, _)| name.clone()).collect();
        // Reading back must leave time to deliver.
        let read_by = Instant::now() + by.saturating_duration_since(Instant::now()) / 3;
        let mut read = 0;
        // Latest first. This run's own debt is in the report at hand.
        for debt in owing.debts.iter().rev().filter(|debt| debt.run != report.run.id) {
            let mut due: BTreeMap<String, Severity> = debt.owed.iter().cloned().collect();
            due.retain(|name, severity| {
                *severity >= alert.severity && known.get(name).copied() < Some(*severity) && !seen.contains(name)
            });
            let more = counted(&debt.more, alert.severity);
            if due.is_empty() && more.is_empty() {
                continue;
            }
            seen.extend(due.keys().cloned());
            if read < REPORTS_READ && !due.is_empty() {
                read += 1;
                match tokio::time::timeout_at(read_by.into(), findings(ledger, debt, &due)).await {
                    Ok(Ok(mut found)) => {
                        decide::waive(&policy.waivers, &mut found, report.run.started);
                        for finding in found {
                            let name = occurrence(&finding);
                            let severity = due.remove(&name);
                            if let (Some(severity), None) = (severity, &finding.waived) {
                                choice.owe(name, severity);
                                choice.shown.push(finding);
                            }
                        }
                    }
                    Ok(Err(error)) => tracing::warn!(run = %debt.run, "an earlier report could not be read: {error}"),
                    Err(_) => tracing::warn!(run = %debt.run, "there was no time to read an earlier report"),
                }
            }
            due.into_iter().for_each(|(name, severity)| choice.owe(name, severity));
            choice.owe_nameless(&more);
            if choice.owed_by.len() < RUNS_NAMED {
                choice.owed_by.push(debt.run.clone());
            }
        }
        choice.owe_nameless(&counted(&owing.more, alert.severity));
        // What this run found stays in front of what is as severe.
        choice.shown.sort_by_key(|finding| std::cmp::Reverse(finding.severity));
        choice.shown.truncate(SPELT_OUT);
    }
}

impl Choice {
    fn owe(&mut self, name: String, severity: Severity) {
        self.counts.add(severity);
        self.owed += 1;
        self.told.push((name, severity));
    }

    fn owe_nameless(&mut self, counts: &BTreeMap<Severity, u64>) {
        for (severity, count) in counts {
            self.counts.add_many(*severity, *count);
            self.nameless += count;
            self.owed += count;
        }
    }
}

fn counted(more: &BTreeMap<Severity, u64>, threshold: Severity) -> BTreeMap<Severity, u64> {
    more.iter().filter(|(severity, _)| **severity >= threshold).map(|(severity, count)| (*severity, *count)).collect()
}

/// The findings of an earlier report that are due, but no more than any message spells out.
async fn findings(ledger: &Ledger, debt: &Debt, due: &BTreeMap<String, Severity>) -> io::Result<Vec<Finding>> {
    let body = ledger.report(&debt.report).await.map_err(io::Error::other)?;
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
