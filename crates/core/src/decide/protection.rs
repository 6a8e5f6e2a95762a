//! Whether one target is restorable and pinned, and what stands in the way. Whether it is protected follows from that and
//! from what it survives (`survives`).

use crate::model::{ArtifactId, Cause, Closure, Digest, Gap, Inspection, Obstacle, PinFailure, PinState, Presence};
use crate::outcome::report::PinReport;

/// The verdict on one artifact.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct ProtectionVerdict {
    pub(super) pin: PinReport,
    pub(super) restorable: Option<bool>,
    pub(super) obstacles: Vec<Obstacle>,
    /// Whether a pin can and should be made now.
    pub(super) pinnable: bool,
}

/// Why a pin is not made although one could be (I22).
pub(super) struct RefusedPin {
    pub(super) obstacle: Obstacle,
    /// Whether it is not known what the pin would do: then it is not known either what the artifact stands under.
    pub(super) blind: bool,
}

/// Judges what was seen. `attempt` is what came of pinning it in this run, before it was looked at again; `rules` is
/// what live lifecycle rules put in its way; `credentials_work` says whether anything else in the repository could be
/// read: if not, "not found" proves nothing (F31); `refused` is why a pin is not made although one could be (I22).
pub(super) fn judge(
    artifact: &ArtifactId,
    inspection: Option<&Inspection>,
    attempt: Option<&Result<(), PinFailure>>,
    rules: Vec<Obstacle>,
    credentials_work: bool,
    refused: Option<RefusedPin>,
) -> ProtectionVerdict {
    let Some(inspection) = inspection else {
        return ProtectionVerdict::unknown("it was not looked at before the run ended");
    };
    match inspection.presence {
        Presence::NotFound if credentials_work => ProtectionVerdict {
            pin: PinReport::Absent,
            restorable: Some(false),
            obstacles: vec![Obstacle::Missing],
            pinnable: false,
        },
        Presence::NotFound => {
            ProtectionVerdict::unknown("the registry says it does not exist, as it says of everything else here")
        }
        Presence::Unknown if is_blocked(inspection) => {
            let pin = pin_of(&inspection.pin, false, attempt);
            let mut obstacles: Vec<Obstacle> = inspection.obstacles.iter().cloned().chain(rules).collect();
            // None can be made of what is not handed out, so that a lack lasts, and is told.
            obstacles.extend(pin_obstacle(artifact, inspection, false));
            obstacles.sort();
            // It is there, and a rollback to it would fail now.
            ProtectionVerdict { pin, restorable: Some(false), obstacles, pinnable: false }
        }
        Presence::Unknown => {
            let unread = if is_contradicted(inspection) {
                "the answers about it cannot all be true"
            } else {
                "it could not be read"
            };
            let detail = inspection.gaps.first().map_or(unread, |gap| gap.detail.as_str());
            let mut verdict = ProtectionVerdict {
                pin: pin_of(&inspection.pin, false, attempt),
                ..ProtectionVerdict::unknown(detail)
            };
            // Bytes that do not hash to the digest were read, and are not the artifact (F22).
            if inspection.obstacles.iter().any(|obstacle| matches!(obstacle, Obstacle::WrongBytes { .. })) {
                verdict.restorable = Some(false);
            }
            verdict.obstacles.extend(inspection.obstacles.iter().cloned().chain(rules));
            verdict.obstacles.sort();
            verdict
        }
        Presence::Present => judge_present(artifact, inspection, attempt, rules, refused),
    }
}

