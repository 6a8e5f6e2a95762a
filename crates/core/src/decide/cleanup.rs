//! Registries whose own cleanup rules cannot be read: what that means for pins, for what is called protected, and for
//! whoever runs the registry (I22, F123).

use jiff::Timestamp;

use crate::model::{Cleanup, Code, Finding, Obstacle, Recognised, RegistryKind, Severity, SourceName, StatedCleanup};
use crate::outcome::report::PinReport;

use super::protection::ProtectionVerdict;

/// What keeps a target from being called protected, whether or not it is pinned.
pub(super) fn obstacle(cleanup: &Cleanup) -> Option<Obstacle> {
    let detail = match (cleanup.stated, &cleanup.registry) {
        // What has no tag below an index has a pin of its own, or is reported as lacking one (`cover`).
        (Some(StatedCleanup::None | StatedCleanup::Untagged), _) => return None,
        // Its inspection says so, with the source that can read them.
        (_, Recognised::Kind(RegistryKind::Ecr)) => return None,
        (None, _) if cleanup.is_known_without_rules() => return None,
        (Some(StatedCleanup::Unknown), Recognised::Kind(kind) | Recognised::Before(kind)) if !kind.has_rules() => {
            "the policy says that what cleans up here is unknown".to_owned()
        }
        (_, Recognised::Kind(kind)) => format!("this registry ({kind}) does not expose its cleanup rules"),
        (_, Recognised::Before(kind)) => {
            format!("an earlier run recognised this registry as {kind}, which does not expose its cleanup rules")
        }
        (None, Recognised::Unknown { detail }) => {
            format!("which kind of registry this is, and so what cleans up here, could not be read: {detail}")
        }
        (Some(StatedCleanup::Unknown), _) => "the policy says that what cleans up here is unknown".to_owned(),
        (None, Recognised::NotAsked | Recognised::Plain) => return None,
    };
    Some(Obstacle::CleanupUnknown { detail })
}

/// Why it is not known what rules there are, where a source without readable rules may have some (F123).
pub(super) fn unread(cleanup: &Cleanup) -> Option<String> {
    match obstacle(cleanup) {
        // A source of Quay's own takes no `cleanup`.
        Some(Obstacle::CleanupUnknown { detail })
            if cleanup.stated.is_none()
                && matches!(
                    cleanup.registry,
                    Recognised::Kind(RegistryKind::Quay) | Recognised::Before(RegistryKind::Quay)
                ) =>
        {
            Some(format!("{detail}; the finding cleanup-unknown says what to do"))
        }
        Some(Obstacle::CleanupUnknown { detail }) if cleanup.stated.is_none() => {
            Some(format!("{detail}; state on the source what cleans up: `cleanup: none`, `untagged` or `unknown`"))
        }
        Some(Obstacle::CleanupUnknown { detail }) => Some(detail),
        _ if cleanup.kind() == Some(RegistryKind::Ecr) => {
            Some("Amazon ECR's lifecycle policy cannot be seen through an `oci` source; use an `ecr` source".to_owned())
        }
        _ => None,
    }
}

/// Takes back a pin that would be made now, where none is made. A pin that was there before and is gone stays a lack of
/// its own: somebody took it.
pub(super) fn withhold(cleanup: &Cleanup, was_pinned: bool, verdict: ProtectionVerdict) -> ProtectionVerdict {
    if !cleanup.withholds_pins() || !verdict.pinnable {
        return verdict;
    }
    let mut verdict = ProtectionVerdict { pin: PinReport::Withheld, pinnable: false, ..verdict };
    if !was_pinned {
        // It is unpinned on purpose; whether the registry's rules take it is what nobody knows.
        verdict.obstacles.retain(|obstacle| *obstacle != Obstacle::Unpinned);
    }
    verdict
}

