//! Which days a schedule means.

use jiff::civil::{Date, Weekday};

use super::field::{MONTH_DAY, Values, WEEK_DAY_FROM_1, digits, shown};

/// A rule about days.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Days {
    /// Kubernetes: if both fields name days, either will do (G146).
    Either { month: Values, week: Values },
    /// AWS: days of the month.
    OfMonth(Values),
    /// AWS `L`: the month's last.
    LastOfMonth,
    /// AWS `15W`: the weekday nearest to the 15th, in the same month.
    NearestWeekday(i8),
    /// AWS: days of the week, from Sunday = 1.
    OfWeek(Values),
    /// AWS `6L`: the month's last Friday.
    LastWeekday(Weekday),
    /// AWS `6#3`: the month's third Friday.
    NthWeekday(Weekday, i8),
}

impl Days {
    pub(super) fn include(&self, date: Date) -> bool {
        let month_day = date.day().unsigned_abs().into();
        let from_sunday = u16::from(date.weekday().to_sunday_zero_offset().unsigned_abs());
        match self {
            Self::Either { month, week } => {
                let (in_month, in_week) = (month.include(month_day), week.include(from_sunday));
                if month.is_star() || week.is_star() { in_month && in_week } else { in_month || in_week }
            }
            Self::OfMonth(days) => days.include(month_day),
            Self::LastOfMonth => date == date.last_of_month(),
            Self::NearestWeekday(day) => nearest_weekday(date, *day) == Some(date),
            Self::OfWeek(days) => days.include(from_sunday + 1),
            Self::LastWeekday(weekday) => date.nth_weekday_of_month(-1, *weekday).is_ok_and(|last| last == date),
            Self::NthWeekday(weekday, nth) => {
                date.nth_weekday_of_month(*nth, *weekday).is_ok_and(|found| found == date)
            }
        }
    }
}

fn nearest_weekday(month_of: Date, day: i8) -> Option<Date> {
    let wanted = Date::new(month_of.year(), month_of.month(), day).ok()?;
    let shift = match wanted.weekday() {
        Weekday::Saturday if day == 1 => 2,
        Weekday::Saturday => -1,
        Weekday::Sunday if wanted == wanted.last_of_month() => -2,
        Weekday::Sunday => 1,
        _ => 0,
    };
    Date::new(month_of.year(), month_of.month(), day + shift).ok()
}

/// AWS's day of month: a list, `L`, or `15W`.
pub(super) fn of_month(text: &str) -> Result<Days, String> {
    if text == "L" {
        return Ok(Days::LastOfMonth);
    }
    if let Some(day) = text.strip_suffix('W') {
        let day = digits(day).filter(|day| (1..=31).contains(day)).and_then(|day| i8::try_from(day).ok());
        return day.map(Days::NearestWeekday).ok_or_else(|| format!("{} is no weekday's day: write 15W", shown(text)));
    }
    MONTH_DAY.aws(text).map(Days::OfMonth)
}

/// AWS's day of week: a list, `L` for Saturday, `6L`, or `6#3`.
pub(super) fn of_week(text: &str) -> Result<Days, String> {
    if let Some(day) = text.strip_suffix('L') {
        return match day {
            "" => WEEK_DAY_FROM_1.aws("7").map(Days::OfWeek),
            day => weekday(day).map(Days::LastWeekday),
        };
    }
    if let Some((day, nth)) = text.split_once('#') {
        let nth = digits(nth).filter(|nth| (1..=5).contains(nth)).and_then(|nth| i8::try_from(nth).ok());
        let nth = nth.ok_or_else(|| format!("{} names no week of a month: write 6#3", shown(text)))?;
        return Ok(Days::NthWeekday(weekday(day)?, nth));
    }
    WEEK_DAY_FROM_1.aws(text).map(Days::OfWeek)
}

fn weekday(text: &str) -> Result<Weekday, String> {
    let number = WEEK_DAY_FROM_1.number(text)?;
    let offset = i8::try_from(number).ok().map(|number| number - 1);
    offset.and_then(|offset| Weekday::from_sunday_zero_offset(offset).ok()).ok_or_else(|| shown(text))
}
