//! What becomes of artifacts with pins and without them: what the law that a pin harms nothing is judged by (I22).
//!
//! This is the door to every kind of rules for that law. A kind answers three questions: whose fate one more pin can
//! change ([`stirred`]), what that fate is ([`fates`]), and who loses a place because something else stays
//! ([`displaced`]).

use std::collections::{BTreeMap, BTreeSet};

use super::{Situation, images, objects};
use crate::model::{ArtifactId, Certainty, Due, Effect, PinKind, Retention, Threat};

/// What live rules will do to one artifact.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Fate {
    /// It could not be told.
    Unknown,
    /// These, in any order; none: it stays.
    Known(Vec<Threat>),
}

/// Whose fate one more pin can change.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Stirred {
    /// Nobody's: no rule looks at it otherwise than before.
    Nobody,
    /// At most that of these.
    These(BTreeSet<ArtifactId>),
    /// The rules, or what they count, are not known.
    Unknown {
        /// What could not be read, for a person.
        detail: String,
    },
}

/// An artifact that a rule takes sooner because another one stays among those that the rule counts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Displaced {
    pub(crate) artifact: ArtifactId,
    /// The rule as it acts on it with the pin in place.
    pub(crate) with: Threat,
    /// What stays and counts.
    pub(crate) by: ArtifactId,
}

/// Whose fate the pin of this artifact can change, beside the pins that are there.
pub(crate) fn stirred(situation: &Situation<'_>, artifact: &ArtifactId) -> Stirred {
    match &situation.snapshot.retention {
        Retention::Unruled => Stirred::Nobody,
        Retention::Ecr(repository) => images::stirred(situation, repository, artifact),
        Retention::Bucket(bucket) => objects::stirred(situation, bucket, artifact),
    }
}

/// The fate of each artifact that is asked about. What only further pins could bring about is left out: each of those is
/// judged by the same law before it is made.
pub(crate) fn fates(situation: &Situation<'_>) -> BTreeMap<ArtifactId, Fate> {
    match &situation.snapshot.retention {
        Retention::Unruled => BTreeMap::new(),
        Retention::Ecr(repository) => images::fates(situation, repository),
        Retention::Bucket(bucket) => objects::fates(situation, bucket),
    }
}

/// Who loses a place because these stay that rules would have taken, each with what would have taken it.
pub(crate) fn displaced(situation: &Situation<'_>, stay: &[(ArtifactId, Threat)]) -> Vec<Displaced> {
    match &situation.snapshot.retention {
        // The simulation of a bucket follows every event, so that this is part of each version's own fate.
        Retention::Unruled | Retention::Bucket(_) => Vec::new(),
        Retention::Ecr(repository) => images::displaced(situation, repository, stay),
    }
}

/// What a pin of this artifact is.
pub(crate) fn kind_of_pin(situation: &Situation<'_>, artifact: &ArtifactId) -> PinKind {
    match (&situation.snapshot.retention, artifact) {
        (Retention::Bucket(bucket), ArtifactId::ObjectVersion { .. }) if bucket.object_lock != Some(false) => {
            PinKind::Hold
        }
        _ => PinKind::Tag,
    }
}

impl Fate {
    /// The first thing in it that makes it worse than the other one; [`None`] inside where it is worse by being unknown.
    /// The outer [`None`]: it is no worse at any date, whatever is pushed.
    pub(crate) fn worse_than(&self, before: &Self) -> Option<Option<&Threat>> {
        match (before, self) {
            // What it was is not known, so that it was as bad is not known either.
            (Self::Unknown, _) => self.first().map(Some),
            (Self::Known(_), Self::Unknown) => Some(None),
            (Self::Known(before), Self::Known(after)) => {
                after.iter().find(|threat| !before.iter().any(|known| covers(known, threat))).map(Some)
            }
        }
    }

