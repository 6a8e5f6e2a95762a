//! Whole runs: what is pinned and locked how, what purges do to it, and that a second run has nothing to do.

use prodpin::model::{Answer, ArtifactId, Code, Finding, Mode, Pin};
use prodpin::outcome::report::{PinReport, TargetReport};
use prodpin::run::ForecastOptions;
use prodpin::sources::memory::{image, index};

use super::{USER, none, opened, opened_under, purged, pusher, started, with_releases};
use crate::estate::RunResult;
use crate::support::acr::Acr;
use crate::support::each;

fn with_code(reported: &RunResult, code: Code) -> Vec<&Finding> {
    reported.findings.iter().filter(|finding| finding.code == code).collect()
}

fn pin_of(artifact: &ArtifactId) -> String {
    Pin::for_digest(artifact.digest().unwrap()).to_string()
}

/// Everything of users is as it was: open.
fn nothing_of_users_is_locked(acr: &Acr) -> bool {
    let world = acr.world();
    let tags = world.repositories.values().flat_map(|repository| &repository.tags);
    let mut of_users = tags.filter(|(name, _)| !name.starts_with("prod-pinned-"));
    let manifests = world.repositories.values().flat_map(|repository| repository.manifests.values());
    of_users.all(|(_, tag)| tag.attributes.delete && tag.attributes.write)
        && manifests.into_iter().all(|manifest| manifest.attributes.write)
}

#[tokio::test]
async fn targets_are_pinned_by_locked_tags_and_a_second_run_writes_nothing_i13_k46() {
    let acr = started().await;
    let estate = with_releases(&acr, 7).await;
    let audit = estate.run_on(Mode::Audit, opened(&acr, false)).await;
    assert_eq!(acr.writes(), [], "an audit writes nothing");
    assert!(acr.scopes().iter().all(|scope| !scope.contains("write") && !scope.contains("push")), "nor may it");
    // Releases that only wait for a pin are one finding.
    let missing = with_code(&audit, Code::PinMissing);
    assert!(missing.len() == 1 && missing[0].message.starts_with("5 releases are not pinned yet"), "{missing:?}");

    let enforced = estate.run_on(Mode::Enforce, opened(&acr, true)).await;
    let story = estate.story(&enforced);
    assert!(enforced.complete, "{story}");
    assert!(each(enforced.targets().iter(), |target| target.protected == Some(true)), "{story}");
    let by_digest = |target: &TargetReport| target.survives.as_ref().unwrap().deletion_by_digest.answer;
    assert!(each(enforced.targets().iter(), |target| by_digest(target) == Answer::Yes), "{story}");
    assert_eq!(enforced.codes(), Vec::<String>::new(), "{story}");
    let methods: Vec<String> = acr.writes().into_iter().map(|write| write.method).collect();
    assert_eq!(methods.iter().filter(|method| *method == "PUT").count(), 5);
    assert_eq!(methods.iter().filter(|method| *method == "PATCH").count(), 10, "its tag and its manifest each");
    assert!(nothing_of_users_is_locked(&acr));
    for target in enforced.targets() {
        let world = acr.world();
        let tag = &world.repository("shop/api").tags[&pin_of(&target.artifact)];
        assert!(!tag.attributes.delete && !tag.attributes.write);
        assert!(!world.repository("shop/api").manifests[&target.artifact.to_string()].attributes.delete);
    }

    let events = estate.events().await;
    acr.forget_requests();
    let second = estate.run_on(Mode::Enforce, opened(&acr, true)).await;
    assert_eq!(acr.writes(), [], "{}", estate.story(&second));
    assert_eq!(estate.events().await, events);
    assert_eq!(second.codes(), Vec::<String>::new());
}

#[tokio::test]
async fn where_the_policy_names_no_purges_no_pin_is_made_and_the_next_step_is_said_k48() {
    let acr = started().await;
    let estate = with_releases(&acr, 3).await;
    let unknown = || opened_under(&acr, &["shop/*"], Some(USER), (true, Default::default()));
    let enforced = estate.run_on(Mode::Enforce, unknown()).await;
    let story = estate.story(&enforced);
    assert_eq!(acr.writes(), [], "{story}");
    assert!(each(enforced.targets().iter(), |target| target.protected.is_none()), "{story}");
    assert!(each(enforced.targets().iter(), |target| target.pin == PinReport::Refused), "{story}");
    for said in ["which acr purge commands are run on this registry is not known", "`purge: []`"] {
        assert!(story.contains(said), "{said}: {story}");
    }
    // Named, and said that there may be more: pins are made, and nothing is called protected.
    let others = prodpin::model::AcrPurges::Stated { commands: [].into(), others: true };
    let enforced = estate.run_on(Mode::Enforce, opened_under(&acr, &["shop/*"], Some(USER), (true, others))).await;
    let story = estate.story(&enforced);
    assert!(each(enforced.targets().iter(), |target| target.pin == PinReport::Created), "{story}");
    assert!(each(enforced.targets().iter(), |target| target.protected.is_none()), "{story}");
    assert!(story.contains("which it does not name"), "{story}");
}

