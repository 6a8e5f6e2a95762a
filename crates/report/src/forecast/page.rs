//! The forecast cut down to what fits on a page: what is lost first, first. Bounded, whatever the estate's size (I20).

use std::cmp::Reverse;
use std::collections::BTreeMap;
use std::io;

use super::rows::ForecastReport;
use prodpin_core::model::{RepositoryName, Severity, SourceName};
use prodpin_core::outcome::forecast::{Preview, RepositoryForecast, RulesFound, TargetOutlook};

/// How a repository's targets fare, worst first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum RulesStatus {
    /// A rule reaches some of them, or will.
    Reached,
    /// It is not known.
    Unknown,
    /// No rule reaches them, and something about the rules is doubtful.
    Doubtful,
    /// There are none.
    Nothing,
    /// No rule reaches them.
    Spared,
    /// There are no rules to judge; something else may clean up.
    NoneReadable,
}

impl RulesStatus {
    pub(super) const ALL: [Self; 6] =
        [Self::Reached, Self::Unknown, Self::Doubtful, Self::Nothing, Self::Spared, Self::NoneReadable];

    /// Unknown is never counted as spared.
    fn from_report(row: &RepositoryForecast) -> Self {
        let differs = matches!(&row.preview, Some(Preview::Compared { differences, .. }) if !differences.is_empty());
        if row.targets.iter().any(|target| target.severity.is_some()) {
            Self::Reached
        } else if row.targets.is_empty()
            && row.complete
            && row.advice.is_empty()
            && !differs
            && !matches!(row.rules, RulesFound::Unknown { .. })
        {
            // Where there is nothing to take, nothing is spared.
            Self::Nothing
        } else if row.rules == RulesFound::NoneReadable {
            Self::NoneReadable
        } else if !row.complete || matches!(row.rules, RulesFound::Unknown { .. }) {
            Self::Unknown
        } else if !row.advice.is_empty() || differs {
            Self::Doubtful
        } else {
            Self::Spared
        }
    }

    /// How many of them are shown.
    fn shown(self) -> usize {
        match self {
            Self::Reached => 25,
            Self::Unknown | Self::Doubtful | Self::Nothing | Self::Spared => 10,
            Self::NoneReadable => 5,
        }
    }
}

/// The repositories of one status: the first few, and how many there are.
#[derive(Default)]
pub(super) struct Rows {
    pub(super) total: u64,
    pub(super) shown: BTreeMap<(Reverse<Option<Severity>>, SourceName, RepositoryName), RepositoryForecast>,
}

/// The page.
#[derive(Default)]
pub(super) struct Page {
    pub(super) with_source: bool,
    pub(super) rows: BTreeMap<RulesStatus, Rows>,
    /// How many targets have each outlook at the date that was asked about.
    pub(super) outlooks: BTreeMap<TargetOutlook, u64>,
}

impl Page {
    pub(super) fn from_report(report: &ForecastReport) -> io::Result<Self> {
        let mut page = Self { with_source: !report.has_one_source(), ..Self::default() };
        for row in report.rows() {
            page.add(row?);
        }
        Ok(page)
    }

    fn add(&mut self, row: RepositoryForecast) {
        for outlook in row.targets.iter().filter_map(|target| target.outlook) {
            *self.outlooks.entry(outlook).or_default() += 1;
        }
        let status = RulesStatus::from_report(&row);
        let rows = self.rows.entry(status).or_default();
        rows.total += 1;
        let worst = row.targets.iter().filter_map(|target| target.severity).max();
        rows.shown.insert((Reverse(worst), row.source.clone(), row.name.clone()), row);
        if rows.shown.len() > status.shown() {
            rows.shown.pop_last();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row(rules: RulesFound, complete: bool) -> RepositoryForecast {
        RepositoryForecast {
            source: "shop".parse().unwrap(),
            name: "shop/api".parse().unwrap(),
            complete,
            gaps: Vec::new(),
            rules,
            targets: Vec::new(),
            others: None,
            advice: Vec::new(),
            preview: None,
        }
    }

    #[test]
    fn where_nothing_is_there_nothing_is_spared() {
        for (rules, complete, expected) in [
            (RulesFound::Live, true, RulesStatus::Nothing),
            (RulesFound::NoneSet, true, RulesStatus::Nothing),
            (RulesFound::NoneReadable, true, RulesStatus::Nothing),
            // What was not read may be there all the same.
            (RulesFound::Live, false, RulesStatus::Unknown),
            (RulesFound::Unknown { detail: "not read".to_owned() }, true, RulesStatus::Unknown),
        ] {
            assert_eq!(RulesStatus::from_report(&row(rules.clone(), complete)), expected, "{rules:?} {complete}");
        }
    }
}
