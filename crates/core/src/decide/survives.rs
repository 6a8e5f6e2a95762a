//! What a target survives, kind of loss by kind of loss, and whether it is protected, which follows from that and from
//! nothing else. Unknown is never a yes: what was not read is no evidence.

mod acr;
mod against;
mod docker_hub;
mod gar;
mod gitlab;
mod harbor;
mod quay;

use jiff::Timestamp;

use crate::model::{
    Answer, ArtifactKind, BucketRetention, Closure, Inspection, Lock, LockMode, Loss, Obstacle, PinState, Presence,
    Recognised, RegistryKind, Retained, Retention, Setting, Snapshot, StatedCleanup, Survival, Survives, Versioning,
};
use crate::outcome::report::PinReport;

use self::against::{Against, against, said};
use super::cover::Keeping;
use super::place::Place;
use super::protection::ProtectionVerdict;

/// What is known of one target.
pub(super) struct Target<'a> {
    pub(super) inspection: Option<&'a Inspection>,
    pub(super) verdict: &'a ProtectionVerdict,
    /// Those of its obstacles that come of cleanup and lifecycle rules.
    pub(super) rules: &'a [Obstacle],
    /// That of them that comes of what is below it.
    pub(super) below: Option<&'a Obstacle>,
    /// What keeps that from a cleanup of untagged manifests.
    pub(super) keeping: Keeping,
    pub(super) snapshot: &'a Snapshot,
    /// A tag that names it now, pins left out.
    pub(super) tag: Option<&'a str>,
    pub(super) now: Timestamp,
    /// Whether a vault may hold it, too.
    pub(super) has_vault: bool,
}

/// What it survives.
pub(super) fn survives(target: &Target<'_>) -> Survives {
    if let Some(lost) = target.lost() {
        return Survives::all(&lost);
    }
    Survives {
        tag_cleanup: target.tag_cleanup(),
        untagged_cleanup: target.untagged_cleanup(),
        lifecycle_rules: target.lifecycle_rules(),
        deletion_by_digest: target.deletion_by_digest(),
        loss_of_registry: target.loss_of_registry(),
    }
}

/// Whether it is protected: intact, pinned, and surviving the first three. The only place that says so.
pub(super) fn protected(target: &Target<'_>, survives: &Survives) -> Option<bool> {
    let survived = Loss::OF_PROTECTED.map(|loss| match survives.of(loss).answer {
        Answer::Yes => Some(true),
        Answer::No => Some(false),
        Answer::Unknown => None,
    });
    all([target.intact(), target.pinned()].into_iter().chain(survived))
}

/// One no is a no, and one unknown keeps it from being a yes.
fn all(facts: impl Iterator<Item = Option<bool>>) -> Option<bool> {
    let mut known = true;
    for fact in facts {
        match fact {
            Some(false) => return Some(false),
            Some(true) => {}
            None => known = false,
        }
    }
    known.then_some(true)
}

impl<'a> Target<'a> {
    /// Its obstacles of one kind: those that are definite first.
    fn obstacles(&self, kind: Against) -> (Option<&'a Obstacle>, Option<&'a Obstacle>) {
        let of_kind = || self.verdict.obstacles.iter().filter(|obstacle| against(obstacle, self) == kind);
        (of_kind().find(|obstacle| !obstacle.is_unknown()), of_kind().find(|obstacle| obstacle.is_unknown()))
    }

    /// What is gone or spoilt already is lost to every kind of loss.
    fn lost(&self) -> Option<Survival> {
        let why = self.verdict.obstacles.iter().find_map(|obstacle| match obstacle {
            Obstacle::Missing => Some("it does not exist any more".to_owned()),
            Obstacle::PartMissing { digest, part, .. } => {
                Some(format!("{} {digest} of it is gone already", part.as_deref().unwrap_or("part")))
            }
            Obstacle::PartDamaged { digest, .. } => Some(format!("part {digest} of it is damaged already")),
            Obstacle::WrongBytes { .. } => Some("other bytes are served in its place".to_owned()),
            _ => None,
        })?;
        Some(Survival::no(why))
    }

    /// Whether it is whole, now. Answers that cannot all be true prove nothing.
    fn intact(&self) -> Option<bool> {
        match (self.verdict.restorable, self.obstacles(Against::Intact)) {
            (_, (Some(_), _)) => Some(false),
            (Some(true), (None, Some(_))) => None,
            (restorable, _) => restorable,
        }
    }

