//! What of a target an obstacle speaks against, and why, in words.

use super::Target;
use crate::model::Obstacle;

/// What of a target an obstacle speaks against.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Against {
    /// That it can be fetched whole, now.
    Intact,
    /// That its pin is there and holds.
    Pin,
    /// That what is below it outlives a cleanup of untagged manifests.
    Below,
    /// That lifecycle, retention and cleanup rules spare it.
    Rules,
}

/// Sorted without a wildcard: a new obstacle has to say what it speaks against, or it would be overlooked here.
pub(super) fn against(obstacle: &Obstacle, target: &Target<'_>) -> Against {
    let of_rules = || target.rules.contains(obstacle);
    match obstacle {
        Obstacle::Missing
        | Obstacle::PartMissing { .. }
        | Obstacle::PartDamaged { .. }
        | Obstacle::WrongBytes { .. }
        | Obstacle::Archived { .. }
        | Obstacle::Hidden { .. }
        | Obstacle::Contradiction { .. }
        | Obstacle::NotPullable { .. } => Against::Intact,
        Obstacle::NoObjectLock
        | Obstacle::NoPins { .. }
        | Obstacle::Unversioned
        | Obstacle::Unpinned
        | Obstacle::PinRefused { .. }
        | Obstacle::PinMoved { .. } => Against::Pin,
        Obstacle::CleanupUnknown { .. } | Obstacle::Lifecycle { .. } => Against::Rules,
        Obstacle::PartsUnpinned { .. } => Against::Below,
        Obstacle::Unproven { .. } if target.below == Some(obstacle) => Against::Below,
        // ECR's rules, where they cannot be seen, are reported by the source.
        Obstacle::Unproven { .. } if of_rules() || target.is_ecr_unseen() => Against::Rules,
        Obstacle::Unproven { .. } => Against::Pin,
    }
}

/// An obstacle as a clause that says why.
pub(super) fn said(obstacle: &Obstacle) -> String {
    match obstacle {
        Obstacle::Lifecycle { rule, effect, .. } => format!("lifecycle rule {rule}: {effect}"),
        Obstacle::CleanupUnknown { detail }
        | Obstacle::Unproven { detail }
        | Obstacle::NoPins { detail }
        | Obstacle::NotPullable { detail }
        | Obstacle::WrongBytes { detail } => detail.clone(),
        Obstacle::PinRefused { detail } => format!("no pin is made, because it would do harm: {detail}"),
        Obstacle::Missing => "it does not exist any more".to_owned(),
        Obstacle::PartMissing { digest, .. } | Obstacle::PartDamaged { digest, .. } => {
            format!("part {digest} of it is gone or damaged")
        }
        Obstacle::Contradiction { about, said, but } => format!("{about}: {said}, but {but}"),
        Obstacle::Archived { class } => format!("it lies in archive storage ({class})"),
        Obstacle::Hidden { marker } => format!("delete marker {marker} hides it"),
        Obstacle::NoObjectLock => "the bucket has no Object Lock".to_owned(),
        Obstacle::Unversioned => "the bucket keeps no versions".to_owned(),
        Obstacle::Unpinned => "it has no pin".to_owned(),
        Obstacle::PinMoved { to } => format!("its pin names {to}"),
        Obstacle::PartsUnpinned { count, first, why } => {
            let why = why.as_ref().map(|why| format!(": {why}")).unwrap_or_default();
            format!("manifests below it have no pin ({count}, {first} first){why}")
        }
    }
}
