//! What a platform itself can still go back to, beside what the registry keeps: a release that is pinned and that the
//! workload has forgotten must be named anew.

use crate::model::{Control, Platform, Tenure, Workload};
use crate::outcome::ready::Remembered;
use crate::outcome::report::TargetReport;

use super::Uses;

/// Of the releases before the one that is to be left, those of which the workload has a state of its own.
pub(super) fn remembered(
    uses: &Uses<'_>,
    workload: &Workload,
    control: Option<&Control>,
    earlier: &[&TargetReport],
) -> Option<Remembered> {
    if !keeps_states(workload) {
        return None;
    }
    let has_state = |target: &&&TargetReport| {
        let mut states = uses.at(&target.artifact, workload);
        states.any(|used| used.revision.is_some() && !matches!(used.tenure, Tenure::Wanted { .. }))
    };
    let count = |number: usize| u32::try_from(number).unwrap_or(u32::MAX);
    let (limit, setting) = control.and_then(|control| control.history).unzip();
    Some(Remembered {
        releases: count(earlier.iter().filter(has_state).count()),
        of: count(earlier.len()),
        limit,
        setting: setting.map(str::to_owned),
    })
}

/// Whether it can be told to go back to a state that it keeps. What Git deploys keeps commits.
fn keeps_states(workload: &Workload) -> bool {
    match &workload.platform {
        Platform::Kubernetes { .. } => matches!(
            workload.kind.as_ref(),
            "deployment" | "deploymentconfig" | "statefulset" | "daemonset" | "rollout" | "ksvc"
        ),
        Platform::Helm { .. } | Platform::Lambda { .. } => true,
        Platform::Ecs { .. } => workload.kind.as_ref() == "service",
        Platform::ArgoCd { .. } | Platform::Flux { .. } | Platform::AppRunner { .. } => false,
    }
}
