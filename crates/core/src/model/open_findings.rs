//! Findings that are open, and since when.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};

use super::{Event, Finding, FindingKey, Mark};

/// Findings that are open, and since when: what makes "first seen" true.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct OpenFindings(Vec<(FindingKey, Mark)>);

impl OpenFindings {
    /// Since when a finding is open.
    #[must_use]
    pub fn since(&self, key: &FindingKey) -> Option<Mark> {
        let at = self.0.binary_search_by(|(open, _)| open.cmp(key)).ok()?;
        Some(self.0[at].1)
    }

    /// Every open finding.
    pub fn keys(&self) -> impl Iterator<Item = &FindingKey> {
        self.0.iter().map(|(key, _)| key)
    }

    /// Folds one event in; events about something else pass by.
    pub fn apply(&mut self, mark: Mark, event: &Event) {
        match event {
            Event::FindingOpened(key) => {
                if let Err(at) = self.0.binary_search_by(|(open, _)| open.cmp(key)) {
                    self.0.insert(at, (key.clone(), mark));
                }
            }
            Event::FindingResolved(key) => self.0.retain(|(open, _)| open != key),
            _ => {}
        }
    }

    /// The events that lead from what is open to these findings. What a look could not settle stays open.
    #[must_use]
    pub fn changes(&self, findings: &[Finding], complete: bool) -> Vec<Event> {
        let now: BTreeSet<FindingKey> = findings.iter().map(FindingKey::from_finding).collect();
        let opened = now.iter().filter(|key| self.since(key).is_none()).cloned().map(Event::FindingOpened);
        let resolved = self.keys().filter(|key| complete && !now.contains(*key)).cloned().map(Event::FindingResolved);
        opened.chain(resolved).collect()
    }

    /// Dates findings that were open before from when they were opened.
    pub fn date(&self, findings: &mut [Finding]) {
        for finding in findings {
            if let Some(since) = self.since(&FindingKey::from_finding(finding)) {
                finding.first_seen = since.at;
                finding.ledger_sequence = Some(since.sequence);
            }
        }
    }
}
