//! What rules of any kind do to artifacts, in the words that all kinds share, and when one such fate is worse than another
//! (I22).

use std::collections::BTreeSet;

use crate::model::{ArtifactId, Certainty, Due, Effect, Threat};

/// What the rules would do to one artifact.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Foreseen {
    /// What.
    pub effect: Effect,
    /// By which rule.
    pub rule: String,
    /// How sure it is.
    pub certainty: Certainty,
    /// Why.
    pub why: String,
}

/// What live rules will do to one artifact.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum ArtifactOutlook {
    /// It is not known.
    Unknown,
    /// These, in any order; none: it stays.
    Known(Vec<Threat>),
}

/// Whose outlook one more pin can change.
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

impl ArtifactOutlook {
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

    /// What is known of it, in any order.
    pub(crate) fn threats(&self) -> &[Threat] {
        match self {
            Self::Known(threats) => threats,
            Self::Unknown => &[],
        }
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
            ArtifactOutlook::Known(threats.collect())
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
            (none(), ArtifactOutlook::Unknown, true),
            (ArtifactOutlook::Unknown, one("1", Deletes, Due::Now, Certain), true),
            (ArtifactOutlook::Unknown, ArtifactOutlook::Unknown, false),
            (ArtifactOutlook::Unknown, none(), false),
        ] {
            assert_eq!(with.worse_than(&before).is_some(), worse, "{before:?} to {with:?}");
        }
    }
}
