//! What is lost, refused, throttled or answered by something else is never read as "nothing there", nor as "no policies".

use futures::StreamExt as _;
use prodpin::model::{Cause, Code, Digest, Gap, Mode, RepositoryName, Retention, Scope, Setting, Snapshot};
use prodpin::outcome::report::PinReport;
use prodpin::sources::Source;
use prodpin::sources::memory::image as image_of;
use serde_json::json;

use super::{IMAGE, USER, opened, opened_as, pusher, started, with_releases};
use crate::support::each;
use crate::support::gar::{Gar, Lie};

async fn listed(source: &Source) -> (Vec<RepositoryName>, Vec<Gap>) {
    let found: Vec<_> = source.inventory.repositories().collect().await;
    let (names, gaps): (Vec<_>, Vec<_>) = found.into_iter().partition(Result::is_ok);
    (names.into_iter().flatten().collect(), gaps.into_iter().filter_map(Result::err).collect())
}

/// So many versions with a tag each, of which nobody holds the bytes.
fn fill(gar: &Gar, image: &str, count: usize) {
    let mut world = gar.world();
    for number in 0..count {
        let digest = Digest::sha256(format!("artifact {number}").as_bytes());
        let kind = "application/vnd.oci.image.manifest.v1+json";
        world.push(image, (&digest, kind), Vec::new(), Some(&format!("v1.0.{number}")));
    }
}

async fn observed(gar: &Gar) -> Snapshot {
    opened(gar, false).inventory.observe(&IMAGE.parse().unwrap()).await
}

