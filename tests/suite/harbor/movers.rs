//! Who moved or deleted a release, by the project's audit log: attributed to what the log says, and never read as "nobody" (J36).

use jiff::Timestamp;
use prodpin::model::{Code, Confidence, Event, Finding, Mode, TagChange};
use prodpin::sources::memory::image;
use serde_json::json;

use super::{USER, opened, opened_as};
use crate::estate::{Estate, RunResult, tags};
use crate::support::harbor::{Account, Harbor, Lie};
use crate::support::push::Pusher;
use axum::http::Method;
use prodpin::model::{NamePatterns, Order};

const CI: (&str, &str) = ("robot$shop+ci", "secret");

async fn started() -> Harbor {
    let robot = Account { name: CI.0.to_owned(), ..Account::admin(CI.0, CI.1) };
    let ada = Account::admin("ada", "secret");
    Harbor::start(vec![Account::admin(USER.0, USER.1), robot, ada]).await
}

async fn push(harbor: &Harbor, user: (&str, &str), tag: &str, text: &str) {
    Pusher::with_credentials(&harbor.url(), user.0, user.1).push("shop/api", tag, &image(text)).await;
}

/// Three releases, looked at once.
async fn with_releases(harbor: &Harbor) -> Estate {
    let mut estate = Estate::new(vec![tags(&["v*"], Order::Semver)]);
    estate.policy.may_move = NamePatterns::new(["dev-*"]).unwrap();
    for minor in 0..3 {
        push(harbor, USER, &format!("v1.{minor}.0"), &format!("release-{minor}")).await;
    }
    push(harbor, USER, "dev-1", "dev").await;
    push(harbor, USER, "latest", "dev").await;
    audited(&estate, harbor).await;
    harbor.forget_requests();
    estate
}

async fn audited(estate: &Estate, harbor: &Harbor) -> RunResult {
    estate.run_on(Mode::Audit, opened(harbor, false)).await
}

fn of<'a>(reported: &'a RunResult, code: Code, tag: &str) -> &'a Finding {
    let found = reported.findings.iter().find(|found| found.code == code && found.reference.as_deref() == Some(tag));
    found.unwrap_or_else(|| panic!("{code} {tag}: {:?}", reported.findings))
}

async fn names(estate: &Estate) -> Vec<Event> {
    let mut events = estate.events().await;
    events.retain(|event| matches!(event, Event::TagAttributed { .. }));
    events
}

fn asked(harbor: &Harbor) -> usize {
    let is_log = |path: &str| path.contains("/auditlog-exts?") || path.contains("/logs?");
    harbor.requests().iter().filter(|request| is_log(&request.path)).count()
}

async fn delete(harbor: &Harbor, user: &str, path: &str) {
    let url = format!("{}/api/v2.0/projects/shop/repositories/api/artifacts/{path}", harbor.url());
    let http = reqwest::Client::builder().no_proxy().build().unwrap();
    let answer = http.delete(url).basic_auth(user, Some("secret")).send().await.unwrap();
    assert_eq!(answer.status(), 200);
}

#[tokio::test]
async fn whoever_moved_a_release_is_named_once_and_stays_named_j36_i13() {
    let harbor = started().await;
    let estate = with_releases(&harbor).await;
    let before = Timestamp::now();
    push(&harbor, CI, "v1.1.0", "other bytes").await;
    let moved = audited(&estate, &harbor).await;
    let finding = of(&moved, Code::TagMoved, "v1.1.0");
    let by = finding.moved_by.as_ref().expect("somebody");
    assert_eq!((&*by.principal, &*by.via, &*by.source), (CI.0, "push", "Harbor's audit log"));
    assert_eq!((by.confidence, by.shared), (Confidence::Exact, true));
    assert!((before..=Timestamp::now()).contains(&by.at), "{by:?}");
    let says = "; moved by robot$shop+ci (credentials that several may share) via push at ";
    assert!(finding.message.contains(says) && finding.message.ends_with(", says Harbor's audit log"), "{finding:?}");
    assert!(moved.complete);
    assert!(moved.findings.iter().all(|finding| finding.code != Code::TagAttributed), "told with the move");
    let [Event::TagAttributed { tag, change: TagChange::Moved, to: Some(to), .. }] = &names(&estate).await[..] else {
        panic!("one name")
    };
    assert_eq!((tag.as_str(), Some(to.to_string())), ("v1.1.0", finding.artifact.clone()));

    let events = estate.events().await;
    harbor.forget_requests();
    let again = audited(&estate, &harbor).await;
    assert_eq!(asked(&harbor), 0, "what is named is asked no more");
    assert_eq!(of(&again, Code::TagMoved, "v1.1.0").moved_by.as_ref(), Some(by));
    assert_eq!(
        of(&again, Code::TagMoved, "v1.1.0").message.split(" via ").nth(1),
        finding.message.split(" via ").nth(1)
    );
    assert_eq!(estate.events().await, events);
}

