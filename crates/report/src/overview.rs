//! A report cut down to what fits on a page, for people: problems first, floods grouped, severity kept (F96).
//! One pass over the rows, and what it keeps has a bound that does not depend on their number (I20).

use std::cmp::Reverse;
use std::collections::BTreeMap;
use std::io;

use super::body::Report;
use super::phrase::Phrase;
use super::pin_totals::PinTotals;
use super::survival::BySource;
use super::words;
use prodpin_core::model::{Code, Finding, Gap, RepositoryName, Scope, Severity, SourceName};
use prodpin_core::outcome::report::{RepositoryReport, Row};
use prodpin_core::outcome::status::ServiceStatus;

/// How many services of a status are listed one by one.
fn listed(status: ServiceStatus) -> usize {
    match status {
        ServiceStatus::NotReady | ServiceStatus::InDanger => 25,
        ServiceStatus::Unknown | ServiceStatus::NotProtected | ServiceStatus::NoEarlierRelease => 10,
        ServiceStatus::Protected | ServiceStatus::Ready => 20,
    }
}

/// One service on the page.
pub(super) struct Service {
    pub(super) status: ServiceStatus,
    /// Without its gaps, which may be as many as its tags.
    pub(super) report: RepositoryReport,
    /// Why it cannot be rolled back, or why that is not known.
    pub(super) trouble: Option<Phrase>,
    /// What was found, by severity and code.
    found: Vec<(Severity, Code, u64)>,
    /// What to do about the worst of it.
    pub(super) remedy: Option<String>,
}

impl Service {
    /// Whether something that was found about it needs a person.
    pub(super) fn needs_a_person(&self) -> bool {
        self.found.iter().any(|(severity, ..)| needs_a_person(*severity))
    }

    /// What was found about it, in short: nothing is an empty phrase.
    pub(super) fn found(&self) -> Phrase {
        let found = self.found.iter().map(|(severity, code, count)| {
            let times = if *count == 1 { Phrase::default() } else { Phrase::said(" ×").number(*count) };
            Phrase::said(words::severity(*severity)).say(" ").say(code.as_str()).then(times)
        });
        Phrase::joined(found, ", ")
    }
}

fn needs_a_person(severity: Severity) -> bool {
    severity > Severity::Info
}

/// The services of one status: the first few, and how many there are.
#[derive(Default)]
pub(super) struct Services {
    pub(super) total: u64,
    /// How many of them need a person, for what was found about them.
    pub(super) marked: u64,
    pub(super) shown: BTreeMap<(Reverse<Option<Severity>>, SourceName, RepositoryName), Service>,
}

/// Findings of one severity and code.
pub(super) struct Group {
    pub(super) severity: Severity,
    pub(super) code: Code,
    pub(super) findings: u64,
    /// How many services, sources or policy entries they are about.
    pub(super) subjects: u64,
    pub(super) shown: Vec<Cluster>,
}

/// Findings of one severity and code about one subject.
pub(super) struct Cluster {
    pub(super) subject: (Option<SourceName>, Option<RepositoryName>),
    pub(super) findings: u64,
    pub(super) examples: Vec<Finding>,
}

/// What could not be read. Of each repository or source one thing comes first, the one that hides most; only then others
/// of the same, so that one with many gaps hides no other.
#[derive(Default)]
pub(super) struct Unread {
    pub(super) total: u64,
    shown: BTreeMap<(bool, Hidden, u64), Phrase>,
}

/// What may be hidden behind something that could not be read, most first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Hidden {
    /// Repositories, or what runs.
    Repositories,
    Tags,
    /// What one tag or artifact is.
    Detail,
}

impl Hidden {
    fn behind(gap: &Gap) -> Self {
        match gap.scope {
            Scope::Source | Scope::Signal(_) => Self::Repositories,
            Scope::Repository => Self::Tags,
            _ => Self::Detail,
        }
    }
}

/// The page.
#[derive(Default)]
pub(super) struct Overview {
    pub(super) names: Names,
    pub(super) services: BTreeMap<ServiceStatus, Services>,
    pub(super) groups: BTreeMap<(Reverse<Severity>, Code), Group>,
    pub(super) unread: Unread,
    pub(super) pins: PinTotals,
    /// Findings that the policy waives, by code.
    pub(super) waived: BTreeMap<Code, u64>,
    /// What the targets of each source survive.
    pub(super) survival: BySource,
}

/// Examples of one flood.
const EXAMPLES: usize = 3;
/// Targets of one service.
pub(super) const TARGETS: usize = 8;
/// Things that could not be read.
const UNREAD: usize = 5;

/// Subjects listed for one severity and code. A critical finding is rarely one of a flood, and worth its line.
fn subjects_listed(severity: Severity) -> usize {
    match severity {
        Severity::Critical => 10,
        Severity::High => 5,
        Severity::Medium | Severity::Low | Severity::Info => 3,
    }
}

impl Overview {
    pub(super) fn from_report(report: &Report) -> io::Result<Self> {
        let mut overview = Self { names: Names::of_report(report), ..Self::default() };
        for row in report.body.rows() {
            overview.add(row?);
        }
        Ok(overview)
    }

    pub(super) fn total(&self, status: ServiceStatus) -> u64 {
        self.services.get(&status).map_or(0, |services| services.total)
    }

    /// What the policy waives: nothing is an empty phrase.
    pub(super) fn waived(&self) -> Phrase {
        let counts = self.waived.iter().map(|(code, count)| {
            let times = if *count == 1 { Phrase::default() } else { Phrase::said(" ×").number(*count) };
            Phrase::said(code.as_str()).then(times)
        });
        Phrase::joined(counts, ", ")
    }

    pub(super) fn service_count(&self) -> u64 {
        ServiceStatus::ALL.into_iter().map(|status| self.total(status)).sum()
    }