    /// Whether its pin was read back and nothing speaks against it.
    fn pinned(&self) -> Option<bool> {
        let is_there = matches!(self.verdict.pin, PinReport::Present | PinReport::Created);
        match self.obstacles(Against::Pin) {
            (Some(_), _) => Some(false),
            (None, None) if is_there => Some(true),
            (None, _) => None,
        }
    }

    fn is_index(&self) -> bool {
        self.inspection.is_some_and(|seen| seen.kind == Some(ArtifactKind::Index))
    }

    /// Whether everything below it was found, so that none of it can lack a pin untold.
    fn saw_below(&self) -> bool {
        self.inspection.is_some_and(|seen| {
            seen.presence == Presence::Present && seen.closure == Closure::Complete && !seen.parts.below.is_empty()
        })
    }

    /// Whether it is ECR, read as any registry.
    fn is_ecr_unseen(&self) -> bool {
        self.snapshot.cleanup.kind() == Some(RegistryKind::Ecr)
    }

    /// Whether it is a chart repository that answers over HTTP and nothing else.
    fn is_chart_server(&self) -> bool {
        Place::of(self.snapshot) == Place::ChartServer
    }

    fn bucket(&self) -> Option<&'a BucketRetention> {
        match &self.snapshot.retention {
            Retention::Bucket(bucket) => Some(bucket),
            Retention::Unruled
            | Retention::Ecr(_)
            | Retention::Harbor(_)
            | Retention::Acr(_)
            | Retention::GitLab(_)
            | Retention::Zot(_)
            | Retention::Gar(_)
            | Retention::Quay(_) => None,
        }
    }

    /// What keeps an object version from being deleted.
    fn lock(&self) -> Lock {
        let Some(seen) = self.inspection else { return Lock::UNKNOWN };
        let of_pin = match seen.pin {
            PinState::Present => Lock { hold: Some(true), ..Lock::UNKNOWN },
            PinState::Absent | PinState::Unsupported { .. } => Lock { hold: Some(false), ..Lock::UNKNOWN },
            PinState::Moved(_) | PinState::Unknown => Lock::UNKNOWN,
        };
        seen.object.as_ref().map_or(of_pin, |object| object.lock)
    }

    fn tag_cleanup(&self) -> Survival {
        if let Some(bucket) = self.bucket() {
            return self.deletion_by_key(bucket);
        }
        match (self.pinned(), self.obstacles(Against::Pin)) {
            (Some(true), _) => Survival::yes("its pin was read back"),
            (Some(false), (Some(Obstacle::PinMoved { to }), _)) => Survival::no(format!("its pin names {to}")),
            (Some(false), (Some(Obstacle::NoPins { detail }), _)) => {
                Survival::no(format!("nothing can be pinned here: {detail}"))
            }
            (Some(false), _) => Survival::no("it has no pin, so a cleanup of tags leaves none that names it"),
            (None, (_, Some(unknown))) => Survival::unknown(said(unknown)),
            (None, _) if self.verdict.pin == PinReport::Withheld => {
                Survival::unknown("no pin is made here, because what cleans up is not known")
            }
            (None, _) => Survival::unknown("its pin could not be read"),
        }
    }

    /// The same in a bucket: the key's current version is deleted by its key, or overwritten.
    fn deletion_by_key(&self, bucket: &BucketRetention) -> Survival {
        if self.lock().hold == Some(true) {
            return Survival::yes("a legal hold is on this version: deleting or overwriting its key leaves it there");
        }
        if self.verdict.obstacles.contains(&Obstacle::Unversioned) {
            return Survival::no("the bucket keeps no versions: deleting or overwriting the key destroys it");
        }
        match bucket.versioning {
            Some(Versioning::Enabled | Versioning::Suspended) => {
                Survival::yes("the bucket keeps versions: deleting or overwriting the key leaves this one there")
            }
            Some(Versioning::Off) => {
                Survival::no("the bucket keeps no versions: deleting or overwriting the key destroys it")
            }
            None => Survival::unknown("whether the bucket keeps versions could not be read"),
        }
    }

    fn untagged_cleanup(&self) -> Survival {
        match self.obstacles(Against::Below) {
            (Some(obstacle), _) => return Survival::no(said(obstacle)),
            (None, Some(obstacle)) => return Survival::unknown(said(obstacle)),
            (None, None) => {}
        }
        let pinned = self.pinned();
        if self.bucket().is_some() {
            return match (self.lock().hold, pinned) {
                (Some(true), _) => Survival::yes("a legal hold is on this version"),
                (_, Some(false)) => Survival::no("nothing holds this version once another one is current"),
                _ => Survival::unknown("whether a legal hold is on this version could not be read"),
            };
        }
        if self.is_chart_server() {
            return Survival::yes("a chart repository has no untagged manifests");
        }
        let Some(below) = self.keeps_below() else {
            return Survival::unknown("whether the images of this index have tags of their own is not known");
        };
        match (pinned, self.tag) {
            (Some(true), _) => Survival::yes(format!("its pin is a tag{below}")),
            (_, Some(tag)) => Survival::yes(format!("tag {tag} names it{below}")),
            (Some(false), None) => Survival::no("no tag that was listed names it, and it has no pin"),
            (None, None) => Survival::unknown("no tag that was listed names it, and its pin is not proven"),
        }
    }

    /// How the manifests below it outlive that, as the end of a sentence; none if that is not known. What lacks a pin there
    /// is an obstacle.
    fn keeps_below(&self) -> Option<&'static str> {
        match self.keeping {
            _ if !self.is_index() => Some(""),
            Keeping::References => Some(", and this registry keeps what a tagged index names"),
            // Where no pin is made on purpose nobody looked whether there are any.
            Keeping::Locks => self.locks_below(),
            Keeping::Pins if self.saw_below() && !self.snapshot.cleanup.withholds_pins() => {
                Some(", and every manifest below it has a pin of its own")
            }
            Keeping::Pins | Keeping::NothingByPolicy | Keeping::NothingWhereTagsCount(_) => None,
        }
    }

    fn lifecycle_rules(&self) -> Survival {
        match self.obstacles(Against::Rules) {
            (Some(obstacle), _) => return Survival::no(said(obstacle)),
            (None, Some(obstacle)) => return Survival::unknown(said(obstacle)),
            (None, None) => {}
        }
        match &self.snapshot.retention {
            Retention::Ecr(ecr) => match ecr.lifecycle {
                Setting::Unset => Survival::yes("the repository has no lifecycle policy"),
                Setting::Text(_) => Survival::yes("the live lifecycle policy was simulated, and no rule selects it"),
                Setting::Unknown => Survival::unknown("the lifecycle policy could not be read"),
            },
            Retention::Bucket(bucket) => match &bucket.lifecycle {
                Some(lifecycle) if lifecycle.rules.is_empty() => Survival::yes("the bucket has no lifecycle rules"),
                Some(_) => Survival::yes("the live lifecycle rules were simulated, and none reaches it"),
                None => Survival::unknown("the lifecycle rules could not be read"),
            },
            Retention::Harbor(harbor) => match harbor.policy {
                Setting::Unset => Survival::yes("the project has no retention policy"),
                Setting::Text(_) => Survival::yes("the retention policy was simulated, and no run takes it"),
                Setting::Unknown => Survival::unknown("the project's retention policy could not be read"),
            },
            Retention::Acr(acr) => self.rules_of_acr(acr),
            Retention::GitLab(repository) => match &repository.policy {
                Setting::Unset => Survival::yes("the GitLab project has no cleanup policy"),
                Setting::Text(_) => Survival::yes("the project's cleanup policy was simulated, and no run takes it"),
                Setting::Unknown => Survival::unknown("the project's cleanup policy could not be read"),
            },
            Retention::Gar(gar) => Self::rules_of_gar(gar),
            Retention::Quay(_) => Survival::yes("auto-prune was simulated, and no policy takes it"),
            Retention::Zot(_) => Survival::yes("zot's retention was simulated, and no collection takes it"),
            Retention::Unruled if self.is_chart_server() => {
                Survival::unknown("whether the chart repository has cleanup rules cannot be read")
            }
            Retention::Unruled => self.without_rules(),
        }
    }

    /// A registry whose rules, if it has any, cannot be read.
    fn without_rules(&self) -> Survival {
        let cleanup = &self.snapshot.cleanup;
        match (cleanup.stated, &cleanup.registry) {
            (Some(StatedCleanup::None), _) => Survival::yes("the policy says that nothing cleans up here"),
            (Some(StatedCleanup::Untagged), _) => {
                Survival::yes("the policy says that only untagged manifests are cleaned up here")
            }
            (_, Recognised::NotAsked | Recognised::Plain) => {
                Survival::yes("the registry is of no kind that has cleanup rules of its own")
            }
            (_, Recognised::Kind(kind) | Recognised::Before(kind)) if !kind.has_rules() => {
                Survival::yes(format!("{kind} has no cleanup rules of its own"))
            }
            // Each of these is an obstacle, and so does not come here.
            (_, Recognised::Kind(_) | Recognised::Before(_) | Recognised::Unknown { .. }) => {
                Survival::unknown("what cleans up in this registry is not known")
            }
        }
    }

    fn deletion_by_digest(&self) -> Survival {
        if let Some(bucket) = self.bucket() {
            return self.deletion_of_version(bucket);
        }
        if self.is_chart_server() {
            return Survival::unknown("whether files of this chart repository can be deleted cannot be read");
        }
        if let Retention::Harbor(harbor) = &self.snapshot.retention {
            return self.deletion_in_harbor(harbor);
        }
        if let Retention::Acr(acr) = &self.snapshot.retention {
            return self.deletion_in_acr(acr);
        }
        if let Retention::GitLab(repository) = &self.snapshot.retention {
            return self.deletion_in_gitlab(repository);
        }
        if matches!(self.snapshot.retention, Retention::Gar(_)) {
            return self.deletion_in_gar();
        }
        if let Retention::Quay(quay) = &self.snapshot.retention {
            return self.deletion_in_quay(quay);
        }
        match (&self.snapshot.retention, self.snapshot.cleanup.kind()) {
            (Retention::Ecr(_), _) | (_, Some(RegistryKind::Ecr)) => {
                Survival::no("Amazon ECR deletes images by digest, pinned or not, for whoever its policies allow to")
            }
            (Retention::Zot(_), _) | (_, Some(RegistryKind::Zot)) => {
                Survival::no("zot deletes manifests by digest, pinned or not, for whoever may delete")
            }
            (_, Some(RegistryKind::DockerHub)) => self.deletion_in_docker_hub(),
            (_, Some(RegistryKind::GitHub)) => Survival::no(
                "GitHub deletes versions of a package, pinned or not, for whoever administers it; it can restore them for 30 days",
            ),
            (_, Some(kind)) => Survival::unknown(format!(
                "whether {kind} refuses to delete what is pinned cannot be read through this source"
            )),
            (_, None) => Survival::unknown("whether this registry takes deletions by digest cannot be read"),
        }
    }

    fn deletion_of_version(&self, bucket: &BucketRetention) -> Survival {
        let lock = self.lock();
        match (lock.hold, lock.retained) {
            (Some(true), _) => Survival::yes("a legal hold is on this version, and S3 refuses to delete it"),
            (_, Retained::Until { mode: LockMode::Compliance, until }) if until > self.now => {
                Survival::yes(format!("it is retained in compliance mode until {until}"))
            }
            (None, _) => Survival::unknown("whether a legal hold is on this version could not be read"),
            (Some(false), _) if bucket.object_lock == Some(false) => {
                Survival::no("the bucket has no Object Lock, so nothing keeps this version from being deleted")
            }
            (Some(false), Retained::Until { until, .. }) if until > self.now => {
                Survival::no(format!("its retention until {until} is in governance mode, and can be bypassed"))
            }
            (Some(false), Retained::No | Retained::Until { .. }) => Survival::no("no legal hold is on this version"),
            (Some(false), Retained::Unknown) => Survival::no("no legal hold is on it, and no retention is known"),
        }
    }

    /// What else holds the same bytes is asked for here, and nowhere else.
    fn loss_of_registry(&self) -> Survival {
        if self.has_vault {
            return Survival::unknown("what the vault holds of it was not looked at");
        }
        let here = Place::of(self.snapshot).noun();
        Survival::no(format!("no copy outside this {here} is known"))
    }
}

#[cfg(test)]
mod tests;
