//! Arguments that are more than a text or a number: how they are read.

use std::path::PathBuf;

use jiff::civil::{Date, DateTime};
use jiff::tz::TimeZone;
use jiff::{SignedDuration, Timestamp, Zoned};

use crate::model::{RunId, Severity};
use crate::outcome::status::ServiceStatus;

/// A date, or a time from now.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum AsOf {
    /// This moment.
    At(Timestamp),
    /// So long from now.
    In(SignedDuration),
}

impl AsOf {
    /// Reads `2027-01-31`, which is the whole of that day in UTC, a time such as `2027-01-31T12:00:00Z`, or `+30d`.
    pub(super) fn read(text: &str) -> Result<Self, String> {
        let fail = || "write a date such as 2027-01-31, or a time from now such as +30d, +12w or +1y".to_owned();
        if let Some(span) = text.strip_prefix('+') {
            let (number, days) = [("d", 1), ("w", 7), ("y", 365)]
                .into_iter()
                .find_map(|(unit, days)| Some((span.strip_suffix(unit)?, days)))
                .ok_or_else(fail)?;
            let number: i64 = number.parse().map_err(|_| fail())?;
            if !(1..=36_500).contains(&number) {
                return Err("look ahead by at least a day and at most a hundred years".to_owned());
            }
            return Ok(Self::In(SignedDuration::from_hours(24 * number.saturating_mul(days))));
        }
        if let Ok(date) = text.parse::<jiff::civil::Date>()
            && text.len() == 10
        {
            let end = date.tomorrow().and_then(|next| next.to_zoned(jiff::tz::TimeZone::UTC));
            return end.map(|end| Self::At(end.timestamp())).map_err(|_| fail());
        }
        text.parse().map(Self::At).map_err(|_| fail())
    }

    /// The moment itself; one that has passed is refused.
    pub(super) fn from(self, now: Timestamp) -> Result<Timestamp, String> {
        let at = match self {
            Self::At(at) => at,
            Self::In(span) => now.checked_add(span).map_err(|_| "--as-of: that is past the end of time".to_owned())?,
        };
        if at < now { Err("--as-of: this is in the past; a forecast looks ahead".to_owned()) } else { Ok(at) }
    }
}

/// Reads a status as it is typed: `not-ready`.
pub(super) fn read_status(text: &str) -> Result<ServiceStatus, String> {
    let typed = |status: ServiceStatus| status.as_str().replace('_', "-");
    let known = ServiceStatus::ALL.into_iter().find(|status| typed(*status) == text || status.as_str() == text);
    known.ok_or_else(|| format!("use one of {}", ServiceStatus::ALL.map(typed).join(", ")))
}

/// Reads a severity.
pub(super) fn read_severity(text: &str) -> Result<Severity, String> {
    let known = Severity::ALL.into_iter().find(|severity| severity.as_str() == text);
    known.ok_or_else(|| format!("use one of {}", Severity::ALL.map(Severity::as_str).join(", ")))
}

/// Runs further back than this are named by their ids: those between are held to count them.
const MOST_BEFORE: usize = 10_000;

/// One of the runs on record.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum WhichRun {
    /// The last, or so many before it.
    Last(usize),
    /// The one of this id.
    Id(RunId),
    /// The one whose id begins so.
    Begins(String),
}

impl WhichRun {
    /// Reads `last`, `last~1`, an id, or how one begins.
    pub(super) fn read(text: &str) -> Result<Self, String> {
        if let Some(before) = text.strip_prefix("last") {
            let before =
                if before.is_empty() { Some(0) } else { before.strip_prefix('~').and_then(|n| n.parse().ok()) };
            let before = before.filter(|before| *before < MOST_BEFORE);
            return before
                .map(Self::Last)
                .ok_or_else(|| "write last, or last~1 for the run before the last".to_owned());
        }
        if let Ok(id) = text.parse() {
            return Ok(Self::Id(id));
        }
        let is_part = |byte: u8| byte.is_ascii_digit() || matches!(byte, b'T' | b'Z' | b'-' | b'a'..=b'f');
        if (4..25).contains(&text.len()) && text.bytes().all(is_part) {
            return Ok(Self::Begins(text.to_owned()));
        }
        Err("write a run's id such as 20261123T031500Z-0123abcd, how it begins, last or last~1; `prodpin report --list` shows \
             them"
            .to_owned())
    }
}

