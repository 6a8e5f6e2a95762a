//! Production that goes back while a run is under way: what the run read is what it says, nothing that it keeps is let go,
//! and the next one keeps what came back (F92).

use std::path::PathBuf;
use std::sync::Arc;

use async_trait::async_trait;
use prodpin::model::{ArtifactId, Mode, PinFailure, ProductionRule, RepositoryName};
use prodpin::outcome::report::{PinReport, TargetReport};
use prodpin::sources::{Protector, Source};

use crate::estate::Estate;

/// A registry during whose first pin production goes back.
struct GoingBack {
    memory: Source,
    file: PathBuf,
    to: String,
}

#[async_trait]
impl Protector for GoingBack {
    async fn pin(&self, repository: &RepositoryName, artifact: &ArtifactId) -> Result<(), PinFailure> {
        std::fs::write(&self.file, serde_json::to_string(&[&self.to]).unwrap()).unwrap();
        self.memory.protector.as_ref().unwrap().pin(repository, artifact).await
    }
}

fn by_pin(targets: &[TargetReport]) -> Vec<(ArtifactId, bool, bool)> {
    let pinned = |target: &TargetReport| matches!(target.pin, PinReport::Present | PinReport::Created);
    targets.iter().map(|target| (target.artifact.clone(), target.running, pinned(target))).collect()
}

#[tokio::test]
async fn f92_production_that_goes_back_in_a_run_is_kept_by_the_next_one() {
    let mut estate = Estate::new(vec![ProductionRule::InUse]);
    let address = |artifact: &ArtifactId| format!("registry.example.com/shop/api@{artifact}");
    let (old, new) = (estate.push("v1", "one"), estate.push("v2", "two"));
    estate.in_use(&[address(&new)]);
    let memory = estate.memory.writable(["shop/*"]).unwrap();
    let back = GoingBack { memory: memory.clone(), file: estate.policy.in_use_files[0].clone(), to: address(&old) };
    let during = estate.run_on(Mode::Enforce, Source { protector: Some(Arc::new(back)), ..memory }).await;
    assert_eq!(by_pin(during.targets()), [(new.clone(), true, true)], "what was read when it began");
    let after = estate.enforce().await;
    assert_eq!(by_pin(after.targets()), [(old.clone(), true, true), (new.clone(), false, true)]);
    assert_eq!(after.repositories[0].rollback.current.as_ref(), Some(&old));
    // A look at the same state changes nothing more (I13).
    assert_eq!(by_pin(estate.enforce().await.targets()), by_pin(after.targets()));
}
