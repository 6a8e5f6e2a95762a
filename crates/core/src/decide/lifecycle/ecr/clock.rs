//! Which of an image's times a rule counts from (A31).

use jiff::{SignedDuration, Timestamp};

use super::rule::{Count, StorageClass};
use crate::model::{EcrImage, ImageStatus};

/// When the image came, to rules that count or ask for its age: its push, or its last restoration.
pub(super) fn arrived(image: &EcrImage) -> Option<Timestamp> {
    image.activated.or(image.pushed)
}

/// The time that an age rule counts from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Since {
    /// When that was, or the earliest that it can have been.
    pub(super) earliest: Timestamp,
    /// Whether it is known.
    pub(super) known: bool,
}

/// ECR's first day, 2015-12-21, in seconds: nothing there is older, whatever is not known of it.
const FIRST_DAY: i64 = 1_450_656_000;

impl Since {
    pub(super) fn from_image(count: Count, image: &EcrImage) -> Self {
        let known = since(count, image);
        let earliest = known.or_else(|| Timestamp::from_second(FIRST_DAY).ok()).unwrap_or(Timestamp::MIN);
        Self { earliest, known: known.is_some() }
    }
}

/// The time that an age rule counts from; none if it is not known.
pub(super) fn since(count: Count, image: &EcrImage) -> Option<Timestamp> {
    match count {
        Count::MoreThan(_) | Count::SincePushed(_) => arrived(image),
        Count::SincePulled(_) => match (image.pulled, image.activated) {
            (Some(pulled), Some(activated)) if pulled < activated => Some(activated),
            (Some(pulled), _) => Some(pulled),
            (None, _) => arrived(image),
        },
        Count::SinceTransitioned(_) => image.archived,
    }
}

/// So many days later; none if that is past the end of time.
pub(super) fn days_after(start: Timestamp, days: u64) -> Option<Timestamp> {
    let seconds = i64::try_from(days).ok()?.checked_mul(24 * 60 * 60)?;
    start.checked_add(SignedDuration::from_secs(seconds)).ok()
}

/// Whether an image is judged with a storage class.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Membership {
    /// Not at all.
    No,
    /// It is not documented (A38): states between the classes, and artifacts that follow another.
    Maybe,
    /// Certainly.
    Sure,
}

impl Membership {
    pub(super) fn from_image(image: &EcrImage, class: StorageClass) -> Self {
        match (image.status, class) {
            (ImageStatus::Active, StorageClass::Archive) | (ImageStatus::Archived, StorageClass::Standard) => Self::No,
            (ImageStatus::Activating | ImageStatus::Other, _) => Self::Maybe,
            _ if image.subject.is_some() => Self::Maybe,
            _ => Self::Sure,
        }
    }
}