    /// What was in the other one and is in this one no more, or later.
    pub(crate) fn spared_of<'b>(&self, before: &'b Self) -> impl Iterator<Item = &'b Threat> {
        let (before, after): (&[Threat], &[Threat]) = match (before, self) {
            (Self::Known(before), Self::Known(after)) => (before, after),
            _ => (&[], &[]),
        };
        before.iter().filter(|threat| !after.iter().any(|left| covers(left, threat)))
    }

    pub(crate) fn first(&self) -> Option<&Threat> {
        match self {
            Self::Known(threats) => threats.first(),
            Self::Unknown => None,
        }
    }
}

/// Whether whoever lives under the first threat has nothing more to lose by the second, at any date and whatever is
/// pushed until then. Pushes may all come at once, or never: they are compared by number and within one rule alone.
fn covers(known: &Threat, other: &Threat) -> bool {
    let as_bad = known.effect == Effect::Deletes || known.effect == other.effect;
    let as_sure = known.certainty == Certainty::Certain || other.certainty == Certainty::Possible;
    let as_soon = match (&known.due, &other.due) {
        (Due::Now, _) => true,
        (Due::On(known), Due::On(other)) => known <= other,
        (Due::AfterPushes { pushes, .. }, Due::AfterPushes { pushes: others, .. }) => {
            known.rule == other.rule && pushes <= others
        }
        (Due::On(_) | Due::AfterPushes { .. }, _) => false,
    };
    as_bad && as_sure && as_soon
}

#[cfg(test)]
mod tests {
    use super::*;
    use jiff::Timestamp;

    fn threat(rule: &str, effect: Effect, due: Due, certainty: Certainty) -> Threat {
        Threat { rule: rule.to_owned(), effect, due, certainty, why: String::new() }
    }

    fn on(second: i64) -> Due {
        Due::On(Timestamp::from_second(second).expect("a second"))
    }

    fn after(pushes: u64) -> Due {
        Due::AfterPushes { pushes, around: None }
    }

    #[test]
    fn a_fate_is_worse_at_any_date_or_after_any_push_i22() {
        use Certainty::{Certain, Possible};
        use Effect::{Archives, Deletes, Hides};
        let known = |threats: &[(&str, Effect, Due, Certainty)]| {
            let threats = threats.iter().map(|(rule, effect, due, sure)| threat(rule, *effect, due.clone(), *sure));
            Fate::Known(threats.collect())
        };
        let none = || known(&[]);
        let one = |rule, effect, due, sure| known(&[(rule, effect, due, sure)]);
        for (before, with, worse) in [
            (none(), none(), false),
            (none(), one("1", Archives, after(9), Possible), true),
            (one("1", Deletes, Due::Now, Certain), one("2", Deletes, on(1), Certain), false),
            (one("1", Deletes, Due::Now, Possible), one("1", Deletes, Due::Now, Certain), true),
            (one("1", Archives, Due::Now, Certain), one("1", Deletes, on(9), Certain), true),
            (one("1", Hides, on(5), Certain), one("1", Archives, on(5), Certain), true),
            (one("1", Deletes, on(5), Certain), one("2", Hides, on(5), Certain), false),
            (one("1", Deletes, on(5), Certain), one("2", Deletes, on(4), Certain), true),
            (one("1", Deletes, on(5), Certain), one("2", Deletes, after(100), Certain), true),
            (one("1", Deletes, after(5), Certain), one("1", Deletes, after(6), Certain), false),
            (one("1", Deletes, after(5), Certain), one("1", Deletes, after(4), Certain), true),
            (one("1", Deletes, after(5), Certain), one("2", Deletes, after(500), Certain), true),
            (one("1", Deletes, after(5), Certain), one("1", Deletes, on(500), Certain), true),
            (none(), Fate::Unknown, true),
            (Fate::Unknown, one("1", Deletes, Due::Now, Certain), true),
            (Fate::Unknown, Fate::Unknown, false),
            (Fate::Unknown, none(), false),
        ] {
            assert_eq!(with.worse_than(&before).is_some(), worse, "{before:?} to {with:?}");
        }
    }
}