/// What whoever runs the source should know: one finding for all that is in it.
#[must_use]
pub fn unreadable(source: &SourceName, cleanup: &Cleanup, now: Timestamp) -> Option<Finding> {
    let (severity, message, remedy) = match (cleanup.stated, &cleanup.registry) {
        (Some(StatedCleanup::None | StatedCleanup::Untagged), _) => return None,
        (None, _) if cleanup.is_known_without_rules() => return None,
        // Left to the compiler, which does not see that the line above takes them.
        (None, Recognised::NotAsked | Recognised::Plain) => return None,
        (Some(StatedCleanup::Unknown), registry) => {
            let kind = match registry {
                Recognised::Kind(kind) | Recognised::Before(kind) if kind.has_rules() => {
                    format!("this registry ({kind}) does not expose its cleanup rules")
                }
                _ => "what cleans up in this registry is unknown".to_owned(),
            };
            let message =
                format!("{kind}; the policy says `cleanup: unknown`, so pins are made and nothing is called protected");
            let remedy = match registry {
                Recognised::Kind(kind) | Recognised::Before(kind) => safe_pins(*kind).to_owned(),
                _ => "find out what removes tags there".to_owned(),
            };
            (Severity::Medium, message, format!("{remedy}; then write `cleanup: none` or `cleanup: untagged`"))
        }
        (None, Recognised::Kind(kind)) => (
            Severity::High,
            format!(
                "this registry ({kind}) does not expose its cleanup rules; a new pin may push a release out, so none is \
                 made, and existing pins are not proven to hold"
            ),
            format!("{}; then {}", safe_pins(*kind), state(*kind)),
        ),
        (None, Recognised::Before(kind)) => (
            Severity::High,
            format!(
                "an earlier run recognised this registry as {kind}, which does not expose its cleanup rules, and it shows \
                 no mark of that now; no new pin is made, and existing pins are not proven to hold"
            ),
            format!(
                "if {kind} still answers there, see what a proxy in front hides, and {}; then, or if it is another \
                 registry now, {}",
                safe_pins(*kind),
                state(*kind)
            ),
        ),
        (None, Recognised::Unknown { detail }) => (
            Severity::High,
            format!("which kind of registry this is could not be read, so no new pin is made: {detail}"),
            format!("run again once the registry answers, or {STATE}"),
        ),
    };
    Some(Finding::at_large(Code::CleanupUnknown, severity, Some(source), message, remedy, now))
}

const STATE: &str = "state on the source what cleans up: `cleanup: none` (nothing, or rules that neither take nor count \
                     pins), `cleanup: untagged` (only what has no tag), or `cleanup: unknown` (pin all the same)";

/// What to state. A source of Quay's own takes no `cleanup`.
fn state(kind: RegistryKind) -> String {
    match kind {
        RegistryKind::Quay => format!("in an `oci` source {STATE}"),
        _ => STATE.to_owned(),
    }
}