#[tokio::test]
async fn a_name_that_comes_late_is_a_later_entry_and_a_finding_of_its_own_l64() {
    let harbor = started().await;
    let estate = with_releases(&harbor).await;
    harbor.world().audit.is_late = true;
    push(&harbor, ("ada", "secret"), "v1.1.0", "other bytes").await;
    for _ in 0..2 {
        let moved = audited(&estate, &harbor).await;
        let finding = of(&moved, Code::TagMoved, "v1.1.0");
        assert!(finding.message.ends_with("; Harbor's audit log has no entry yet of who moved it"), "{finding:?}");
        assert_eq!(finding.moved_by, None);
        assert_eq!(names(&estate).await, [], "nothing is recorded of what is not known");
    }
    harbor.world().audit.is_late = false;
    let named = audited(&estate, &harbor).await;
    let finding = of(&named, Code::TagAttributed, "v1.1.0");
    assert!(finding.message.starts_with("v1.1.0 was moved by ada via push at "), "{finding:?}");
    assert_eq!(finding.severity, of(&named, Code::TagMoved, "v1.1.0").severity);
    assert!(finding.remedy.contains("`prodpin history shop/api:v1.1.0`"), "{finding:?}");
    let events = estate.events().await;
    let after = audited(&estate, &harbor).await;
    assert!(after.findings.iter().all(|finding| finding.code != Code::TagAttributed), "once");
    assert_eq!(estate.events().await, events);
    // It moves again: the earlier name is about the earlier move.
    harbor.world().audit.is_late = true;
    push(&harbor, CI, "v1.1.0", "third bytes").await;
    assert_eq!(of(&audited(&estate, &harbor).await, Code::TagMoved, "v1.1.0").moved_by, None);
    harbor.world().audit.is_late = false;
    let third = audited(&estate, &harbor).await;
    let by = of(&third, Code::TagAttributed, "v1.1.0").moved_by.clone();
    assert_eq!(by.map(|by| by.principal), Some(CI.0.into()));
}

#[tokio::test]
async fn a_log_that_may_not_be_read_or_is_not_there_is_said_to_be_that_and_takes_nothing_else_away_j36() {
    for (lie, said) in [
        (Some(Lie::Answer(Method::GET, "/auditlog-exts", 403, "FORBIDDEN")), "grant log:list to the robot account"),
        (Some(Lie::Answer(Method::GET, "/auditlog-exts", 500, "UNKNOWN")), "who moved it is unknown: "),
        (Some(Lie::Answer(Method::GET, "logs", 404, "NOT_FOUND")), "is not recorded: "),
        (None, "no entry yet"),
    ] {
        let harbor = started().await;
        let estate = with_releases(&harbor).await;
        push(&harbor, CI, "v1.1.0", "other bytes").await;
        match lie {
            // Of both logs, whatever they are called.
            Some(Lie::Answer(method, "logs", status, code)) => {
                harbor.lie(Lie::Answer(method.clone(), "/auditlog-exts", status, code));
                harbor.lie(Lie::Answer(method, "/logs", status, code));
            }
            Some(lie) => harbor.lie(lie),
            None => harbor.world().audit.rows.clear(),
        }
        let moved = audited(&estate, &harbor).await;
        let finding = of(&moved, Code::TagMoved, "v1.1.0");
        assert!(finding.message.contains(said), "{said}: {}", finding.message);
        assert!(!finding.message.contains("nobody"), "{}", finding.message);
        assert_eq!(finding.moved_by, None);
        assert!(moved.complete, "what ran and what is kept is known all the same");
    }
}