#[tokio::test]
async fn an_index_is_locked_with_every_manifest_below_it_k47() {
    let acr = started().await;
    let estate = with_releases(&acr, 1).await;
    let parts = index("two platforms");
    let artifact = pusher(&acr).push("shop/api", "v2.0.0", &parts).await;
    acr.forget_requests();
    let purge = ["acr purge --filter 'shop/.*:.*' --ago 0d --untagged"];
    let enforced = estate.run_on(Mode::Enforce, purged(&acr, true, &purge)).await;
    let story = estate.story(&enforced);
    let target = enforced.targets().iter().find(|target| target.artifact == artifact).unwrap();
    assert_eq!(target.protected, Some(true), "{story}");
    let below = parts.children();
    let patched: Vec<String> = acr.writes().into_iter().filter(|it| it.method == "PATCH").map(|it| it.path).collect();
    let at =
        |end: String| patched.iter().position(|path| path.ends_with(&end)).unwrap_or_else(|| panic!("{patched:?}"));
    for child in below {
        assert!(
            at(child.id().to_string()) < at(artifact.to_string()),
            "an index is locked after its parts: {patched:?}"
        );
        assert!(!acr.world().repository("shop/api").manifests[&child.id().to_string()].attributes.delete);
    }
    assert!(at(artifact.to_string()) < at(pin_of(&artifact)), "its tag at the end: {patched:?}");
    let writes: Vec<(String, String)> = acr.writes().into_iter().map(|it| (it.method, it.path)).collect();
    let place = |method: &str, end: String| writes.iter().position(|(by, path)| by == method && path.ends_with(&end));
    let (locked, pushed) = (place("PATCH", artifact.to_string()), place("PUT", pin_of(&artifact)));
    assert!(locked.is_some() && locked < pushed, "no tag before all is locked: {writes:?}");
    assert!(nothing_of_users_is_locked(&acr));
    // What it is worth: the registry refuses to delete any of it.
    for digest in [artifact.to_string(), below[0].id().to_string()] {
        assert_eq!(pusher(&acr).try_delete("shop/api", &digest).await, 405);
    }
}

/// Somebody locked the index and nothing below it: its platforms are prey, whatever tags it has.
#[tokio::test]
async fn a_lock_on_an_index_alone_is_told_and_the_pin_ends_it_k47() {
    let acr = started().await;
    let estate = with_releases(&acr, 1).await;
    let artifact = pusher(&acr).push("shop/api", "v2.0.0", &index("two platforms")).await;
    acr.world().lock("shop/api", &artifact.to_string(), false);
    let purge = ["acr purge --filter 'shop/api:^dev-' --ago 0d --untagged"];
    let audit = estate.run_on(Mode::Audit, purged(&acr, false, &purge)).await;
    let target =
        |reported: &RunResult| reported.targets().iter().find(|target| target.artifact == artifact).unwrap().clone();
    let story = estate.story(&audit);
    assert_ne!(target(&audit).protected, Some(true), "{story}");
    assert!(story.contains("acr purge --filter 'shop/api:^dev-' --ago 0d --untagged deletes it"), "{story}");
    let enforced = estate.run_on(Mode::Enforce, purged(&acr, true, &purge)).await;
    assert_eq!(target(&enforced).protected, Some(true), "{}", estate.story(&enforced));
    // A part is unlocked afterwards: the pin is no pin until the next run has locked it again.
    let child = index("two platforms").children()[0].id().to_string();
    acr.world().lock("shop/api", &child, true);
    let audit = estate.run_on(Mode::Audit, purged(&acr, false, &purge)).await;
    let story = estate.story(&audit);
    assert_eq!(target(&audit).protected, Some(false), "{story}");
    let found = target(&audit);
    let shown = format!("{:?}", found.obstacles);
    assert!(shown.contains("not all of it is locked") && shown.contains(&child), "{shown}");
    acr.forget_requests();
    let enforced = estate.run_on(Mode::Enforce, purged(&acr, true, &purge)).await;
    assert_eq!(target(&enforced).protected, Some(true), "{}", estate.story(&enforced));
    let writes: Vec<String> = acr.writes().into_iter().map(|write| write.method).collect();
    assert_eq!(writes, ["PATCH"], "and nothing else");
}