/// What makes pins safe in each kind of registry, by its own means: that they are not taken, and that nothing counts them
/// (J42, K49, K53, K55). Of the first six it is a law of the tests that this suffices.
const fn safe_pins(kind: RegistryKind) -> &'static str {
    match kind {
        RegistryKind::Harbor => {
            "write `harbor:` in place of `oci:` on the source, which reads its rules and needs no `cleanup`; or in each \
             project add a tag immutability rule and a tag retention rule \"always\", both for repositories ** \
             and tags prod-pinned-*, and keep nothing by \"the most recently pushed, pulled or active # artifacts\": a pin \
             is a push there, and making it pulls the manifest"
        }
        RegistryKind::Zot => {
            "in a `zot` source name its configuration file with `config:`; in an `oci` source write `zot:` in place of it, \
             or state `cleanup:` once under storage.retention an own keepTags entry stands first in each policy: \
             {\"patterns\": [\"^prod-pinned-\"]}, and none has mostRecentlyPulledCount: making a pin pulls its manifest"
        }
        RegistryKind::Quay => {
            "in a `quay` source set `token:` to an OAuth token for Quay's API, which shows its auto-prune policies; in an `oci` \
             source write `quay:` in place of it, or add an immutability policy with the tag pattern prod-pinned-.* to the \
             organization (Quay 3.17 or later, FEATURE_IMMUTABLE_TAGS), or leave prod-pinned-.* out of every auto-prune policy"
        }
        RegistryKind::GitLab => {
            "write `gitlab:` in place of `oci:` on the source, which reads the cleanup policy and needs no `cleanup`; or add \
             prod-pinned-.* to \"keep tags matching\" in the cleanup policy of each project, and \
             leave an expression there that contains | out of brackets, which change what it keeps; a protected or immutable tag rule does not replace it: its tags are not deleted, and take \
             places among the newest that the policy keeps"
        }
        RegistryKind::Azure => {
            "write `acr:` in place of `oci:` on the source, which locks pins with the manifests of their platforms, and needs \
             no `cleanup`; or begin the tag part of every acr purge filter with ^(?!prod-pinned-), so that pins are neither deleted nor \
             counted; locks do not replace it: they come after a pin, hold only if the manifests of its platforms are \
             locked, too, and give way to --include-locked"
        }
        RegistryKind::Google => {
            "write `gar:` in place of `oci:` on the source (for https://LOCATION-docker.pkg.dev), which reads the cleanup policies and \
             needs no `cleanup`; or add a Keep cleanup policy with tagPrefixes prod-pinned- (gcloud artifacts repositories \
             set-cleanup-policies); it does not keep the platforms of an index, so write `cleanup: untagged` if any policy \
             deletes what has no tag"
        }
        RegistryKind::Artifactory => "exclude tags prod-pinned-* from every cleanup policy",
        RegistryKind::Nexus => {
            "leave prod-pinned-* out of every cleanup policy's asset name matcher, and run no task that deletes by age \
             or last download there"
        }
        RegistryKind::Gitea => "set \"keep versions matching\" to ^prod-pinned- in every cleanup rule of the owner",
        RegistryKind::DockerHub => "it has no cleanup rules; find out which jobs delete tags",
        RegistryKind::GitHub => "it has no cleanup rules; find out which workflows delete package versions",
        RegistryKind::Ecr => "read it as an `ecr` source, which simulates its lifecycle policy",
        RegistryKind::Hosted(_) => "exempt tags prod-pinned-* from its retention rules",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const KINDS: [RegistryKind; 11] = [
        RegistryKind::Harbor,
        RegistryKind::Zot,
        RegistryKind::Quay,
        RegistryKind::GitLab,
        RegistryKind::Azure,
        RegistryKind::Google,
        RegistryKind::Artifactory,
        RegistryKind::Nexus,
        RegistryKind::Gitea,
        RegistryKind::Ecr,
        RegistryKind::Hosted("a service"),
    ];

    fn cleanup(registry: Recognised, stated: Option<StatedCleanup>) -> Cleanup {
        Cleanup { registry, stated }
    }

    #[test]
    fn one_finding_says_what_it_is_and_how_to_make_pins_safe_f123() {
        let (source, now) = ("shop".parse().unwrap(), Timestamp::UNIX_EPOCH);
        for kind in KINDS {
            let silent = unreadable(&source, &cleanup(Recognised::Kind(kind), None), now).unwrap();
            assert_eq!((silent.code, silent.severity), (Code::CleanupUnknown, Severity::High), "{kind}");
            assert!(silent.message.contains(kind.name()) && silent.remedy.contains("`cleanup: none`"), "{silent:?}");
            let stated = cleanup(Recognised::Kind(kind), Some(StatedCleanup::Unknown));
            assert_eq!(unreadable(&source, &stated, now).unwrap().severity, Severity::Medium, "{kind}");
            for stated in [StatedCleanup::None, StatedCleanup::Untagged] {
                assert_eq!(unreadable(&source, &cleanup(Recognised::Kind(kind), Some(stated)), now), None, "{kind}");
            }
        }
        assert_eq!(unreadable(&source, &cleanup(Recognised::Plain, None), now), None);
        assert_eq!(unreadable(&source, &Cleanup::default(), now), None);
        let unknown = cleanup(Recognised::Unknown { detail: "GET /v2/: HTTP status 502".to_owned() }, None);
        assert_eq!(unreadable(&source, &unknown, now).unwrap().severity, Severity::High);
    }

    #[test]
    fn what_makes_pins_safe_keeps_them_from_being_counted_too_i22_j42_k49_k55() {
        for (kind, what) in [
            (RegistryKind::Harbor, "most recently pushed, pulled or active"),
            (RegistryKind::Zot, "mostRecentlyPulledCount"),
            (RegistryKind::Azure, "^(?!prod-pinned-)"),
            (RegistryKind::GitLab, "take places among the newest"),
            // A policy that keeps by tag keeps no platform of an index (I26, K43).
            (RegistryKind::Google, "`cleanup: untagged` if any policy deletes what has no tag"),
        ] {
            assert!(safe_pins(kind).contains(what), "{kind}");
        }
        assert!(STATE.contains("neither take nor count"));
    }

    /// `quay:` without a token is recognised as Quay, and there the key would be an error.
    #[test]
    fn a_source_of_quays_own_is_not_told_to_state_what_it_cannot() {
        let (source, now) = ("shop".parse().unwrap(), Timestamp::UNIX_EPOCH);
        for registry in [Recognised::Kind(RegistryKind::Quay), Recognised::Before(RegistryKind::Quay)] {
            let cleanup = cleanup(registry, None);
            let found = unreadable(&source, &cleanup, now).unwrap();
            assert!(found.remedy.contains("in a `quay` source set `token:`"), "{}", found.remedy);
            assert!(found.remedy.contains("in an `oci` source state on the source"), "{}", found.remedy);
            let detail = unread(&cleanup).unwrap();
            assert!(!detail.contains("`cleanup"), "{detail}");
        }
    }

    #[test]
    fn what_is_not_proven_says_why_and_what_the_policy_states_ends_it_i22_f123_f125() {
        let zot = || Recognised::Kind(RegistryKind::Zot);
        for (registry, stated, unknown) in [
            (zot(), None, true),
            (zot(), Some(StatedCleanup::Unknown), true),
            (zot(), Some(StatedCleanup::None), false),
            (zot(), Some(StatedCleanup::Untagged), false),
            (Recognised::Kind(RegistryKind::Nexus), Some(StatedCleanup::Untagged), false),
            (Recognised::Plain, Some(StatedCleanup::Untagged), false),
            (Recognised::Plain, Some(StatedCleanup::Unknown), true),
            (Recognised::Plain, None, false),
            (Recognised::NotAsked, None, false),
            (Recognised::Unknown { detail: String::new() }, None, true),
            (Recognised::Before(RegistryKind::Zot), None, true),
            (Recognised::Before(RegistryKind::Zot), Some(StatedCleanup::Unknown), true),
            (Recognised::Before(RegistryKind::Zot), Some(StatedCleanup::Untagged), false),
        ] {
            let cleanup = cleanup(registry, stated);
            let found = obstacle(&cleanup);
            assert_eq!(found.is_some(), unknown, "{cleanup:?}");
            assert!(found.is_none_or(|obstacle| obstacle.is_unknown()), "{cleanup:?}");
        }
    }

    #[test]
    fn a_withheld_pin_leaves_protection_unknown_and_a_lost_one_is_a_lack_i22() {
        let verdict = || ProtectionVerdict {
            pin: PinReport::Planned,
            restorable: Some(true),
            obstacles: vec![Obstacle::Unpinned, Obstacle::CleanupUnknown { detail: String::new() }],
            pinnable: true,
        };
        let harbor = cleanup(Recognised::Kind(RegistryKind::Harbor), None);
        let kept = withhold(&harbor, false, verdict());
        assert_eq!((kept.pin, kept.pinnable), (PinReport::Withheld, false));
        assert!(!kept.obstacles.contains(&Obstacle::Unpinned));
        let lost = withhold(&harbor, true, verdict());
        assert_eq!((lost.pin, lost.pinnable), (PinReport::Withheld, false));
        assert!(lost.obstacles.contains(&Obstacle::Unpinned));
        let stated = cleanup(Recognised::Kind(RegistryKind::Harbor), Some(StatedCleanup::Unknown));
        assert_eq!(withhold(&stated, false, verdict()), verdict());
    }
}
