//! What counts as a pin there, and what is done where it cannot be made one.

use prodpin::model::{Mode, PinState};
use prodpin::outcome::report::PinReport;
use prodpin::sources::memory::image;

use super::{PRODPIN, Who, opened, opened_as, pin_of, pusher, with_releases};
use crate::support::each;
use crate::support::quay::{Lie, Quay, TOKEN};

#[tokio::test]
async fn a_pin_that_is_not_immutable_or_will_expire_is_none_and_the_next_run_makes_it_one_k52() {
    for (end, said) in [(None, "it is not immutable"), (Some(9_000_000_000), "it has an expiry")] {
        let quay = Quay::start().await;
        let estate = with_releases(&quay, 2).await;
        let first = estate.run_on(Mode::Enforce, opened(&quay, true)).await;
        let artifact = first.targets()[0].artifact.clone();
        let pin = pin_of(&artifact);
        {
            let mut world = quay.world();
            let row = world.rows.get_mut("acme/shop").unwrap().iter_mut().find(|row| row.name == pin).unwrap();
            (row.end, row.immutable) = (end, false);
        }
        let repository = "acme/shop".parse().unwrap();
        let seen = opened(&quay, false).inventory.inspect(&repository, &artifact).await;
        assert_eq!((seen.pin, seen.pin_is_immutable), (PinState::Absent, Some(false)));
        let audit = estate.run_on(Mode::Audit, opened(&quay, false)).await;
        let target = |run: &crate::estate::RunResult| {
            run.targets().iter().find(|target| target.artifact == artifact).cloned().unwrap()
        };
        assert_eq!(target(&audit).pin, PinReport::Planned, "{}", estate.story(&audit));
        assert!(format!("{:?}", target(&audit).obstacles).contains(said), "{:?}", target(&audit).obstacles);
        quay.forget_requests();
        let enforced = estate.run_on(Mode::Enforce, opened(&quay, true)).await;
        let story = estate.story(&enforced);
        assert!(each(enforced.targets().iter(), |target| target.protected == Some(true)), "{story}");
        let writes = quay.writes();
        let of_pin = writes.iter().filter(|write| write.path.contains(&pin)).count();
        assert_eq!(of_pin, 1, "it is there: only its lock is sent: {writes:?}");
        let tags = quay.world().tags("acme/shop").into_iter().find(|row| row.name == pin).cloned().unwrap();
        assert!(tags.immutable && tags.end.is_none(), "{tags:?}");
    }
}

#[tokio::test]
async fn a_lock_that_is_accepted_and_forgotten_is_no_pin_k52b() {
    let quay = Quay::start().await;
    let estate = with_releases(&quay, 3).await;
    quay.lie(Lie::ForgetsLocks);
    let enforced = estate.run_on(Mode::Enforce, opened(&quay, true)).await;
    let story = estate.story(&enforced);
    assert!(each(enforced.targets().iter(), |target| target.protected != Some(true)), "{story}");
    assert!(story.contains("reading the tag back shows no change"), "{story}");
}

/// It would take a place of others under a policy that counts, and was judged as one that takes none.
#[tokio::test]
async fn no_tag_is_made_where_it_could_not_be_made_immutable_i22_k53() {
    for (scopes, state, said) in [
        (vec!["repo:read", "org:admin"], "NORMAL", "repo:write"),
        (vec!["repo:read", "repo:write", "repo:admin", "org:admin"], "READ_ONLY", "its state is READ_ONLY"),
        (vec!["repo:read", "repo:write", "repo:admin", "org:admin"], "MIRROR", "its state is MIRROR"),
    ] {
        let quay = Quay::start().await;
        let artifact = pusher(&quay).push("acme/shop", "v1.0.0", &image("one")).await;
        quay.world().scopes = scopes;
        quay.world().state = state;
        quay.forget_requests();
        let pins = opened(&quay, true).protector.unwrap();
        let failure = pins.pin(&"acme/shop".parse().unwrap(), &artifact).await.unwrap_err();
        assert!(failure.detail.contains(said), "{failure:?}");
        assert_eq!(quay.writes(), []);
    }
    // Where no tag can be immutable, none need be.
    let quay = Quay::start().await;
    let artifact = pusher(&quay).push("acme/shop", "v1.0.0", &image("one")).await;
    quay.world().immutable_tags = false;
    quay.world().scopes = vec!["repo:read"];
    let pins = opened(&quay, true).protector.unwrap();
    assert_eq!(pins.pin(&"acme/shop".parse().unwrap(), &artifact).await, Ok(()));
    assert_eq!(quay.world().tags("acme/shop").len(), 2);
}

/// Another run at the same time pushed and locked it: the second push is refused, and there is nothing left to do.
#[tokio::test]
async fn who_loses_the_race_finds_the_pin_locked_i14_k52c() {
    let quay = Quay::start().await;
    let artifact = pusher(&quay).push("acme/shop", "v1.0.0", &image("one")).await;
    let repository = "acme/shop".parse().unwrap();
    let (one, other) = (opened(&quay, true).protector.unwrap(), opened(&quay, true).protector.unwrap());
    let (first, second) = tokio::join!(one.pin(&repository, &artifact), other.pin(&repository, &artifact));
    assert_eq!((first, second), (Ok(()), Ok(())));
    let world = quay.world();
    let tags = world.tags("acme/shop");
    assert!(tags.len() == 2 && tags.iter().any(|row| row.name == pin_of(&artifact) && row.immutable), "{tags:?}");
}

/// An OAuth token logs in to the registry as well, and is then the token of the API.
#[tokio::test]
async fn a_login_by_oauth_token_opens_the_api_as_well_k54b() {
    let quay = Quay::start().await;
    let estate = with_releases(&quay, 2).await;
    let who = Who { login: Some(("$oauthtoken", TOKEN)), token: None };
    let enforced = estate.run_on(Mode::Enforce, opened_as(&quay, &["acme/*"], who, true)).await;
    let story = estate.story(&enforced);
    assert!(enforced.complete, "{story}");
    assert!(each(enforced.targets().iter(), |target| target.protected == Some(true)), "{story}");
    assert_eq!(opened_as(&quay, &["acme/*"], PRODPIN, false).inventory.settings().await.1, []);
}