/// Reads a time with a zone or an offset; one without either is UTC, and a date is the whole of that day, as in
/// `forecast --as-of`.
pub(super) fn read_time(text: &str) -> Result<Timestamp, String> {
    let text = text.trim();
    if let Ok(at) = text.parse::<Timestamp>() {
        return Ok(at);
    }
    if let Ok(at) = text.parse::<Zoned>() {
        return Ok(at.timestamp());
    }
    let fail = || {
        "write a time such as 2026-11-23T03:15:00Z or 2026-11-23T04:15+01:00, or a date such as 2026-11-23, which is \
         the whole of that day in UTC"
            .to_owned()
    };
    if text.len() == 10
        && let Ok(date) = text.parse::<Date>()
    {
        let last = date.to_datetime(jiff::civil::Time::MAX).to_zoned(TimeZone::UTC);
        return last.map(|last| last.timestamp()).map_err(|_| fail());
    }
    let civil = text.parse::<DateTime>().map_err(|_| fail())?;
    civil.to_zoned(TimeZone::UTC).map(|at| at.timestamp()).map_err(|_| fail())
}

/// In what form the table is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum ExportFormat {
    /// Comma-separated values.
    Csv,
    /// Apache Parquet.
    Parquet,
}

/// Where the whole ledger is written, and how.
#[derive(Debug, Clone)]
pub(super) struct ExportTarget {
    pub(super) format: ExportFormat,
    /// None is stdout.
    pub(super) path: Option<PathBuf>,
}

/// Reads `csv=FILE` or `parquet=FILE`.
pub(super) fn read_export(text: &str) -> Result<ExportTarget, String> {
    let wanted = || "write csv=FILE or parquet=FILE".to_owned();
    let (format, file) = text.split_once('=').filter(|(_, file)| !file.is_empty()).ok_or_else(wanted)?;
    let format = match format {
        "csv" => ExportFormat::Csv,
        "parquet" => ExportFormat::Parquet,
        _ => return Err(wanted()),
    };
    Ok(ExportTarget { format, path: (file != "-").then(|| PathBuf::from(file)) })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dates_and_spans_are_read() {
        let at = |text: &str| Ok(AsOf::At(text.parse().unwrap()));
        assert_eq!(AsOf::read("2027-01-31"), at("2027-02-01T00:00:00Z"));
        assert_eq!(AsOf::read("2027-01-31T12:00:00Z"), at("2027-01-31T12:00:00Z"));
        assert_eq!(AsOf::read("+30d"), Ok(AsOf::In(SignedDuration::from_hours(720))));
        assert_eq!(AsOf::read("+2w"), Ok(AsOf::In(SignedDuration::from_hours(336))));
        for text in ["", "+", "+30", "30d", "+-1d", "+0d", "+99999999999d", "2027-02-30", "tomorrow", "+1é"] {
            assert!(AsOf::read(text).is_err(), "{text}");
        }
        let now: Timestamp = "2027-01-01T00:00:00Z".parse().unwrap();
        assert!(AsOf::read("2026-12-30").unwrap().from(now).is_err());
        assert!(AsOf::read("2026-12-31").unwrap().from(now).is_ok(), "it ends as the year does");
    }

    #[test]
    fn times_are_read_with_and_without_a_zone_and_a_date_is_the_whole_of_its_day() {
        let read = |text| read_time(text).map(|at| at.to_string());
        for text in [
            "2026-11-23T03:15:00Z",
            "2026-11-23T04:15:00+01:00",
            "2026-11-23T04:15+01",
            "2026-11-23 03:15:00Z",
            "2026-11-23T04:15[Europe/Berlin]",
            "2026-11-23T03:15",
            " 2026-11-23 03:15:00 ",
        ] {
            assert_eq!(read(text).as_deref(), Ok("2026-11-23T03:15:00Z"), "{text}");
        }
        assert_eq!(read("2026-11-23").as_deref(), Ok("2026-11-23T23:59:59.999999999Z"));
        for text in ["", "yesterday", "23.11.2026", "2026-13-01", "2026-11-23T25:00Z", "1763869500"] {
            assert!(read(text).unwrap_err().contains("the whole of that day"), "{text}");
        }
    }
}