    fn add(&mut self, mut row: Row) {
        // Stable, so what is about one source keeps its order. In a repository's own row this changes nothing.
        row.findings.sort_by(|a, b| {
            let subject = |finding: &Finding| (Reverse(finding.severity), finding.code, finding.source.clone());
            subject(a).cmp(&subject(b))
        });
        self.add_findings(&row.findings);
        match row.repository {
            Some(report) => self.add_service(report, &row.findings),
            None => {
                let unread = row.findings.iter().filter(|finding| finding.code == Code::InventoryIncomplete);
                let mut before = None;
                unread.for_each(|finding| {
                    let again = before.replace(&finding.source) == Some(&finding.source);
                    let what = || self.names.about(finding).say(": ").then(Phrase::sentence(&finding.message));
                    self.unread.add(again, Hidden::Repositories, what);
                });
            }
        }
    }

    fn add_findings(&mut self, findings: &[Finding]) {
        let like = |a: &Finding, b: &Finding| {
            (a.severity, a.code, &a.source, &a.repository) == (b.severity, b.code, &b.source, &b.repository)
        };
        let (waived, findings): (Vec<_>, Vec<_>) = findings.iter().partition(|finding| finding.waived.is_some());
        for finding in waived {
            *self.waived.entry(finding.code).or_default() += 1;
        }
        for alike in findings.chunk_by(|a, b| like(a, b)) {
            let first = alike[0];
            let group = self.groups.entry((Reverse(first.severity), first.code)).or_insert_with(|| Group {
                severity: first.severity,
                code: first.code,
                findings: 0,
                subjects: 0,
                shown: Vec::new(),
            });
            group.findings += alike.len() as u64;
            group.subjects += 1;
            if group.shown.len() < subjects_listed(first.severity) {
                group.shown.push(Cluster {
                    subject: (first.source.clone(), first.repository.clone()),
                    findings: alike.len() as u64,
                    examples: alike.iter().take(EXAMPLES).map(|finding| (*finding).clone()).collect(),
                });
            }
        }
    }

    fn add_service(&mut self, mut report: RepositoryReport, findings: &[Finding]) {
        let mut gaps: Vec<&Gap> = report.gaps.iter().collect();
        gaps.sort_by_key(|gap| Hidden::behind(gap));
        for (at, gap) in gaps.into_iter().enumerate() {
            let what = || self.names.service(&report).say(": ").then(words::gap(gap));
            self.unread.add(at > 0, Hidden::behind(gap), what);
        }
        report.targets.iter().for_each(|target| self.pins.add(target));
        self.survival.add(&report);
        let status = ServiceStatus::from_report(&report, findings);
        let services = self.services.entry(status).or_default();
        services.total += 1;
        let counting = || findings.iter().filter(|finding| finding.waived.is_none());
        let worst = counting().map(|finding| finding.severity).max();
        services.marked += u64::from(worst.is_some_and(needs_a_person));
        let key = (Reverse(worst), report.source.clone(), report.name.clone());
        // The clean ones are many, and a service that will not be shown is not worth a copy.
        let full = services.shown.len() >= listed(status);
        if full && services.shown.last_key_value().is_some_and(|(last, _)| *last < key) {
            return;
        }
        let trouble = words::trouble(&report);
        let mut found = BTreeMap::<_, u64>::new();
        for finding in counting() {
            *found.entry((Reverse(finding.severity), finding.code)).or_default() += 1;
        }
        let found = found.into_iter().map(|((severity, code), count)| (severity.0, code, count)).collect();
        let remedy = counting().next().map(|finding| finding.remedy.clone());
        report.gaps = Vec::new();
        services.shown.insert(key, Service { status, report, trouble, found, remedy });
        if services.shown.len() > listed(status) {
            services.shown.pop_last();
        }
    }
}

impl Unread {
    fn add(&mut self, again: bool, hidden: Hidden, what: impl FnOnce() -> Phrase) {
        let key = (again, hidden, self.total);
        self.total += 1;
        if self.shown.len() < UNREAD || self.shown.last_key_value().is_some_and(|(last, _)| *last > key) {
            self.shown.insert(key, what());
        }
        if self.shown.len() > UNREAD {
            self.shown.pop_last();
        }
    }

    /// What is told of it, the worst first.
    pub(super) fn reported(&self) -> impl Iterator<Item = &Phrase> {
        self.shown.values()
    }

    /// How much more there is.
    pub(super) fn more(&self) -> u64 {
        self.total - self.shown.len() as u64
    }
}

/// How services are called: by name, and by source too where there are several.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Names {
    with_source: bool,
}

impl Names {
    /// By name and source, however many sources there are.
    pub(super) const WITH_SOURCE: Self = Self { with_source: true };

    pub(super) fn of_report(report: &Report) -> Self {
        Self { with_source: !report.body.has_one_source() }
    }

    pub(super) fn service(self, report: &RepositoryReport) -> Phrase {
        self.subject(Some(&report.source), Some(&report.name))
    }

    pub(super) fn subject(self, source: Option<&SourceName>, repository: Option<&RepositoryName>) -> Phrase {
        let source_name = |source: &SourceName| Phrase::name(source.as_str());
        match (source, repository) {
            (Some(source), Some(name)) if self.with_source => {
                Phrase::name(name.as_str()).say(" in ").then(source_name(source))
            }
            (_, Some(name)) => Phrase::name(name.as_str()),
            (Some(source), None) => Phrase::said("source ").then(source_name(source)),
            (None, None) => Phrase::said("policy"),
        }
    }

    fn about(self, finding: &Finding) -> Phrase {
        self.subject(finding.source.as_ref(), finding.repository.as_ref())
    }
}

#[cfg(test)]
mod tests;
