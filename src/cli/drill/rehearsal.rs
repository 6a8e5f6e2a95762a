//! What clusters said about old states of workloads, and what signatures came to, for a person.

use std::io::{self, Write};

use crate::model::{Platform, RehearsalOutcome, SignatureCheck, SignatureVerdict};
use crate::report::escape::terminal;
use crate::run::{Drilled, RehearsedTarget};

/// Worst first.
fn order(target: &RehearsedTarget) -> u8 {
    match target.rehearsal.as_ref().map(|rehearsal| rehearsal.outcome) {
        Some(RehearsalOutcome::Failed) => 0,
        Some(RehearsalOutcome::Unknown) => 1,
        None => 2,
        Some(RehearsalOutcome::Passed) => 3,
    }
}

/// One paragraph for each old state.
pub(super) fn tell(drilled: &Drilled, rehearsed: &[RehearsedTarget], out: &mut dyn Write) -> io::Result<()> {
    if rehearsed.is_empty() {
        return writeln!(out, "No old revision of a workload holds a rollback target, so no cluster was asked.");
    }
    let [passed, failed] =
        [RehearsalOutcome::Passed, RehearsalOutcome::Failed].map(|outcome| drilled.rehearsals(outcome));
    let all = rehearsed.len();
    writeln!(out, "{passed} of {all} old revisions would start in their clusters, {failed} would not (dry runs)")?;
    let mut targets: Vec<&RehearsedTarget> = rehearsed.iter().collect();
    targets.sort_by(|a, b| (order(a), &a.workload, &a.repository).cmp(&(order(b), &b.workload, &b.repository)));
    targets.into_iter().try_for_each(|target| one(target, out))
}

fn one(target: &RehearsedTarget, out: &mut dyn Write) -> io::Result<()> {
    let (sign, said) = match target.rehearsal.as_ref().map(|rehearsal| rehearsal.outcome) {
        Some(RehearsalOutcome::Passed) => ("✓", "the cluster takes its pod and the change, and what it names is there"),
        Some(RehearsalOutcome::Failed) => ("✗", "WOULD NOT START"),
        Some(RehearsalOutcome::Unknown) => ("?", "not known"),
        None => ("?", "not asked: the drill ended first"),
    };
    let context = match &target.workload.platform {
        Platform::Kubernetes { context: Some(context) } => format!(" in context {context}"),
        _ => String::new(),
    };
    let revision = target.rehearsal.as_ref().map(|rehearsal| format!(" revision {}", rehearsal.revision));
    let revision = revision.unwrap_or_default();
    let what = format!("{}{context}{revision}", target.workload);
    let name = target.name.as_deref().map_or_else(|| target.artifact.short(), str::to_owned);
    let key = &target.repository;
    writeln!(out, "{sign} {} ({} of {}): {said}", terminal(&what), terminal(&name), terminal(key.name.as_str()))?;
    let Some(rehearsal) = &target.rehearsal else { return Ok(()) };
    for reason in rehearsal.reasons() {
        writeln!(out, "    ✗ {}", terminal(&reason))?;
    }
    for unknown in &rehearsal.unknown {
        writeln!(out, "    ? {}", terminal(unknown))?;
    }
    if rehearsal.outcome == RehearsalOutcome::Failed {
        writeln!(out, "    The way back that works in its place:")?;
        writeln!(out, "    prodpin ready {}", terminal(key.name.as_str()))?;
    }
    Ok(())
}

/// What the signatures of a target came to, in a few words.
pub(super) fn signed(check: &SignatureCheck) -> String {
    match check.verdict() {
        SignatureVerdict::Verified => format!("signature verified by {}", check.verified.join(", ")),
        SignatureVerdict::NotVerified => "SIGNATURE NOT VERIFIED".to_owned(),
        SignatureVerdict::None => "not signed".to_owned(),
        SignatureVerdict::Unknown => {
            format!("signatures not known: {}", check.unread.as_deref().unwrap_or("they could not be read"))
        }
    }
}

/// Each signature that proves nothing, below its target.
pub(super) fn unverified(check: &SignatureCheck, out: &mut dyn Write) -> io::Result<()> {
    let sign = if check.verdict() == SignatureVerdict::NotVerified { "✗" } else { "·" };
    for one in &check.unverified {
        writeln!(out, "    {sign} signature {}", one.manifest)?;
        writeln!(out, "      {}", terminal(&one.why))?;
    }
    match check.more {
        0 => Ok(()),
        more => writeln!(out, "    … and {more} more"),
    }
}
