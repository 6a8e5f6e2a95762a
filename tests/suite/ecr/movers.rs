//! Who moved or deleted a release, by CloudTrail: asked only where the policy says so, only for releases, at its pace (L64–L68).

use jiff::{SignedDuration, Timestamp};
use prodpin::model::{Code, Confidence, Digest, Event, Finding, Mode, Order};
use prodpin::policy::EcrConfig;
use prodpin::sources::memory::image;
use prodpin::sources::{OpenOptions, Source};
use serde_json::{Value, json};

use crate::estate::{Estate, RunResult, tags};
use crate::support::ecr::cloudtrail::{SharedHistory, serve_at};
use crate::support::ecr::{EcrServer, STRANGER, TRUSTED};

const REPOSITORY: &str = "shop/api";

struct Account {
    server: EcrServer,
    history: SharedHistory,
    estate: Estate,
}

/// Three releases, looked at once.
async fn account() -> Account {
    let server = EcrServer::start().await;
    let history = serve_at(&server);
    let estate = Estate::new(vec![tags(&["v*"], Order::Semver)]);
    for minor in 0..3 {
        server.push(REPOSITORY, &format!("v1.{minor}.0"), &image(&format!("release-{minor}")));
    }
    let account = Account { server, history, estate };
    account.audited().await;
    account.server.forget_calls();
    account
}

impl Account {
    async fn source(&self, asks_cloudtrail: bool, key: &str) -> Source {
        let config = EcrConfig { asks_cloudtrail, ..self.server.config(&["shop/*"]) };
        let options = OpenOptions { write: false, rehearse: false, tried: false, concurrency: 8, deadline: None };
        self.server.open_with(&config, &options, key).await
    }

    async fn audited(&self) -> RunResult {
        self.estate.run_on(Mode::Audit, self.source(true, TRUSTED).await).await
    }

    fn moved(&self, tag: &str) -> Digest {
        self.server.push(REPOSITORY, tag, &image("other bytes"))
    }

    fn asked(&self) -> usize {
        self.server.count("LookupEvents")
    }

    async fn names(&self) -> usize {
        self.estate.events().await.iter().filter(|event| matches!(event, Event::TagAttributed { .. })).count()
    }
}

fn held(history: &SharedHistory) -> std::sync::MutexGuard<'_, crate::support::ecr::cloudtrail::History> {
    history.lock().unwrap()
}

fn of<'a>(reported: &'a RunResult, code: Code, tag: &str) -> &'a Finding {
    let found = reported.findings.iter().find(|found| found.code == code && found.reference.as_deref() == Some(tag));
    found.unwrap_or_else(|| panic!("{code} {tag}: {:?}", reported.findings))
}

#[tokio::test]
async fn cloudtrail_names_the_session_that_moved_a_release_l64_l65_l68() {
    let account = account().await;
    let digest = account.moved("v1.1.0").to_string();
    let now = Timestamp::now();
    held(&account.history).pushed(REPOSITORY, "v1.1.0", &digest, now);
    held(&account.history).pushed("shop/web", "v1.1.0", &digest, now);
    let moved = account.audited().await;
    let finding = of(&moved, Code::TagMoved, "v1.1.0");
    let by = finding.moved_by.as_ref().unwrap_or_else(|| panic!("{}", finding.message));
    assert_eq!(&*by.principal, "arn:aws:sts::111122223333:assumed-role/ci/run-42");
    assert_eq!(
        (&*by.via, &*by.source, by.confidence, by.shared),
        ("PutImage (docker/27.3.1)", "CloudTrail", Confidence::Exact, true)
    );
    assert!(!serde_json::to_string(&moved.findings).unwrap().contains("203.0.113.7"), "no addresses");
    assert_eq!(account.asked(), 1, "by the repository's own name");
    assert_eq!(account.names().await, 1);
    let events = account.estate.events().await;
    account.audited().await;
    assert_eq!((account.asked(), account.estate.events().await), (1, events), "once");
}

#[tokio::test]
async fn without_the_policys_word_nobody_is_asked_and_without_the_right_the_finding_says_which_f30() {
    let account = account().await;
    account.moved("v1.1.0");
    let source = account.source(false, TRUSTED).await;
    let moved = account.estate.run_on(Mode::Audit, source).await;
    assert_eq!((account.asked(), of(&moved, Code::TagMoved, "v1.1.0").moved_by.clone()), (0, None));
    let source = account.source(true, STRANGER).await;
    let trail = source.inventory.trail().unwrap();
    let change = prodpin::model::UnnamedChange {
        tag: "v1.1.0".parse().unwrap(),
        change: prodpin::model::TagChange::Moved,
        digest: Digest::sha256(b"a"),
        after: Timestamp::now() - SignedDuration::from_hours(1),
        until: Timestamp::now(),
    };
    let answers = trail.who(&REPOSITORY.parse().unwrap(), &[change]).await;
    let [prodpin::model::TrailAnswer::Unread(gap)] = &answers[..] else { panic!("{answers:?}") };
    assert!(gap.detail.contains("grant cloudtrail:LookupEvents (policies/ecr/iam-who.json)"), "{gap:?}");
}

