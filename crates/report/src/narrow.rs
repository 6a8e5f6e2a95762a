//! A part of a report: some repositories, some findings.

use std::io;

use super::body::{BodyWriter, Report};
use prodpin_core::model::{Code, Finding, RepositoryKey, Severity};
use prodpin_core::outcome::report::Row;

/// Which part.
#[derive(Debug, Clone, Default)]
pub struct Part {
    /// Findings of this severity or above; all of them without.
    pub severity: Option<Severity>,
    /// Findings with these codes; all of them if empty.
    pub codes: Vec<Code>,
    /// The repositories, as they were asked for; all of them if empty. Which they are, says whoever asks.
    pub repositories: Vec<String>,
}

impl Part {
    /// Whether it is all of the report.
    #[must_use]
    pub fn is_all(&self) -> bool {
        self.severity.is_none() && self.codes.is_empty() && self.repositories.is_empty()
    }

    fn has(&self, finding: &Finding) -> bool {
        self.severity.is_none_or(|least| finding.severity >= least)
            && (self.codes.is_empty() || self.codes.contains(&finding.code))
    }

    /// In words, for the head of what is shown.
    fn in_words(&self) -> String {
        let severity = self.severity.map(|least| format!("findings of severity {least} or above"));
        let codes: Vec<&str> = self.codes.iter().map(|code| code.as_str()).collect();
        let codes = (!codes.is_empty()).then(|| format!("findings {}", codes.join(", ")));
        let repositories = (!self.repositories.is_empty()).then(|| format!("in {}", self.repositories.join(", ")));
        severity.into_iter().chain(codes).chain(repositories).collect::<Vec<_>>().join(", ")
    }
}

impl Report {
    /// That part of it: these repositories, with those of their findings. What the run said of each service stays, whichever of its
    /// findings are shown. It counts what is in it, and says at its head that it is a part.
    pub fn part(self, part: &Part, wants: impl Fn(&RepositoryKey) -> bool) -> io::Result<Self> {
        if part.is_all() {
            return Ok(self);
        }
        let mut writer = BodyWriter::new()?;
        for row in self.body.rows() {
            let Row { repository, mut findings } = row?;
            let is_wanted = match &repository {
                None => part.repositories.is_empty(),
                Some(report) => wants(&RepositoryKey { source: report.source.clone(), name: report.name.clone() }),
            };
            findings.retain(|finding| part.has(finding));
            if is_wanted {
                writer.push_judged(Row { repository, findings })?;
            }
        }
        let body = writer.finish()?;
        let mut run = self.run;
        run.scope.shown = Some(part.in_words());
        Ok(Self { run, summary: body.summary(), body })
    }
}
