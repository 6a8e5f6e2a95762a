//! Registries that clean up by rules which an `oci` source cannot read (F123): Harbor, zot, Quay, Azure, Google, GitLab. The program
//! decides without them; what comes of it is lived through under them.

use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;
use prodpin::model::{
    ArtifactId, ArtifactKind, Cleanup, DeployedReference, Deployment, Digest, Evidence, Inspection, ObservedTag, Part,
    Parts, Pin, PinTerms, Recognised, Resolution, Snapshot, StatedCleanup,
};

use super::law::{Engine, Left, whole};
use crate::engines::world::{DAY, World};

/// Such a registry, and what the policy says of it.
#[derive(Debug, Clone)]
pub(super) struct Registry {
    pub(super) world: World,
    pub(super) recognised: Recognised,
    pub(super) stated: Option<StatedCleanup>,
    /// What runs, by name, with or without a tag.
    pub(super) running: Vec<String>,
}

/// What comes: days that pass, something pushed under a tag or nothing, and a cleanup.
pub(super) type Future = Vec<(u16, Option<&'static str>)>;

impl Registry {
    /// Recognised as what it is.
    pub(super) fn new(world: World, stated: Option<StatedCleanup>) -> Self {
        let recognised = Recognised::Kind(world.kind());
        Self { world, recognised, stated, running: Vec::new() }
    }

    /// How much of this artifact is left there. Bytes that lost a name which they had are hidden from whoever uses it; an
    /// index whose platform is gone is no more.
    fn left(&self, name: &str, then: &World) -> Left {
        let (Some(was), Some(is)) = (self.world.item(name), then.item(name)) else { return Left::Gone };
        if is.children.iter().any(|child| self.left(child, then) == Left::Gone) {
            return Left::Gone;
        }
        let own = |(tag, _): &&(String, i64)| Pin::read(&tag.parse().unwrap()).is_none();
        let kept = was.tags.iter().filter(own).all(|(tag, _)| is.tags.iter().any(|(other, _)| other == tag));
        if kept { Left::Whole } else { Left::Hidden }
    }
}

impl Engine for Registry {
    type Future = Future;

    fn now(&self) -> Timestamp {
        crate::forecast_ecr::world::now()
    }

    fn snapshot(&self) -> Snapshot {
        let mut tags: Vec<ObservedTag> = Vec::new();
        for item in &self.world.items {
            tags.extend(item.tags.iter().map(|(name, _)| ObservedTag {
                name: name.parse().unwrap(),
                target: Resolution::Artifact(item.digest.clone().into()),
                pushed: None,
                object: None,
            }));
        }
        tags.sort_by(|a, b| a.name.cmp(&b.name));
        let cleanup = Cleanup { registry: self.recognised.clone(), stated: self.stated };
        Snapshot { tags, cleanup, ..Snapshot::default() }
    }

    fn running(&self) -> Vec<Deployment> {
        let reference =
            |name: &String| DeployedReference::Artifact(self.world.item(name).unwrap().digest.clone().into());
        self.running
            .iter()
            .map(|name| Deployment::now(reference(name), Evidence::RunningDigest, "file in-use.json"))
            .collect()
    }

    fn inspect(&self, artifact: &ArtifactId) -> Inspection {
        let item = self.world.items.iter().find(|item| Some(&item.digest) == artifact.digest()).unwrap();
        let children = item.children.iter().filter_map(|child| self.world.item(child));
        let children: Vec<Digest> = children.map(|child| child.digest.clone()).collect();
        let kind = item.is_index.then_some(ArtifactKind::Index);
        let snapshot = self.snapshot();
        let part = |digest: &Digest| Part {
            digest: digest.clone(),
            name: None,
            pin: whole(&digest.clone().into(), &snapshot).pin,
        };
        let parts = Parts { asked: true, below: children.iter().map(part).collect(), ..Parts::default() };
        Inspection { kind, children, parts, ..whole(artifact, &snapshot) }
    }

    fn pin(&self, artifact: &ArtifactId) -> Self {
        let mut pinned = self.clone();
        pinned.world.pin(artifact.digest().unwrap());
        pinned
    }

    fn live(&self, future: &Future) -> Vec<BTreeMap<ArtifactId, Left>> {
        let mut world = self.world.clone();
        let mut at = 1_000;
        let mut moments = Vec::new();
        for (place, (days, pushed)) in future.iter().enumerate() {
            at += DAY * i64::from(*days);
            if let Some(tag) = pushed {
                world.push(&format!("push {place}"), tag, at);
            }
            at += 60;
            world.clean(at);
            let names = self.world.items.iter().map(|item| (item.digest.clone().into(), self.left(&item.name, &world)));
            moments.push(names.collect());
        }
        moments
    }
}

/// What is called protected once every pin is made that may be.
pub(super) fn called_protected(registry: &Registry, keep: u32, terms: PinTerms) -> (Registry, BTreeSet<ArtifactId>) {
    let mut pinned = registry.clone();
    for pin in super::law::decided(registry, keep, terms).pins {
        pinned = pinned.pin(&pin);
    }
    let plan = super::law::decided(&pinned, keep, terms);
    let protected = plan.report.targets.into_iter().filter(|target| target.protected == Some(true));
    let protected = protected.map(|target| target.artifact).collect();
    (pinned, protected)
}