/// Whether a pin can and should be made of what is present: on an incomplete index it would promise what it cannot keep
/// (I6), and an archived image takes no tag before it is restored (A43).
pub(super) fn is_pinnable(inspection: &Inspection) -> bool {
    let archived = inspection.artifact.digest().is_some()
        && inspection.obstacles.iter().any(|obstacle| matches!(obstacle, Obstacle::Archived { .. }));
    // An object version has no parts: holding it promises nothing but itself. A part that could not be asked for just
    // now may well be there, and by the time that it can be asked for, a cleanup may have been: better pinned, and
    // reported as unproven.
    let passing = |gap: &Gap| {
        matches!(
            gap.cause,
            Cause::Denied
                | Cause::Throttled
                | Cause::Unreachable
                | Cause::ServerError
                | Cause::TimedOut
                | Cause::Unsupported
        )
    };
    let sound = !inspection.obstacles.iter().any(|obstacle| matches!(obstacle, Obstacle::WrongBytes { .. }));
    // What a rule of the registry keeps from being pulled is there, and may be handed out again once the rule is gone.
    let explained = !inspection.gaps.is_empty() || is_blocked(inspection);
    let whole = match (&inspection.closure, &inspection.artifact) {
        (Closure::Complete, _) | (Closure::Unknown, ArtifactId::ObjectVersion { .. }) => true,
        (Closure::Unknown, ArtifactId::Manifest(_)) => sound && explained && inspection.gaps.iter().all(passing),
        (Closure::Broken(_), _) => false,
    };
    let refused = inspection.obstacles.iter().any(|obstacle| matches!(obstacle, Obstacle::NoPins { .. }));
    whole
        && !archived
        && !refused
        && matches!(inspection.pin, PinState::Absent | PinState::Unsupported { marked: false })
}

/// So many lacking parts of one artifact are listed.
const PARTS_SHOWN: usize = 5;

fn judge_present(
    artifact: &ArtifactId,
    inspection: &Inspection,
    attempt: Option<&Result<(), PinFailure>>,
    rules: Vec<Obstacle>,
    refused: Option<RefusedPin>,
) -> ProtectionVerdict {
    let mut obstacles = inspection.obstacles.clone();
    obstacles.extend(rules);
    let (is_refused, is_blind) = (refused.is_some(), refused.as_ref().is_some_and(|refused| refused.blind));
    obstacles.extend(refused.map(|refused| refused.obstacle));
    obstacles.extend(closure_obstacles(artifact, inspection));
    let restorable = match restorable(&inspection.closure, &obstacles) {
        // What a tag brings is not known then, whatever is there by digest.
        Some(true) if is_contradicted(inspection) => None,
        restorable => restorable,
    };
    let pinnable = is_pinnable(inspection) && !is_refused;
    obstacles.extend(pin_obstacle(artifact, inspection, is_blind));
    if let Some(Err(failure)) = attempt {
        obstacles.push(Obstacle::Unproven { detail: failure.detail.clone() });
    }
    obstacles.sort();
    obstacles.dedup();
    let pin = if is_refused { PinReport::Refused } else { pin_of(&inspection.pin, pinnable, attempt) };
    ProtectionVerdict { pin, restorable, obstacles, pinnable }
}

/// What is in the way because of parts that lack or could not be read.
fn closure_obstacles(artifact: &ArtifactId, inspection: &Inspection) -> Vec<Obstacle> {
    match &inspection.closure {
        Closure::Complete => Vec::new(),
        Closure::Broken(parts) => lacking_parts(parts, &inspection.obstacles),
        Closure::Unknown if is_explained(inspection) => Vec::new(),
        Closure::Unknown => {
            let unread = match artifact {
                ArtifactId::ObjectVersion { .. } => "whether it can be fetched as it was could not be told",
                ArtifactId::Manifest(_) => "not all of its parts could be read",
            };
            let detail = inspection.gaps.first().map_or(unread, |gap| gap.detail.as_str());
            vec![Obstacle::Unproven { detail: detail.to_owned() }]
        }
    }
}

/// The lacking parts that no obstacle names yet. A manifest may name 20,000 layers: the first few say what to do, the
/// number says the rest (F96).
fn lacking_parts(parts: &[Digest], obstacles: &[Obstacle]) -> Vec<Obstacle> {
    let named = |part: &&Digest| {
        let is_it = |it: &Obstacle| matches!(it, Obstacle::PartMissing { digest, .. } if digest == *part);
        obstacles.iter().any(is_it)
    };
    let unnamed: Vec<&Digest> = parts.iter().filter(|part| !named(part)).collect();
    let more = u64::try_from(unnamed.len().saturating_sub(PARTS_SHOWN)).ok().filter(|more| *more > 0);
    let last = unnamed.len().min(PARTS_SHOWN).saturating_sub(1);
    let shown = unnamed.into_iter().take(PARTS_SHOWN).enumerate().map(|(at, digest)| Obstacle::PartMissing {
        digest: digest.clone(),
        part: None,
        more: more.filter(|_| at == last),
    });
    shown.collect()
}

