//! How a rule comes to reach an entry, in words.

use super::{Act, Behind, Item};
use crate::model::{NoncurrentLimit, Trigger};

/// How a rule comes to reach an entry, to be put in words if it is reported.
#[derive(Debug, Clone, Copy)]
pub(super) enum Why {
    /// It is current.
    Current(Trigger),
    /// It is noncurrent.
    Noncurrent(NoncurrentLimit),
    /// A marker, of which nothing is reported.
    LoneMarker,
}

impl Why {
    pub(super) fn in_words(self, item: &Item<'_>, act: &Act) -> String {
        let goes = |goes: &str| match act {
            Act::Moves(class) => format!("moves to {class}"),
            Act::Deletes | Act::Hides | Act::RemovesMarker => goes.to_owned(),
        };
        match (self, &item.behind) {
            (Self::Current(trigger), _) => {
                let written = item.entry.modified;
                format!("it is the current version, written {written}, and {} {}", goes("expires"), in_words(trigger))
            }
            (Self::Noncurrent(limit), Some(behind)) => {
                let newer = newer(limit.days, limit.keep_newer);
                format!("it is noncurrent {}, and {} {newer}", behind.in_words(), goes("goes"))
            }
            (Self::Noncurrent(_), None) | (Self::LoneMarker, _) => String::new(),
        }
    }
}

impl Behind {
    pub(super) fn in_words(&self) -> String {
        match &self.by_rule {
            Some(rule) => format!("from {} on, when rule {rule:?} puts a delete marker in front of it", self.since),
            None => format!("since {}", self.since),
        }
    }
}

fn in_words(trigger: Trigger) -> String {
    match trigger {
        Trigger::Days(days) => format!("after {}", counted(days)),
        Trigger::Date(date) => format!("from {date} on"),
        Trigger::Unknown => "at a time that the rule says in a way not known here".to_owned(),
    }
}

pub(super) fn newer(days: u32, keep: u32) -> String {
    match keep {
        0 => format!("after {}", counted(days)),
        keep => format!("after {} behind the {keep} newer noncurrent versions that stay", counted(days)),
    }
}

fn counted(days: u32) -> String {
    if days == 1 { "1 day".to_owned() } else { format!("{days} days") }
}
