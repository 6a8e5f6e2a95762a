//! What became of pins, in one line at the end of a run.

use super::phrase::Phrase;
use prodpin_core::model::{Mode, Obstacle};
use prodpin_core::outcome::report::{PinReport, TargetReport};

/// How many targets are pinned, and what became of the pins that were not there before.
#[derive(Debug, Default)]
pub(super) struct PinTotals {
    planned: u64,
    made: u64,
    already: u64,
    failed: u64,
    refused: u64,
    withheld: u64,
    unsupported: u64,
    absent: u64,
    /// Of what belongs to targets: what would be pinned, what was, and what is not although it should be.
    parts_planned: u64,
    parts_made: u64,
    parts_left: u64,
}

impl PinTotals {
    pub(super) fn add(&mut self, target: &TargetReport) {
        if let Some(parts) = &target.parts {
            self.parts_planned += parts.planned;
            self.parts_made += parts.created;
        }
        let left = target.obstacles.iter().map(|obstacle| match obstacle {
            Obstacle::PartsUnpinned { count, .. } => *count,
            _ => 0,
        });
        self.parts_left += left.sum::<u64>();
        let counted = match target.pin {
            PinReport::Planned => &mut self.planned,
            PinReport::Created => &mut self.made,
            PinReport::Failed => &mut self.failed,
            PinReport::Refused => &mut self.refused,
            PinReport::Withheld => &mut self.withheld,
            PinReport::Present => &mut self.already,
            PinReport::Unsupported => &mut self.unsupported,
            PinReport::Absent => &mut self.absent,
        };
        *counted += 1;
    }

    /// What the run did, or what one that may pin would do; none where that is nothing.
    pub(super) fn reported(&self, mode: Mode) -> Option<Phrase> {
        match mode {
            // What that changed, the command itself says.
            Mode::Release => None,
            Mode::Enforce => Some(self.enforced()),
            Mode::Audit | Mode::EnforceDryRun => {
                let would = || {
                    Phrase::said("Nothing was changed. `prodpin enforce` would pin ")
                        .then(counted(self.planned, self.parts_planned))
                };
                (self.planned + self.parts_planned > 0).then(|| would().say("."))
            }
        }
    }

    fn enforced(&self) -> Phrase {
        let targets = |count: u64| Phrase::default().counted(count, "target", "targets");
        let others = [
            (self.failed, " failed"),
            (self.refused, " refused"),
            (self.withheld, " withheld"),
            (self.unsupported, " cannot be pinned here"),
            (self.absent, " not intact or not read"),
        ];
        let others = others.into_iter().filter(|(count, _)| *count > 0);
        let mut rest: Vec<Phrase> = others.map(|(count, what)| Phrase::default().number(count).say(what)).collect();
        if self.parts_left > 0 {
            let parts = Phrase::default().counted(self.parts_left, "manifest", "manifests");
            rest.push(parts.say(" that belong to targets not pinned"));
        }
        let already = (self.already > 0).then(|| Phrase::default().number(self.already).say(" already pinned"));
        if self.made + self.parts_made > 0 {
            let made = Phrase::said("Pinned ").then(counted(self.made, self.parts_made));
            return Phrase::joined([made].into_iter().chain(already).chain(rest), ", ").say(".");
        }
        if rest.is_empty() {
            let nothing = Phrase::said("There was nothing left to pin");
            return match self.already {
                0 => nothing.say("."),
                already => nothing.say(": ").then(targets(already)).say(" already pinned."),
            };
        }
        Phrase::said("Pinned nothing: ").then(Phrase::joined(already.into_iter().chain(rest), ", ")).say(".")
    }
}

fn counted(count: u64, parts: u64) -> Phrase {
    let targets = Phrase::default().counted(count, "target", "targets");
    let parts_of = || Phrase::default().counted(parts, "manifest", "manifests");
    match (count, parts) {
        (_, 0) => targets,
        (0, _) => parts_of().say(" that belong to targets"),
        _ => targets.say(" and ").then(parts_of()).say(" that belong to them"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_target_is_counted_and_what_was_refused_is_never_nothing_left() {
        let none = PinTotals::default;
        for (totals, expected) in [
            (none(), "There was nothing left to pin."),
            (PinTotals { already: 44, ..none() }, "There was nothing left to pin: 44 targets already pinned."),
            (
                PinTotals { made: 256, already: 44, refused: 3, ..none() },
                "Pinned 256 targets, 44 already pinned, 3 refused.",
            ),
            (
                PinTotals { already: 5, parts_left: 6, ..none() },
                "Pinned nothing: 5 already pinned, 6 manifests that belong to targets not pinned.",
            ),
            (
                PinTotals { parts_made: 2, already: 1, absent: 1, ..none() },
                "Pinned 2 manifests that belong to targets, 1 already pinned, 1 not intact or not read.",
            ),
            (PinTotals { failed: 2, ..none() }, "Pinned nothing: 2 failed."),
        ] {
            assert_eq!(totals.reported(Mode::Enforce).unwrap().terminal(), expected, "{totals:?}");
        }
        let would = PinTotals { planned: 1, parts_planned: 1, already: 4, ..none() }.reported(Mode::Audit).unwrap();
        assert!(would.terminal().contains("would pin 1 target and 1 manifest"), "{}", would.terminal());
        assert!(PinTotals { already: 4, ..none() }.reported(Mode::Audit).is_none());
    }
}
