//! Harbor answers strangers with less instead of asking who they are, lists what is missing as empty, and pages by numbers:
//! none of that is ever read as "nothing there".

use axum::http::Method;
use futures::StreamExt as _;
use prodpin::model::{Cause, Code, Digest, HarborCollection, Retention, Scope, Snapshot};
use prodpin::model::{Gap, Mode, RepositoryName};
use prodpin::sources::Source;
use serde_json::json;

use super::{USER, opened, opened_as, started, with_releases};
use crate::support::harbor::{Harbor, Lie};

async fn listed(source: &Source) -> (Vec<RepositoryName>, Vec<Gap>) {
    let found: Vec<_> = source.inventory.repositories().collect().await;
    let (names, gaps): (Vec<_>, Vec<_>) = found.into_iter().partition(Result::is_ok);
    (names.into_iter().flatten().collect(), gaps.into_iter().filter_map(Result::err).collect())
}

/// A repository of so many artifacts, of which nobody holds the bytes.
fn fill(harbor: &Harbor, count: usize) {
    let mut world = harbor.world();
    for number in 0..count {
        let digest = Digest::sha256(format!("artifact {number}").as_bytes());
        world.push("shop/api", &digest, Vec::new(), Some(&format!("v1.0.{number}")));
    }
}

async fn observed(harbor: &Harbor) -> Snapshot {
    opened(harbor, false).inventory.observe(&"shop/api".parse().unwrap()).await
}

#[tokio::test]
async fn wrong_credentials_are_never_an_empty_estate_j40() {
    let harbor = started().await;
    fill(&harbor, 1);
    harbor.world().project("library").public = true;
    harbor.world().project("shop").public = false;
    for user in [Some((USER.0, "wrong")), Some(("robot$gone", "x")), None] {
        let source = opened_as(&harbor, &["shop/*", "library/*"], user, false);
        let (names, gaps) = listed(&source).await;
        assert_eq!(names, []);
        let [gap] = &gaps[..] else { panic!("{gaps:?}") };
        assert_eq!((&gap.scope, gap.cause), (&Scope::Source, Cause::Denied), "{gap:?}");
        assert!(
            gap.detail.contains(if user.is_some() { "did not take the credentials" } else { "no credentials" }),
            "{gap:?}"
        );
        assert_eq!(source.inventory.unmatched_patterns(), [""; 0], "what a stranger is not shown matched nothing");
    }
    let (names, gaps) = listed(&opened(&harbor, false)).await;
    assert_eq!((names.len(), gaps), (1, vec![]));
    assert_eq!(harbor.cookies(), 0);
}

#[tokio::test]
async fn credentials_that_end_midway_are_a_gap_wherever_it_is() {
    let harbor = started().await;
    let estate = with_releases(&harbor, 3).await;
    estate.run_on(Mode::Audit, opened(&harbor, false)).await;
    let events = estate.changes().await;
    let mut whole = 0;
    for left in 0..24 {
        harbor.be_honest();
        harbor.lie(Lie::LogoutAfter(left));
        let (names, gaps) = listed(&opened(&harbor, false)).await;
        assert!(!gaps.is_empty() || names.len() == 1, "after {left} requests an empty list passed for a whole one");
        harbor.be_honest();
        harbor.lie(Lie::LogoutAfter(left));
        let reported = estate.run_on(Mode::Audit, opened(&harbor, false)).await;
        assert!(!reported.codes().iter().any(|code| code.contains(Code::TagDeleted.as_str())), "after {left}");
        whole += usize::from(reported.complete);
    }
    assert!(whole < 24, "it never came to that");
    harbor.be_honest();
    assert_eq!(estate.changes().await, events, "nothing happened, and nothing was recorded");
}

