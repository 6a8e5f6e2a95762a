//! One field of a schedule: a set of numbers.

use std::collections::BTreeSet;

/// What a field may hold.
#[derive(Debug, Clone, Copy)]
pub(super) struct Field {
    name: &'static str,
    from: u16,
    to: u16,
    names: &'static [&'static str],
}

const MONTHS: &[&str] = &["JAN", "FEB", "MAR", "APR", "MAY", "JUN", "JUL", "AUG", "SEP", "OCT", "NOV", "DEC"];
const WEEK_DAYS: &[&str] = &["SUN", "MON", "TUE", "WED", "THU", "FRI", "SAT"];

pub(super) const MINUTE: Field = Field { name: "minute", from: 0, to: 59, names: &[] };
pub(super) const HOUR: Field = Field { name: "hour", from: 0, to: 23, names: &[] };
pub(super) const MONTH_DAY: Field = Field { name: "day of month", from: 1, to: 31, names: &[] };
pub(super) const MONTH: Field = Field { name: "month", from: 1, to: 12, names: MONTHS };
pub(super) const YEAR: Field = Field { name: "year", from: 1970, to: 2199, names: &[] };
/// Kubernetes counts from Sunday = 0, and knows no 7 (G146).
pub(super) const WEEK_DAY_FROM_0: Field = Field { name: "day of week", from: 0, to: 6, names: WEEK_DAYS };
/// AWS counts from Sunday = 1 (G148).
pub(super) const WEEK_DAY_FROM_1: Field = Field { name: "day of week", from: 1, to: 7, names: WEEK_DAYS };

/// The numbers that a field names.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Values {
    numbers: BTreeSet<u16>,
    star: bool,
}

impl Values {
    pub(super) fn numbers(&self) -> impl Iterator<Item = u16> + '_ {
        self.numbers.iter().copied()
    }

    pub(super) fn include(&self, number: u16) -> bool {
        self.numbers.contains(&number)
    }

    /// Whether the field leaves its unit free, rather than naming every number of it.
    pub(super) fn is_star(&self) -> bool {
        self.star
    }
}

impl Field {
    /// Reads a field in upper case as Kubernetes does, where `?` is `*`.
    pub(super) fn kubernetes(self, text: &str) -> Result<Values, String> {
        self.list(text, |part| matches!(part, "*" | "?"))
    }

    /// Reads a field in upper case as AWS does.
    pub(super) fn aws(self, text: &str) -> Result<Values, String> {
        self.list(text, |part| part == "*")
    }

    fn list(self, text: &str, is_all: impl Fn(&str) -> bool) -> Result<Values, String> {
        let mut values = Values { numbers: BTreeSet::new(), star: false };
        for part in text.split(',') {
            let (range, step) = match part.split_once('/') {
                Some((range, step)) => (range, Some(self.step(step)?)),
                None => (part, None),
            };
            let (from, to) = match range.split_once('-') {
                _ if is_all(range) => {
                    // `*/2` is a choice among days, `*` and `*/1` are none.
                    values.star |= step.is_none_or(|step| step == 1);
                    (self.from, self.to)
                }
                Some((from, to)) => (self.number(from)?, self.number(to)?),
                // `5/15` goes on to the end.
                None => {
                    let from = self.number(range)?;
                    (from, if step.is_some() { self.to } else { from })
                }
            };
            if from > to {
                return Err(format!("the {} goes backwards in {}", self.name, shown(part)));
            }
            values.numbers.extend((from..=to).step_by(usize::from(step.unwrap_or(1))));
        }
        Ok(values)
    }

    fn step(self, text: &str) -> Result<u16, String> {
        let step = digits(text).filter(|step| *step > 0);
        step.ok_or_else(|| format!("{} is no step of the {}", shown(text), self.name))
    }

    pub(super) fn number(self, text: &str) -> Result<u16, String> {
        let named = self.names.iter().position(|name| *name == text).and_then(|index| u16::try_from(index).ok());
        let number = named.map(|index| index + self.from).or_else(|| digits(text));
        number
            .filter(|number| (self.from..=self.to).contains(number))
            .ok_or_else(|| format!("{} is no {}: it goes from {} to {}", shown(text), self.name, self.from, self.to))
    }
}

/// Digits only: what `parse` also takes, such as `+5`, no scheduler does.
pub(super) fn digits(text: &str) -> Option<u16> {
    text.bytes().all(|byte| byte.is_ascii_digit()).then(|| text.parse().ok())?
}

pub(super) fn shown(text: &str) -> String {
    format!("{:?}", text.chars().take(40).collect::<String>())
}
