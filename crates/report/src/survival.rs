//! What the rollback targets of each source survive, and the weakest link of each, in one line.

use std::collections::BTreeMap;

use super::phrase::Phrase;
use prodpin_core::model::{Answer, Loss, SourceName};
use prodpin_core::outcome::report::RepositoryReport;

/// So many sources are reported one by one.
const SHOWN: usize = 10;

/// Source by source. There are as many as the policy names.
#[derive(Debug, Default)]
pub(super) struct BySource(BTreeMap<SourceName, Targets>);

/// The targets of one source.
#[derive(Debug, Default)]
struct Targets {
    total: u64,
    losses: [Tally; Loss::ALL.len()],
}

/// How many of them do not survive one kind of loss, or are not known to, and why.
#[derive(Debug, Default)]
struct Tally {
    no: Reasons,
    unknown: Reasons,
}

/// So many reasons are told apart; of more it is said how many targets they are about.
const REASONS: usize = 32;

/// So many of them are told.
const TOLD: usize = 3;

/// Why, and of how many targets each holds.
#[derive(Debug, Default)]
struct Reasons {
    total: u64,
    each: BTreeMap<String, u64>,
}

impl Reasons {
    fn add(&mut self, why: &str) {
        self.total += 1;
        if let Some(count) = self.each.get_mut(why) {
            *count += 1;
        } else if self.each.len() < REASONS {
            self.each.insert(why.to_owned(), 1);
        }
    }

    /// The most frequent first. One that holds of all of them needs no number.
    fn said(&self) -> Phrase {
        let mut each: Vec<(&String, u64)> = self.each.iter().map(|(why, count)| (why, *count)).collect();
        each.sort_by(|a, b| b.1.cmp(&a.1).then_with(|| a.0.cmp(b.0)));
        let told: u64 = each.iter().take(TOLD).map(|(_, count)| count).sum();
        let reasons = each.iter().take(TOLD).map(|(why, count)| match *count == self.total {
            true => Phrase::sentence(why),
            false => Phrase::sentence(why).say(" (").number(*count).say(")"),
        });
        let said = Phrase::joined(reasons, "; ");
        match self.total - told {
            0 => said,
            others => said.say("; other reasons (").number(others).say(")"),
        }
    }
}

impl BySource {
    /// Takes in the targets of one repository. A program before told nothing of them.
    pub(super) fn add(&mut self, report: &RepositoryReport) {
        for survives in report.targets.iter().filter_map(|target| target.survives.as_ref()) {
            let of = self.0.entry(report.source.clone()).or_default();
            of.total += 1;
            for (loss, tally) in Loss::ALL.into_iter().zip(&mut of.losses) {
                let survival = survives.of(loss);
                match survival.answer {
                    Answer::Yes => {}
                    Answer::No => tally.no.add(&survival.why),
                    Answer::Unknown => tally.unknown.add(&survival.why),
                }
            }
        }
    }

    /// A line for each source, the weakest first.
    pub(super) fn reported(&self) -> Vec<Phrase> {
        let mut sources: Vec<(&SourceName, &Targets)> = self.0.iter().collect();
        sources.sort_by_key(|(_, targets)| targets.weakest());
        sources
            .into_iter()
            .take(SHOWN)
            .map(|(source, targets)| Phrase::name(source.as_str()).say(": ").then(targets.reported()))
            .collect()
    }

    /// How many sources are not told of.
    pub(super) fn more(&self) -> u64 {
        self.0.len().saturating_sub(SHOWN) as u64
    }
}

impl Targets {
    /// The place of the most ordinary loss that not all of them survive.
    fn weakest(&self) -> usize {
        self.losses.iter().position(|tally| tally.no.total + tally.unknown.total > 0).unwrap_or(Loss::ALL.len())
    }

    fn reported(&self) -> Phrase {
        let weakest = self.weakest();
        let all = Phrase::default().counted(self.total, "target", "targets");
        let survived = Phrase::joined(Loss::ALL[..weakest].iter().map(|loss| Phrase::said(loss.words())), ", ");
        let (Some(loss), Some(tally)) = (Loss::ALL.get(weakest), self.losses.get(weakest)) else {
            return Phrase::default().counted(self.total, "target survives ", "targets survive ").then(survived);
        };
        let of = |reasons: &Reasons, what| {
            let count = Phrase::said(what).number(reasons.total).say(" of ").then(all.clone());
            count.say(": ").then(reasons.said())
        };
        let not = (tally.no.total > 0).then(|| of(&tally.no, "not survived by "));
        let unknown = (tally.unknown.total > 0).then(|| of(&tally.unknown, "not known to be survived by "));
        let link = Phrase::said("the weakest link is ").say(loss.words()).say(", ");
        let link = link.then(Phrase::joined(not.into_iter().chain(unknown), "; "));
        if weakest == 0 { link } else { link.say(" (all survive ").then(survived).say(")") }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use prodpin_core::model::{Cause, Digest, Gap, RepositoryKey, Scope, Survival, Survives};
    use prodpin_core::outcome::report::{PinReport, TargetReport};

    fn row(source: &str, survives: impl IntoIterator<Item = Option<Survives>>) -> RepositoryReport {
        let key = RepositoryKey { source: source.parse().unwrap(), name: "api".parse().unwrap() };
        let mut report = RepositoryReport::unread(key, 5, Gap::new(Scope::Repository, Cause::TimedOut, ""));
        report.targets.extend(survives.into_iter().map(|survives| TargetReport {
            artifact: Digest::sha256(b"x").into(),
            rank: None,
            references: vec![],
            reasons: vec![],
            running: false,
            pin: PinReport::Present,
            restorable: None,
            protected: None,
            obstacles: vec![],
            survives,
            parts: None,
            vault: None,
            drills: vec![],
        }));
        report
    }

    #[test]
    fn each_source_has_its_weakest_link_and_the_weakest_comes_first() {
        let all = || Survives::all(&Survival::yes("it is held"));
        let by_digest = || Survives { deletion_by_digest: Survival::unknown("it cannot be read"), ..all() };
        let unpinned = || Survives { tag_cleanup: Survival::no("it has no pin"), ..by_digest() };
        let mut sources = BySource::default();
        sources.add(&row("held", [Some(all())]));
        sources.add(&row("shop", [Some(by_digest()), Some(by_digest())]));
        let gone = || Survives { tag_cleanup: Survival::no("it does not exist any more"), ..by_digest() };
        let unread = || Survives { tag_cleanup: Survival::unknown("it was not read"), ..by_digest() };
        sources.add(&row("web", [Some(by_digest()), Some(unpinned()), Some(gone()), Some(unread()), None]));
        sources.add(&row("before", [None]));
        let reported: Vec<String> = sources.reported().iter().map(Phrase::terminal).collect();
        assert_eq!(
            reported,
            [
                "web: the weakest link is tag cleanup, not survived by 2 of 4 targets: it does not exist any more (1); it has \
                 no pin (1); not known to be survived by 1 of 4 targets: it was not read",
                "shop: the weakest link is deletion by digest, not known to be survived by 2 of 2 targets: it cannot be \
                 read (all survive tag cleanup, untagged cleanup, lifecycle rules)",
                "held: 1 target survives tag cleanup, untagged cleanup, lifecycle rules, deletion by digest, loss of the \
                 registry",
            ]
        );
        assert_eq!(sources.more(), 0);
        (0..20).for_each(|number| sources.add(&row(&format!("s{number}"), [Some(all())])));
        assert_eq!((sources.reported().len(), sources.more()), (SHOWN, 13));
    }
}