#[tokio::test]
async fn a_history_without_resources_is_searched_by_name_page_by_page_at_its_pace_l64_l66() {
    let account = account().await;
    held(&account.history).names_resources = false;
    let digest = account.moved("v1.1.0").to_string();
    let now = Timestamp::now();
    held(&account.history).pushed(REPOSITORY, "v1.1.0", &digest, now);
    for number in 0..120 {
        held(&account.history).pushed("shop/web", &format!("v{number}"), &digest, now);
    }
    let begun = std::time::Instant::now();
    let moved = account.audited().await;
    assert!(of(&moved, Code::TagMoved, "v1.1.0").moved_by.is_some(), "{:?}", moved.findings);
    // Calls that left in time may arrive together where this machine is busy; what is refused then is asked again.
    let refused = held(&account.history).throttled;
    assert_eq!(account.asked() - refused, 4, "one by resource, three pages by name");
    assert!(begun.elapsed() >= std::time::Duration::from_millis(1_500), "two calls a second");
}

#[tokio::test]
async fn what_is_not_delivered_yet_is_asked_for_by_the_next_run_l64() {
    let account = account().await;
    held(&account.history).is_late = true;
    let digest = account.moved("v1.1.0").to_string();
    held(&account.history).pushed(REPOSITORY, "v1.1.0", &digest, Timestamp::now());
    let moved = account.audited().await;
    let message = &of(&moved, Code::TagMoved, "v1.1.0").message;
    assert!(message.ends_with("; CloudTrail has no entry yet of who moved it"), "{message}");
    assert!(moved.complete);
    assert_eq!(account.names().await, 0);
    held(&account.history).is_late = false;
    let named = account.audited().await;
    assert!(of(&named, Code::TagAttributed, "v1.1.0").message.contains("assumed-role/ci/run-42"));
    assert_eq!(account.names().await, 1);
}

#[tokio::test]
async fn more_events_than_are_read_are_not_called_none_l66() {
    let account = account().await;
    held(&account.history).names_resources = false;
    let digest = account.moved("v1.1.0").to_string();
    let now = Timestamp::now();
    held(&account.history).pushed(REPOSITORY, "v1.1.0", &digest, now);
    for number in 0..450 {
        held(&account.history).pushed("shop/web", &format!("v{number}"), &digest, now);
    }
    let moved = account.audited().await;
    let finding = of(&moved, Code::TagMoved, "v1.1.0");
    assert!(
        finding.message.contains("who moved it is unknown: CloudTrail has more than 400 events"),
        "{}",
        finding.message
    );
    assert_eq!(finding.moved_by, None);
}

#[tokio::test]
async fn who_deleted_a_release_or_which_rule_did_l64() {
    for rule in [None, Some(10)] {
        let account = account().await;
        let digest = {
            let mut holdings = account.server.holdings();
            let repository = holdings.repositories.get_mut(REPOSITORY).unwrap();
            let at = repository.images.iter().position(|image| image.tags.contains("v1.1.0")).unwrap();
            repository.images.remove(at).digest.to_string()
        };
        let now = Timestamp::now();
        match rule {
            None => held(&account.history).add(
                "BatchDeleteImage",
                REPOSITORY,
                now,
                json!({ "imageIds": [{ "imageDigest": digest }] }),
                json!({ "imageIds": [{ "imageDigest": digest, "imageTag": "v1.1.0" }], "failures": [] }),
            ),
            Some(rule) => {
                let mut history = held(&account.history);
                history.add("PolicyExecutionEvent", REPOSITORY, now, json!({}), Value::Null);
                let record = &mut history.events.last_mut().unwrap().record;
                record["requestParameters"] = Value::Null;
                record["userIdentity"] = json!({ "invokedBy": "AWS Internal" });
                record["serviceEventDetails"] = json!({ "repositoryName": REPOSITORY, "lifecycleEventImageActions": [
                    { "lifecycleEventImage": { "digest": digest, "tagList": ["v1.1.0"] }, "rulePriority": rule },
                ] });
            }
        }
        account.audited().await;
        let deleted = account.audited().await;
        let finding = of(&deleted, Code::TagDeleted, "v1.1.0");
        let by = finding.moved_by.as_ref().unwrap_or_else(|| panic!("{}", finding.message));
        let expected =
            rule.map_or("BatchDeleteImage (docker/27.3.1)".to_owned(), |rule| format!("lifecycle rule {rule}"));
        assert_eq!((&*by.via, by.confidence), (&*expected, Confidence::Exact));
    }
}

#[test]
fn the_published_document_grants_that_call_and_nothing_else_a55() {
    let document: Value = serde_json::from_str(include_str!("../../../policies/ecr/iam-who.json")).unwrap();
    let [statement] = &document["Statement"].as_array().unwrap()[..] else { panic!("one statement") };
    assert_eq!((&statement["Effect"], &statement["Action"]), (&json!("Allow"), &json!(["cloudtrail:LookupEvents"])));
    assert_eq!(statement["Resource"], "*", "CloudTrail knows no narrower one");
}