fn versions(snapshot: &Snapshot) -> (usize, Option<&str>) {
    match &snapshot.retention {
        Retention::Gar(found) => (found.images.len(), found.unread.as_deref()),
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn wrong_or_no_credentials_are_never_an_empty_estate_f129() {
    let gar = started().await;
    fill(&gar, IMAGE, 1);
    for (user, said) in [
        (Some((USER.0, "wrong")), "invalid authentication credentials"),
        (Some(("somebody", "x")), "set PRODPIN_SHOP_TOKEN"),
        (Some(("_json_key", "{}")), "no key of a service account"),
        (Some(("_json_key_base64", "???")), "no key in Base64"),
        (None, "there are no credentials"),
    ] {
        for pattern in ["acme-prod/shop/*", "acme-prod/**"] {
            let source = opened_as(&gar, &[pattern], user, false);
            let (names, gaps) = listed(&source).await;
            assert_eq!(names, []);
            let [gap] = &gaps[..] else { panic!("{user:?}: {gaps:?}") };
            assert_eq!((&gap.scope, gap.cause), (&Scope::Source, Cause::Denied), "{gap:?}");
            assert!(gap.detail.contains(said), "{gap:?}");
            assert_eq!(source.inventory.unmatched_patterns(), [""; 0], "that is not known");
        }
        let source = opened_as(&gar, &[IMAGE], user, false);
        let snapshot = source.inventory.observe(&IMAGE.parse().unwrap()).await;
        assert!(!snapshot.listing_is_complete(), "{user:?}: {:?}", snapshot.gaps);
        assert!(each(&snapshot.gaps, |gap| gap.cause == Cause::Denied), "{:?}", snapshot.gaps);
    }
    assert_eq!(listed(&opened(&gar, false)).await, (vec![IMAGE.parse().unwrap()], vec![]));
}

#[tokio::test]
async fn images_are_found_in_repositories_that_are_named_or_in_all_of_a_project_k45() {
    let gar = started().await;
    for image in ["acme-prod/shop/api", "acme-prod/shop/team/web", "acme-prod/pay/api", "other/shop/api"] {
        fill(&gar, image, 2);
    }
    gar.world().shelf("acme-prod/maven").format = "MAVEN";
    gar.world().shelf("acme-prod/hidden").is_shown = false;
    let names = |names: &[RepositoryName]| names.iter().map(|name| name.as_str().to_owned()).collect::<Vec<_>>();
    let (found, gaps) = listed(&opened_as(&gar, &["acme-prod/shop/**"], Some(USER), false)).await;
    assert_eq!((names(&found), gaps), (vec!["acme-prod/shop/api".into(), "acme-prod/shop/team/web".into()], vec![]));
    assert_eq!(gar.asked("/repositories?"), 0, "what is named need not be listed");
    let source = opened_as(&gar, &["acme-prod/**", "!acme-prod/pay/*"], Some(USER), false);
    let (found, gaps) = listed(&source).await;
    assert_eq!(names(&found), ["acme-prod/shop/api", "acme-prod/shop/team/web"]);
    let [gap] = &gaps[..] else { panic!("{gaps:?}") };
    assert!(gap.cause == Cause::Denied && gap.detail.contains("/repositories/hidden/"), "{gap:?}");
    assert_eq!(gar.asked("/repositories/maven"), 0, "packages of another kind are no images");
    // A repository without such an image, and one that is not there.
    let source = opened_as(&gar, &["acme-prod/shop/x*"], Some(USER), false);
    assert_eq!(listed(&source).await, (vec![], vec![]));
    assert_eq!(source.inventory.unmatched_patterns(), ["acme-prod/shop/x*"]);
    let source = opened_as(&gar, &["acme-prod/none/*", "acme-prod/shop/*"], Some(USER), false);
    let (found, gaps) = listed(&source).await;
    assert_eq!(names(&found), ["acme-prod/shop/api"], "one that is misspelt hides no other");
    let [gap] = &gaps[..] else { panic!("{gaps:?}") };
    assert!(gap.cause == Cause::Denied && gap.detail.contains("name the repository as it is"), "{gap:?}");
}

/// The list of a whole repository is read once for the images in it, as long as it is not too long.
#[tokio::test]
async fn one_list_serves_the_images_of_a_repository_k45() {
    let gar = started().await;
    let push = async |image: &str, from: usize, to: usize| {
        for number in from..to {
            let content = image_of(&format!("{image} {number}"));
            pusher(&gar).push(&format!("acme-prod/shop/{image}"), &format!("v1.0.{number}"), &content).await;
        }
    };
    for image in ["api", "web", "worker"] {
        push(image, 0, 3).await;
    }
    gar.forget_requests();
    let source = opened(&gar, false);
    let (names, _) = listed(&source).await;
    for name in &names {
        let snapshot = source.inventory.observe(name).await;
        assert_eq!((snapshot.tags.len(), versions(&snapshot), &snapshot.gaps[..]), (3, (3, None), &[][..]));
    }
    assert_eq!((names.len(), gar.asked("/dockerImages"), gar.asked("/repositories/shop?")), (3, 1, 0));
    assert_eq!(gar.asked("/repositories/shop"), 2 + 3, "the list and its settings once, and the tags of each image");
    // Whoever looks at one again sees what it is by now.
    push("api", 3, 5).await;
    let snapshot = source.inventory.observe(&IMAGE.parse().unwrap()).await;
    assert_eq!((snapshot.tags.len(), versions(&snapshot)), (5, (5, None)));
    assert_eq!(gar.asked("/dockerImages"), 2);
}

/// The list of a repository may be some minutes old; what a tag names is not.
#[tokio::test]
async fn a_tag_that_was_moved_since_the_list_was_read_names_what_it_names_now_f92() {
    let gar = started().await;
    let old = pusher(&gar).push(IMAGE, "v1.0.0", &image_of("old")).await;
    let new = pusher(&gar).push(IMAGE, "dev", &image_of("new")).await;
    let source = opened(&gar, false);
    listed(&source).await;
    pusher(&gar).move_tag(IMAGE, "v1.0.0", &new).await;
    let snapshot = source.inventory.observe(&IMAGE.parse().unwrap()).await;
    let found = snapshot.tags.iter().find(|tag| tag.name.as_str() == "v1.0.0").unwrap();
    assert_eq!(found.target.artifact(), Some(&new), "and not {old}");
    assert_eq!(gar.asked("/dockerImages"), 1, "the list is that of before");
}

/// A count of the most recent versions is of those without a tag as well.
#[tokio::test]
async fn a_page_of_versions_without_a_tag_that_is_lost_is_found_where_policies_count_k43_k45() {
    let gar = started().await;
    pusher(&gar).push(IMAGE, "v1.0.0", &image_of("release")).await;
    gar.world().shelf("acme-prod/shop").policies = json!({
        "all": { "id": "all", "action": "DELETE", "condition": {} },
        "few": { "id": "few", "action": "KEEP", "mostRecentVersions": { "keepCount": 3 } },
    });
    let counted = async || {
        let snapshot = observed(&gar).await;
        let Retention::Gar(found) = &snapshot.retention else { panic!("{:?}", snapshot.retention) };
        (found.is_counted, snapshot.gaps.len())
    };
    assert_eq!(counted().await, (true, 0));
    for lie in [
        Lie::Document("/packages/api/versions", "{}"),
        Lie::Answer("/packages/api/versions", 403, "PERMISSION_DENIED"),
        Lie::Answer("/packages/api/versions", 404, "NOT_FOUND"),
    ] {
        gar.be_honest();
        gar.lie(lie.clone());
        assert_eq!(counted().await, (false, 1), "{lie:?}");
    }
    gar.be_honest();
    gar.lie(Lie::Answer("/packages/api/tags", 500, "INTERNAL"));
    assert_eq!(counted().await, (true, 0), "the registry is asked for each tag");
}

#[tokio::test]
async fn a_list_is_read_to_its_last_page_and_a_lost_page_leaves_policies_unknown_k45() {
    let gar = started().await;
    gar.world().most_rows = 20;
    with_releases(&gar, 50).await;
    let whole = observed(&gar).await;
    assert_eq!((whole.tags.len(), &whole.gaps[..], versions(&whole)), (50, &[][..], (50, None)));
    assert!(whole.tags.iter().all(|tag| tag.pushed.is_some()));
    assert_eq!(gar.asked("/dockerImages"), 3);
    for lie in [
        Lie::EmptyPage("/dockerImages", 1),
        Lie::EmptyPage("/dockerImages", 2),
        Lie::LastPage("/dockerImages", 1),
        Lie::LastPage("/dockerImages", 2),
        Lie::Circle,
        Lie::Document("/dockerImages", "[]"),
        Lie::Document(
            "/dockerImages",
            r#"{"dockerImages":[{"name":"projects/acme-prod/locations/l/repositories/shop/dockerImages/api"}]}"#,
        ),
        Lie::Bare("/dockerImages", 200),
        Lie::Bare("/dockerImages", 404),
        Lie::Answer("/dockerImages", 403, "PERMISSION_DENIED"),
        Lie::Answer("/dockerImages", 404, "NOT_FOUND"),
        Lie::Answer("/dockerImages", 500, "INTERNAL"),
    ] {
        gar.be_honest();
        gar.lie(lie.clone());
        let snapshot = observed(&gar).await;
        assert_eq!(snapshot.tags.len(), 50, "{lie:?}: the registry's own list says which tags there are");
        let gaps: Vec<_> = snapshot.gaps.iter().filter(|gap| gap.scope == Scope::Setting).collect();
        assert_eq!((gaps.len(), snapshot.gaps.len()), (1, 1), "{lie:?}: {:?}", snapshot.gaps);
        assert!(versions(&snapshot).1.is_some(), "{lie:?}, and nobody noticed");
    }
    gar.be_honest();
    gar.lie(Lie::TooMany(2));
    assert_eq!(observed(&gar).await.gaps, []);
}

#[tokio::test]
async fn settings_that_cannot_be_read_are_unknown_and_no_pin_is_made_k41() {
    let gar = started().await;
    let estate = with_releases(&gar, 3).await;
    gar.world().shelf("acme-prod/shop").policies = json!({
        "old": { "id": "old", "action": "DELETE", "condition": { "tagState": "UNTAGGED", "olderThan": "86400s" } },
    });
    for (lie, said) in [
        (Lie::Answer("/repositories/shop", 403, "PERMISSION_DENIED"), "roles/artifactregistry.reader"),
        (Lie::Answer("/repositories/shop", 503, "UNAVAILABLE"), "503"),
        (Lie::Document("/repositories/shop", "{}"), "a document of another form"),
        (
            Lie::Document("/repositories/shop", r#"{"name":"projects/p/locations/l/repositories/other"}"#),
            "another repository",
        ),
        (Lie::Bare("/repositories/shop", 200), ""),
    ] {
        gar.be_honest();
        gar.forget_requests();
        gar.lie(lie.clone());
        let reported = estate.run_on(Mode::Enforce, opened(&gar, true)).await;
        let (story, gaps) = (estate.story(&reported), format!("{:?}", reported.repositories[0].gaps));
        assert!(!reported.complete && gaps.contains(said), "{lie:?}: {gaps}");
        assert_eq!(gar.writes(), [], "{lie:?}: {story}");
        assert!(each(reported.targets(), |target| target.protected.is_none()), "{lie:?}: {story}");
        assert!(each(reported.targets(), |target| target.pin == PinReport::Refused), "{lie:?}: {story}");
        assert!(!reported.codes().iter().any(|code| code.contains(Code::TagDeleted.as_str())), "{story}");
    }
    gar.be_honest();
    let snapshot = observed(&gar).await;
    let Retention::Gar(found) = &snapshot.retention else { panic!("{:?}", snapshot.retention) };
    assert!(matches!(&found.policies, Setting::Text(text) if text.contains("86400s")), "{found:?}");
    let reported = estate.run_on(Mode::Enforce, opened(&gar, true)).await;
    assert!(each(reported.targets(), |target| target.protected == Some(true)), "{}", estate.story(&reported));
}

/// A policy of a form that is not known may do anything.
#[tokio::test]
async fn policies_of_another_form_are_unknown_and_the_next_step_is_said_k41() {
    let gar = started().await;
    let estate = with_releases(&gar, 2).await;
    gar.world().shelf("acme-prod/shop").policies =
        json!({ "new": { "action": "DELETE", "condition": { "sizeAbove": "5" } } });
    let reported = estate.run_on(Mode::Enforce, opened(&gar, true)).await;
    let story = estate.story(&reported);
    assert_eq!(gar.writes(), [], "{story}");
    assert!(each(reported.targets(), |target| target.protected.is_none()), "{story}");
    assert!(story.contains("the cleanup policies are not what the API is known to give"), "{story}");
}

#[tokio::test]
async fn a_pin_that_is_forgotten_is_no_pin() {
    let gar = started().await;
    let estate = with_releases(&gar, 2).await;
    gar.lie(Lie::ForgetsPins);
    let reported = estate.run_on(Mode::Enforce, opened(&gar, true)).await;
    let story = estate.story(&reported);
    assert!(each(reported.targets(), |target| target.protected == Some(false)), "{story}");
    assert!(each(reported.targets(), |target| target.pin == PinReport::Failed), "{story}");
    gar.be_honest();
    let reported = estate.run_on(Mode::Enforce, opened(&gar, true)).await;
    assert!(each(reported.targets(), |target| target.protected == Some(true)), "{}", estate.story(&reported));
    assert!(pusher(&gar).manifest(IMAGE, "v1.0.0").await.is_some());
}