#[tokio::test]
async fn a_list_is_read_to_its_last_page_and_a_lost_page_is_a_gap_j3() {
    let harbor = started().await;
    fill(&harbor, 250);
    let whole = observed(&harbor).await;
    assert_eq!((whole.tags.len(), whole.gaps), (250, vec![]));
    let Retention::Harbor(repository) = &whole.retention else { panic!("a Harbor") };
    assert_eq!(repository.artifacts.len(), 250);
    assert!(repository.artifacts.is_sorted_by(|a, b| a.pushed >= b.pushed), "as Harbor lists them to its rules");
    for page in 1..=3 {
        harbor.be_honest();
        harbor.lie(Lie::LostPage("/artifacts", page));
        let snapshot = observed(&harbor).await;
        assert!(!snapshot.listing_is_complete(), "page {page} was lost, and nobody noticed");
        assert!(snapshot.gaps.iter().all(|gap| gap.cause == Cause::Malformed), "{:?}", snapshot.gaps);
    }
    // It loses one each time that it is read: after the third try that is said.
    harbor.be_honest();
    harbor.lie(Lie::Vanishing);
    assert!(!observed(&harbor).await.listing_is_complete());
    harbor.be_honest();
    assert_eq!(observed(&harbor).await.gaps, []);
}

#[tokio::test]
async fn a_missing_repository_is_not_an_empty_one_and_an_empty_one_is_not_missing_j3() {
    let harbor = started().await;
    harbor.world().project("shop");
    let [gap] = &observed(&harbor).await.gaps[..] else { panic!("one gap") };
    assert_eq!((&gap.scope, gap.cause), (&Scope::Repository, Cause::NotFound), "{gap:?}");
    fill(&harbor, 1);
    harbor.world().remove_tag("shop/api", "v1.0.0");
    assert_eq!(observed(&harbor).await.gaps, []);
    let digest = Digest::sha256(b"artifact 0");
    harbor.world().remove("shop/api", &digest.to_string());
    let emptied = observed(&harbor).await;
    assert_eq!((emptied.gaps, emptied.tags), (vec![], vec![]), "it is there, and empty");
    // Who may not ask does not know, and an empty page in place of the first one is no empty list.
    harbor.lie(Lie::LostPage("/repositories", 1));
    let (names, gaps) = listed(&opened(&harbor, false)).await;
    assert_eq!((names.len(), gaps.len()), (0, 1), "{gaps:?}");
    for (status, code, cause) in [(403, "FORBIDDEN", Cause::Denied), (404, "UNKNOWN", Cause::Unsupported)] {
        harbor.be_honest();
        harbor.lie(Lie::Answer(Method::GET, "/repositories/api", status, code));
        let gaps = observed(&harbor).await.gaps;
        assert!(gaps.iter().any(|gap| gap.scope == Scope::Repository && gap.cause == cause), "{gaps:?}");
    }
    harbor.be_honest();
    harbor.lie(Lie::Bare(Method::GET, "/artifacts", 404));
    assert!(observed(&harbor).await.gaps.iter().all(|gap| gap.cause != Cause::NotFound), "no word of Harbor's");
}

#[tokio::test]
async fn garbage_collection_is_known_unscheduled_or_unknown_j32() {
    let harbor = started().await;
    fill(&harbor, 1);
    let collection = async |harbor: &Harbor| match observed(harbor).await.retention {
        Retention::Harbor(repository) => repository.collection,
        other => panic!("{other:?}"),
    };
    assert_eq!(collection(&harbor).await, HarborCollection::Unscheduled, "never set: an empty body");
    let schedule = |cron: &str, parameters: &str| json!({ "id": 7, "job_parameters": parameters, "schedule": { "cron": cron, "type": "Custom" } });
    let scheduled = |deletes_untagged| HarborCollection::Scheduled { cron: "0 0 1 * * *".into(), deletes_untagged };
    for (parameters, expected) in [
        (r#"{"delete_untagged":true,"workers":2}"#, scheduled(true)),
        (r#"{"delete_untagged":false}"#, scheduled(false)),
        (r#"{"workers":2}"#, scheduled(false)),
        ("", scheduled(false)),
        ("true?", HarborCollection::Unknown),
    ] {
        harbor.world().collection = schedule("0 0 1 * * *", parameters);
        assert_eq!(collection(&harbor).await, expected, "{parameters}");
    }
    harbor.world().collection = schedule("", "{}");
    assert_eq!(collection(&harbor).await, HarborCollection::Unscheduled);
    harbor.lie(Lie::Answer(Method::GET, "/system/gc/schedule", 403, "FORBIDDEN"));
    let snapshot = observed(&harbor).await;
    assert_eq!(snapshot.gaps, [], "a robot of one project may not ask, and its runs are complete");
    assert_eq!(collection(&harbor).await, HarborCollection::Unknown);
}