#[tokio::test]
async fn an_older_harbor_names_the_tag_and_not_the_bytes_j36() {
    let harbor = started().await;
    harbor.world().audit.is_old = true;
    let estate = with_releases(&harbor).await;
    push(&harbor, CI, "v1.1.0", "other bytes").await;
    // As if the first push were long ago: where two entries fit, nobody is named.
    harbor.world().audit.rows.retain(|row| row["username"] == CI.0);
    let moved = audited(&estate, &harbor).await;
    let finding = of(&moved, Code::TagMoved, "v1.1.0");
    assert_eq!(finding.moved_by.as_ref().map(|by| by.confidence), Some(Confidence::Likely));
    assert!(finding.message.ends_with("which names the tag and not the bytes"), "{}", finding.message);
}

#[tokio::test]
async fn entries_that_are_about_something_else_name_nobody_j36() {
    let harbor = started().await;
    let estate = with_releases(&harbor).await;
    push(&harbor, CI, "v1.1.0", "other bytes").await;
    let long_ago = Timestamp::now() - jiff::SignedDuration::from_hours(1);
    for change in [
        |row: &mut serde_json::Value| {
            row["operation_description"] = json!(format!("push artifact: shop/api@sha256:{}", "0".repeat(64)))
        },
        |row: &mut serde_json::Value| row["operation_result"] = json!(false),
        |row: &mut serde_json::Value| row["username"] = json!(""),
        |row: &mut serde_json::Value| row["resource"] = json!("shop/api-other:v1.1.0"),
    ] {
        let kept = harbor.world().audit.rows.last().unwrap().clone();
        change(harbor.world().audit.rows.last_mut().unwrap());
        audited(&estate, &harbor).await;
        assert_eq!(names(&estate).await, []);
        *harbor.world().audit.rows.last_mut().unwrap() = kept;
    }
    let kept = harbor.world().audit.rows.last().unwrap().clone();
    harbor.world().audit.rows.last_mut().unwrap()["op_time"] = json!(long_ago.to_string());
    audited(&estate, &harbor).await;
    assert_eq!(names(&estate).await, [], "from before the tag was seen to name what it named");
    *harbor.world().audit.rows.last_mut().unwrap() = kept;
    audited(&estate, &harbor).await;
    assert_eq!(names(&estate).await.len(), 1, "each of these was the reason");
}

#[tokio::test]
async fn who_deleted_a_release_is_named_by_its_tag_or_by_its_bytes_j36() {
    for (by_tag, confidence, via) in
        [(true, Confidence::Exact, "tag deletion"), (false, Confidence::Likely, "artifact deletion")]
    {
        let harbor = started().await;
        let estate = with_releases(&harbor).await;
        let digest = harbor.world().find("shop/api", "v1.1.0").unwrap().digest.to_string();
        let path = if by_tag { format!("{digest}/tags/v1.1.0") } else { digest };
        delete(&harbor, "ada", &path).await;
        audited(&estate, &harbor).await;
        assert_eq!((names(&estate).await, asked(&harbor)), (vec![], 0), "one look is no deletion");
        let deleted = audited(&estate, &harbor).await;
        let finding = of(&deleted, Code::TagDeleted, "v1.1.0");
        let by = finding.moved_by.as_ref().expect("somebody");
        assert_eq!((&*by.principal, by.confidence, &*by.via, by.shared), ("ada", confidence, via, false));
        assert!(finding.message.contains(&format!("; deleted by ada via {via} at ")), "{}", finding.message);
    }
}

#[tokio::test]
async fn tags_that_may_move_and_tags_that_are_no_releases_are_not_asked_about_l66() {
    let harbor = started().await;
    let estate = with_releases(&harbor).await;
    for tag in ["dev-1", "latest"] {
        push(&harbor, CI, tag, "other bytes").await;
    }
    let moved = audited(&estate, &harbor).await;
    assert_eq!(of(&moved, Code::TagMoved, "latest").moved_by, None);
    assert_eq!(asked(&harbor), 0);
    // A look that changes nothing asks nobody either.
    push(&harbor, CI, "v1.1.0", "other bytes").await;
    estate.ready_on(opened_as(&harbor, &["shop/*"], Some(USER), false)).await;
    assert_eq!(asked(&harbor), 0);
}