/// What is in the way because of its pin. `is_blind`: whether it needs one is not known (I22).
fn pin_obstacle(artifact: &ArtifactId, inspection: &Inspection, is_blind: bool) -> Option<Obstacle> {
    match &inspection.pin {
        PinState::Present | PinState::Unsupported { .. } => None,
        PinState::Absent if is_blind => None,
        PinState::Absent => Some(Obstacle::Unpinned),
        PinState::Moved(to) => Some(Obstacle::PinMoved { to: to.to_string() }),
        PinState::Unknown if is_explained(inspection) => None,
        PinState::Unknown => Some(Obstacle::Unproven { detail: format!("the pin of {artifact} could not be read") }),
    }
}

/// Whether its obstacles say by themselves why something about it is not proven.
fn is_explained(inspection: &Inspection) -> bool {
    inspection.gaps.is_empty() && (is_contradicted(inspection) || is_blocked(inspection))
}

/// Whether the server gave answers about it that cannot all be true: then none of them proves anything (I25).
fn is_contradicted(inspection: &Inspection) -> bool {
    inspection.obstacles.iter().any(|obstacle| matches!(obstacle, Obstacle::Contradiction { .. }))
}

/// Whether it or a part of it is there and kept from being pulled.
fn is_blocked(inspection: &Inspection) -> bool {
    inspection.obstacles.iter().any(|obstacle| matches!(obstacle, Obstacle::NotPullable { .. }))
}

/// Whether the artifact can be fetched whole, now, in the ordinary way (I7).
fn restorable(closure: &Closure, obstacles: &[Obstacle]) -> Option<bool> {
    let stops = |obstacle: &Obstacle| match obstacle {
        Obstacle::Missing
        | Obstacle::PartMissing { .. }
        | Obstacle::PartDamaged { .. }
        | Obstacle::WrongBytes { .. }
        | Obstacle::Archived { .. }
        | Obstacle::Hidden { .. }
        | Obstacle::NotPullable { .. } => true,
        Obstacle::NoObjectLock
        | Obstacle::NoPins { .. }
        | Obstacle::Unversioned
        | Obstacle::Lifecycle { .. }
        | Obstacle::Unpinned
        | Obstacle::PinRefused { .. }
        | Obstacle::PinMoved { .. }
        | Obstacle::Contradiction { .. }
        | Obstacle::CleanupUnknown { .. }
        | Obstacle::PartsUnpinned { .. }
        | Obstacle::Unproven { .. } => false,
    };
    if obstacles.iter().any(stops) {
        Some(false)
    } else if *closure == Closure::Unknown {
        None
    } else {
        Some(true)
    }
}

fn pin_of(pin: &PinState, pinnable: bool, attempt: Option<&Result<(), PinFailure>>) -> PinReport {
    match (pin, attempt) {
        (PinState::Present, Some(Ok(()))) => PinReport::Created,
        (PinState::Present, _) => PinReport::Present,
        (PinState::Unsupported { .. }, None | Some(Ok(()))) => PinReport::Unsupported,
        (PinState::Moved(_), _) | (_, Some(_)) => PinReport::Failed,
        (PinState::Absent, None) if pinnable => PinReport::Planned,
        (PinState::Absent | PinState::Unknown, None) => PinReport::Absent,
    }
}

impl ProtectionVerdict {
    fn unknown(detail: &str) -> Self {
        Self {
            pin: PinReport::Absent,
            restorable: None,
            obstacles: vec![Obstacle::Unproven { detail: detail.to_owned() }],
            pinnable: false,
        }
    }
}

#[cfg(test)]
mod tests;
