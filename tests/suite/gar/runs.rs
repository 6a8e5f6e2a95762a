//! Whole runs: pins with their platforms, what immutable tags are worth, and repositories that take no pins.

use prodpin::model::{Answer, ArtifactId, Code, Finding, Mode, Pin, PinRemoval};
use prodpin::outcome::report::{PinReport, TargetReport};
use prodpin::sources::memory::{image, index};

use super::{IMAGE, opened, pusher, started, with_releases};
use crate::estate::RunResult;
use crate::support::each;

fn pin_of(artifact: &ArtifactId) -> String {
    Pin::for_digest(artifact.digest().unwrap()).to_string()
}

fn with_code(reported: &RunResult, code: Code) -> Vec<&Finding> {
    reported.findings.iter().filter(|finding| finding.code == code).collect()
}

fn by_digest(target: &TargetReport) -> Answer {
    target.survives.as_ref().unwrap().deletion_by_digest.answer
}

#[tokio::test]
async fn targets_are_pinned_with_their_platforms_and_a_second_run_writes_nothing_i13_i26_k43() {
    let gar = started().await;
    let estate = with_releases(&gar, 4).await;
    let platforms = index("two platforms");
    pusher(&gar).push(IMAGE, "v2.0.0", &platforms).await;
    gar.forget_requests();
    let audit = estate.run_on(Mode::Audit, opened(&gar, false)).await;
    assert_eq!(gar.writes(), [], "an audit writes nothing");
    assert_eq!(with_code(&audit, Code::PinMissing).len(), 1, "{}", estate.story(&audit));
    let enforced = estate.run_on(Mode::Enforce, opened(&gar, true)).await;
    let story = estate.story(&enforced);
    assert!(enforced.complete, "{story}");
    assert!(each(enforced.targets(), |target| target.protected == Some(true)), "{story}");
    assert!(each(enforced.targets(), |target| by_digest(target) == Answer::No), "{story}");
    assert_eq!(enforced.codes(), Vec::<String>::new(), "{story}");
    assert_eq!(gar.writes().len(), 5 + platforms.children().len());
    assert!(each(gar.writes(), |write| write.method == "PUT" && write.path.contains("/manifests/prod-pinned-")));
    for child in platforms.children() {
        let world = gar.world();
        assert!(world.image(IMAGE).unwrap().tags.contains_key(&pin_of(&child.id())), "a platform without a pin");
    }
    let events = estate.events().await;
    gar.forget_requests();
    let second = estate.run_on(Mode::Enforce, opened(&gar, true)).await;
    assert_eq!(gar.writes(), [], "{}", estate.story(&second));
    assert_eq!(estate.events().await, events);
    assert_eq!(second.codes(), Vec::<String>::new());
}

#[tokio::test]
async fn an_immutable_pin_outlives_a_deletion_and_is_neither_moved_nor_taken_away_k44() {
    let gar = started().await;
    let estate = with_releases(&gar, 3).await;
    gar.world().shelf("acme-prod/shop").immutable = true;
    let enforced = estate.run_on(Mode::Enforce, opened(&gar, true)).await;
    let story = estate.story(&enforced);
    assert!(each(enforced.targets(), |target| target.protected == Some(true)), "{story}");
    assert!(each(enforced.targets(), |target| by_digest(target) == Answer::Yes), "{story}");
    // What it is worth: the registry refuses both.
    let artifact = enforced.targets()[0].artifact.clone();
    assert_eq!(pusher(&gar).try_delete(IMAGE, &pin_of(&artifact)).await, 400);
    assert_eq!(pusher(&gar).try_delete(IMAGE, &artifact.to_string()).await, 400);
    let removal = opened(&gar, false).inventory.pin_removal(&IMAGE.parse().unwrap()).await;
    assert!(matches!(removal, PinRemoval::Unsupported { .. }), "{removal:?}");
}

/// Where a pin was moved while tags could be moved, it stays so once they cannot.
#[tokio::test]
async fn a_pin_that_was_moved_before_tags_became_immutable_cannot_be_put_back_and_that_is_said_k44() {
    let gar = started().await;
    let estate = with_releases(&gar, 2).await;
    let enforced = estate.run_on(Mode::Enforce, opened(&gar, true)).await;
    let artifact = enforced.targets()[0].artifact.clone();
    let other = pusher(&gar).push(IMAGE, "dev", &image("something else")).await;
    pusher(&gar).move_tag(IMAGE, &pin_of(&artifact), &other).await;
    for (immutable, said) in [(false, "find out who can push here"), (true, "turn immutable tags off")] {
        gar.world().shelf("acme-prod/shop").immutable = immutable;
        gar.forget_requests();
        let reported = estate.run_on(Mode::Enforce, opened(&gar, true)).await;
        let story = estate.story(&reported);
        let moved = with_code(&reported, Code::PinMoved);
        assert!(moved.len() == 1 && moved[0].remedy.contains(said), "{story}: {moved:?}");
        assert_eq!(gar.writes(), [], "{story}");
        let target = reported.targets().iter().find(|target| target.artifact == artifact).unwrap();
        assert_eq!(target.protected, Some(false), "{story}");
    }
}

#[tokio::test]
async fn remote_and_virtual_repositories_take_no_pins_and_say_so() {
    for (mode, said) in
        [("REMOTE_REPOSITORY", "caches what an upstream has"), ("VIRTUAL_REPOSITORY", "shows what others hold")]
    {
        let gar = started().await;
        let estate = with_releases(&gar, 2).await;
        gar.world().shelf("acme-prod/shop").mode = mode;
        let enforced = estate.run_on(Mode::Enforce, opened(&gar, true)).await;
        let story = estate.story(&enforced);
        assert_eq!(gar.writes(), [], "{story}");
        assert!(each(enforced.targets(), |target| target.protected == Some(false)), "{story}");
        assert!(each(enforced.targets(), |target| target.pin != PinReport::Created), "{story}");
        let shown = format!("{:?}", enforced.targets());
        assert!(shown.contains(said), "{shown}");
    }
}