#[tokio::test]
async fn a_purge_that_unlocks_is_named_with_what_would_end_it_k48() {
    let acr = started().await;
    let estate = with_releases(&acr, 3).await;
    let walls_down = ["acr purge --filter '.*:.*' --ago 30d --untagged --include-locked"];
    let first = estate.run_on(Mode::Enforce, purged(&acr, true, &walls_down)).await;
    let story = estate.story(&first);
    let ineffective = with_code(&first, Code::PinIneffective);
    assert_eq!(ineffective.len(), 1, "{story}");
    assert!(ineffective[0].message.contains("--include-locked"), "{story}");
    assert!(ineffective[0].remedy.contains("^(?!prod-pinned-)"), "{story}");
    // Old enough, they go with all that they pin.
    let names: Vec<String> = acr.world().repository("shop/api").tags.keys().cloned().collect();
    for name in names {
        acr.world().set_updated("shop/api", &name, "2026-01-01T00:00:00Z".parse().unwrap());
    }
    let reached = estate.run_on(Mode::Audit, purged(&acr, false, &walls_down)).await;
    let story = estate.story(&reached);
    assert!(each(reached.targets().iter(), |target| target.protected == Some(false)), "{story}");
    assert_eq!(with_code(&reached, Code::LifecycleCollision).len(), 3, "{story}");
    let spared = ["acr purge --filter '.*:^(?!prod-pinned-)' --ago 30d --untagged --include-locked"];
    let held = estate.run_on(Mode::Audit, purged(&acr, false, &spared)).await;
    assert!(each(held.targets().iter(), |target| target.protected == Some(true)), "{}", estate.story(&held));
}

/// What is locked is neither counted nor taken: a pin takes no place of `--keep`.
#[tokio::test]
async fn a_pin_takes_no_place_from_anybody_i22_k49() {
    let acr = started().await;
    let estate = with_releases(&acr, 8).await;
    let counting = ["acr purge --filter 'shop/api:.*' --ago 0d --keep 6 --untagged"];
    let enforced = estate.run_on(Mode::Enforce, purged(&acr, true, &counting)).await;
    let story = estate.story(&enforced);
    assert!(each(enforced.targets().iter(), |target| target.protected == Some(true)), "{story}");
    // With the command unlocking, five pins would take five of the six places.
    let acr = started().await;
    let estate = with_releases(&acr, 8).await;
    let unlocking = ["acr purge --filter 'shop/api:.*' --ago 0d --keep 6 --untagged --include-locked"];
    let enforced = estate.run_on(Mode::Enforce, purged(&acr, true, &unlocking)).await;
    let story = estate.story(&enforced);
    let refused = enforced.targets().iter().filter(|target| target.pin == PinReport::Refused).count();
    assert!(refused > 0, "{story}");
    assert!(!each(enforced.targets().iter(), |target| target.protected == Some(true)), "{story}");
}

#[tokio::test]
async fn a_forecast_names_the_command_and_its_date_k49() {
    let acr = started().await;
    let estate = with_releases(&acr, 2).await;
    for minor in 0..2 {
        acr.world().set_updated("shop/api", &format!("v1.{minor}.0"), "2026-05-01T12:00:00Z".parse().unwrap());
    }
    let days = ["acr purge --filter 'shop/api:^v' --ago 3650d --untagged"];
    let forecast = estate.forecast_on(ForecastOptions::default(), purged(&acr, false, &days)).await;
    let row = forecast.report.rows().next().unwrap().unwrap();
    let text = serde_json::to_string(&row).unwrap();
    assert!(text.contains("acr purge --filter 'shop/api:^v' --ago 3650d"), "{text}");
    assert!(text.contains("2036-04-28T12:00:00"), "{text}");
    let quiet = opened_under(&acr, &["shop/*"], Some(USER), (false, none()));
    let forecast = estate.forecast_on(ForecastOptions::default(), quiet).await;
    let row = forecast.report.rows().next().unwrap().unwrap();
    assert!(!serde_json::to_string(&row).unwrap().contains("acr purge --filter"));
}

#[tokio::test]
async fn releasing_is_not_offered_because_a_lock_is_not_prodpins_alone_k46() {
    let acr = started().await;
    pusher(&acr).push("shop/api", "v1.0.0", &image("one")).await;
    let removal = opened(&acr, false).inventory.pin_removal(&"shop/api".parse().unwrap()).await;
    assert!(format!("{removal:?}").contains("az acr repository"), "{removal:?}");
}
