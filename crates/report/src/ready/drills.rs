//! What drills found of signatures and of clusters, on the page about going back.

use jiff::Timestamp;

use super::sentences::ago;
use crate::phrase::Phrase;
use prodpin_core::model::{RehearsalOutcome, SignatureVerdict};
use prodpin_core::outcome::drilled::{DrillReport, RehearsalReport};

/// What the last drill found of its signatures, and whether that is bad; nothing where no key was given.
pub(super) fn signed(drill: &DrillReport) -> Option<(Phrase, bool)> {
    let check = drill.signatures.as_ref()?;
    match check.verdict() {
        SignatureVerdict::Verified => {
            Some((Phrase::said("signature verified by ").then(Phrase::name(&check.verified.join(", "))), false))
        }
        SignatureVerdict::NotVerified => {
            let why = check.unverified.first().map(|one| format!("{}: {}", one.manifest, one.why));
            let why = Phrase::sentence(&why.unwrap_or_default());
            Some((Phrase::said("SIGNATURE NOT VERIFIED by the drill: ").then(why), true))
        }
        SignatureVerdict::None => Some((Phrase::said("not signed"), false)),
        SignatureVerdict::Unknown => None,
    }
}

/// `would start: deployment shop/api revision 3, rehearsed 2 days ago`, and whether that is bad.
pub(super) fn rehearsed(report: &RehearsalReport, now: Timestamp) -> (Phrase, bool) {
    let rehearsal = &report.rehearsal;
    let what = Phrase::name(&rehearsal.workload.to_string()).say(" revision ").then(Phrase::name(&rehearsal.revision));
    let when = || Phrase::said(", rehearsed ").then(Phrase::name(&ago(report.at, now)));
    match rehearsal.outcome {
        RehearsalOutcome::Passed => (Phrase::said("would start as ").then(what).then(when()), false),
        RehearsalOutcome::Failed => {
            let why = rehearsal.reasons().collect::<Vec<_>>().join("; ");
            let told = Phrase::said("WOULD NOT START as ").then(what).then(when()).say(": ");
            (told.then(Phrase::sentence(&why)), true)
        }
        RehearsalOutcome::Unknown => {
            (Phrase::said("not known whether it would start as ").then(what).then(when()), false)
        }
    }
}
