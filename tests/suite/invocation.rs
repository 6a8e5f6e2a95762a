//! The Lambda function without Lambda: events by the vendor's documented samples, and whole invocations.

use std::time::Duration;

use prodpin::invocation::{
    Answer, EventSubject, Function, InvocationError, Manual, RunSummary, Trigger, Wanted, carry_out, wanted,
};
use prodpin::model::{Mode, RepositoryKey};
use prodpin::policy::{Policy, parse};
use prodpin::run::Shard;
use prodpin::sources::memory::Content;
use prodpin::telemetry::Collector;
use serde_json::{Value, json};

use crate::support::push::Pusher;
use crate::support::registry::Registry;

fn sample(text: &str) -> Value {
    serde_json::from_str(text).unwrap()
}

fn key(source: &str, name: &str) -> RepositoryKey {
    RepositoryKey { source: source.parse().unwrap(), name: name.parse().unwrap() }
}

#[test]
fn documented_events_are_read_g150_a41_b80() {
    for event in [include_str!("events/rule.json"), include_str!("events/scheduler.json")] {
        assert_eq!(Trigger::read(&sample(event)), Ok(Trigger::Schedule), "{event}");
    }
    let image = EventSubject::Repository {
        account: "123456789012".to_owned(),
        region: "us-west-2".to_owned(),
        name: "shop/api".parse().unwrap(),
    };
    // One has a tag and the other has none (A41).
    for event in [include_str!("events/ecr-push.json"), include_str!("events/ecr-delete.json")] {
        assert_eq!(Trigger::read(&sample(event)), Ok(Trigger::Happened(vec![image.clone()])), "{event}");
    }
    let object = EventSubject::Object {
        bucket: "acme-deployments".to_owned(),
        key: "web shop/1.4.0+b1/bundle.zip".parse().unwrap(),
    };
    // The bus writes keys as they are, notifications as in a form (B80).
    for event in [
        include_str!("events/s3-bus.json"),
        include_str!("events/s3-bus-deleted.json"),
        include_str!("events/s3-notification.json"),
    ] {
        assert_eq!(Trigger::read(&sample(event)), Ok(Trigger::Happened(vec![object.clone()])), "{event}");
    }
    assert_eq!(Trigger::read(&sample(include_str!("events/s3-test.json"))), Ok(Trigger::Test));
    let manual = json!({ "mode": "enforce-dry-run", "source": "shop", "repository": "shop/api", "shard": "1/4" });
    let expected = Manual {
        mode: Some(Mode::EnforceDryRun),
        source: Some("shop".parse().unwrap()),
        repository: Some("shop/api".parse().unwrap()),
        shard: Some(Shard { index: 1, count: 4 }),
    };
    assert_eq!(Trigger::read(&manual), Ok(Trigger::Manual(expected)));
}

#[test]
fn what_is_not_understood_is_an_error_that_says_what_it_is() {
    let notification = |change: &dyn Fn(&mut Value)| {
        let mut event = sample(include_str!("events/s3-notification.json"));
        change(&mut event);
        event
    };
    let cases = [
        (json!(null), "no JSON object"),
        (json!([]), "no JSON object"),
        (json!({}), "it says nothing"),
        (json!({ "key1": "value1" }), "unknown field `key1`"),
        (json!({ "mode": "delete" }), "unknown variant `delete`"),
        (json!({ "mode": "audit", "shard": "4/4" }), "the last is 3/4"),
        (json!({ "source": "aws.ec2", "detail-type": "EC2 Instance State-change Notification" }), "aws.ec2"),
        (json!({ "source": "aws.ecr" }), "detail-type is missing"),
        (json!({ "source": "aws.ecr", "detail-type": "ECR Image Scan", "detail": {} }), "ECR Image Scan"),
        (json!({ "source": "aws.ecr", "detail-type": "ECR Image Action", "detail": "no" }), "detail is no object"),
        (
            json!({ "source": "aws.ecr", "detail-type": "ECR Image Action", "account": "1", "region": "r",
                    "detail": { "repository-name": "" } }),
            "repository-name",
        ),
        (json!({ "Records": [] }), "no records"),
        (json!({ "Records": [{ "EventSource": "aws:sns" }] }), "aws:sns"),
        (json!({ "Records": "all" }), "no list"),
        (notification(&|event| event["Records"][0]["s3"]["object"]["key"] = json!("a%2")), "form-urlencoded"),
        (notification(&|event| event["Records"][0]["s3"]["object"]["key"] = json!("a%FF")), "form-urlencoded"),
        (notification(&|event| event["Records"][0]["s3"]["object"]["key"] = json!("")), "object key"),
        (notification(&|event| event["Records"][0]["s3"]["bucket"] = json!("x")), "bucket is missing"),
    ];
    for (event, reason) in cases {
        let reported = Trigger::read(&event).expect_err(reason).to_string();
        assert!(
            reported.contains(reason) && reported.contains("the function takes scheduled events"),
            "{event}: {reported}"
        );
    }
}

fn policy(text: &str) -> Policy {
    parse(text, "prodpin.yaml", &|_| None).unwrap_or_else(|problems| panic!("{problems}"))
}

#[test]
fn an_event_is_about_the_repositories_that_it_names_and_the_policy_covers() {
    let policy = policy(
        "version: 1\n\
         sources:\n  \
           west:   { ecr: { region: us-west-2, registry: \"123456789012\" }, repositories: [\"shop/*\"] }\n  \
           chain:  { ecr: {}, repositories: [\"shop/*\"] }\n  \
           east:   { ecr: { region: us-east-1, registry: \"123456789012\" }, repositories: [\"shop/*\"] }\n  \
           other:  { ecr: { region: us-west-2, registry: \"111122223333\" }, repositories: [\"shop/*\"] }\n  \
           narrow: { ecr: { region: us-west-2 }, repositories: [\"pay/*\"] }\n  \
           docker: { oci: \"https://123456789012.dkr.ecr.us-west-2.amazonaws.com\", repositories: [\"shop/api\"] }\n  \
           bundles: { s3: acme-deployments, layout: \"{repository}/{version}/bundle.zip\", repositories: [\"web*\"] }\n\
         production:\n  - { tags: [\"v*\"] }\n",
    );
    let asked = |event: &str| wanted(&policy, &Trigger::read(&sample(event)).unwrap()).unwrap();
    // In doubt it is looked at: the chain's account and region may be these.
    let repositories = vec![key("chain", "shop/api"), key("docker", "shop/api"), key("west", "shop/api")];
    assert_eq!(
        asked(include_str!("events/ecr-push.json")),
        Some(Wanted { repositories: repositories.clone(), ..Wanted::default() })
    );
    let bundles = Some(Wanted { repositories: vec![key("bundles", "web shop")], ..Wanted::default() });
    assert_eq!(asked(include_str!("events/s3-bus.json")), bundles);
    assert_eq!(asked(include_str!("events/s3-notification.json")), bundles);
    assert_eq!(asked(&include_str!("events/ecr-push.json").replace("shop/api", "play/api")), None);
    assert_eq!(asked(&include_str!("events/s3-bus.json").replace("acme-deployments", "another")), None);
    assert_eq!(asked(&include_str!("events/s3-bus.json").replace("bundle.zip", "notes.txt")), None, "no version's key");
    assert_eq!(asked(include_str!("events/s3-test.json")), None);
    assert_eq!(asked(include_str!("events/rule.json")), Some(Wanted::default()));

    let manual = |event: Value| wanted(&policy, &Trigger::read(&event).unwrap());
    let one = manual(json!({ "source": "west", "repository": "shop/api" })).unwrap().unwrap();
    assert_eq!(one.repositories, [key("west", "shop/api")]);
    assert!(manual(json!({ "source": "nowhere" })).unwrap_err().contains("no source nowhere"));
    assert!(manual(json!({ "repository": "play/api" })).unwrap_err().contains("no source of the policy covers"));
}

/// A function on a registry with two repositories of three releases each.
struct Deployed {
    registry: Registry,
    pusher: Pusher,
    function: Function,
    directory: tempfile::TempDir,
}

const MINUTE: Duration = Duration::from_secs(60);

impl Deployed {
    async fn new(mode: &str) -> Self {
        let registry = Registry::start().await;
        let pusher = Pusher::new(&registry.url());
        for repository in ["shop/api", "shop/web"] {
            for minor in 0..3 {
                let content = Content::from(format!("{repository} {minor}").as_str());
                pusher.push(repository, &format!("v1.{minor}.0"), &content).await;
            }
        }
        registry.forget_requests();
        let directory = tempfile::tempdir().unwrap();
        let text = format!(
            "version: 1\nledger: {}\nsources:\n  shop: {{ oci: \"{}\", repositories: [\"shop/*\"] }}\nproduction:\n  - {{ tags: [\"v*\"] }}\n",
            directory.path().join("ledger").display(),
            registry.url(),
        );
        let variables = [("PRODPIN_POLICY_TEXT", text.as_str()), ("PRODPIN_MODE", mode)];
        let environment =
            |name: &str| variables.iter().find(|(known, _)| *known == name).map(|(_, value)| (*value).to_owned());
        let function = Function::from_environment(&environment).unwrap();
        Self { registry, pusher, function, directory }
    }

    async fn ask(&self, event: Value) -> RunSummary {
        match carry_out(&self.function, &event, MINUTE).await.unwrap().answer {
            Answer::Ran(reported) => *reported,
            Answer::Nothing { reason } => panic!("{reason}"),
        }
    }

    fn repositories_asked(&self) -> Vec<String> {
        let of = |path: &str| Some(path.strip_prefix("/v2/")?.split('/').take(2).collect::<Vec<_>>().join("/"));
        let mut asked: Vec<String> = self
            .registry
            .requests()
            .iter()
            .filter_map(|request| of(&request.path))
            .filter(|path| !path.is_empty())
            .collect();
        asked.sort();
        asked.dedup();
        asked
    }
}

#[tokio::test]
async fn only_the_named_repository_is_read_and_a_moved_tag_is_in_the_answer() {
    let deployed = Deployed::new("enforce").await;
    let all = deployed.ask(sample(include_str!("events/rule.json"))).await;
    assert!(all.run.complete && all.run.scope.is_whole());
    assert_eq!((all.summary.counts.targets, all.summary.counts.protected), (6, 6));

    deployed.pusher.push("shop/api", "v1.1.0", &Content::from("an implant")).await;
    deployed.registry.forget_requests();
    let reported = deployed.ask(json!({ "repository": "shop/api" })).await;
    let mut asked = deployed.repositories_asked();
    // What the registry is, is asked of the registry.
    asked.retain(|name| !name.starts_with('_'));
    assert_eq!(asked, ["shop/api"], "nothing else, not even the catalog");
    assert_eq!(reported.run.scope.repositories, ["shop/shop/api"]);
    assert!(reported.run.complete);
    let found = serde_json::to_value(&reported.findings).unwrap();
    assert_eq!((&found[0]["code"], &found[0]["repository"]), (&json!("tag-moved"), &json!("shop/shop/api")));
    // The report is where the answer says.
    let place = reported.report.unwrap();
    assert!(std::path::Path::new(&place).is_file(), "{place}");
    assert!(place.starts_with(deployed.directory.path().to_str().unwrap()), "{place}");

    // What was not looked at stays as it was: the whole run after it finds nothing resolved or forgotten.
    let after = deployed.ask(sample(include_str!("events/scheduler.json"))).await;
    assert_eq!((after.summary.counts.targets, after.run.complete), (7, true));
}

#[tokio::test]
async fn duplicates_change_nothing_i13_f84() {
    let deployed = Deployed::new("enforce").await;
    deployed.ask(sample(include_str!("events/rule.json"))).await;
    deployed.pusher.push("shop/api", "v1.3.0", &Content::from("fresh")).await;
    let event = json!({ "repository": "shop/api" });
    let first = deployed.ask(event.clone()).await;
    assert_eq!((first.summary.counts.targets, first.summary.counts.protected), (4, 4), "pinned by the event itself");
    deployed.registry.forget_requests();
    let second = deployed.ask(event.clone()).await;
    assert_ne!(second.report, first.report, "one made the pin, the other found it");
    let third = deployed.ask(event).await;
    assert_eq!(third.report, second.report, "the same report, under the same name");
    let writes =
        deployed.registry.requests().into_iter().filter(|request| !matches!(request.method.as_str(), "GET" | "HEAD"));
    assert_eq!(writes.count(), 0);
    // A late one, of a push that something newer overtook, finds what is true now.
    let late = deployed.ask(json!({ "repository": "shop/web" })).await;
    assert_eq!(late.summary.counts.protected, 3);
}

#[tokio::test]
async fn two_events_at_once_lose_nothing_i14_f85() {
    let deployed = Deployed::new("enforce").await;
    let (one, other, all) = tokio::join!(
        deployed.ask(json!({ "repository": "shop/api" })),
        deployed.ask(json!({ "repository": "shop/api" })),
        deployed.ask(sample(include_str!("events/rule.json"))),
    );
    assert!(one.run.complete && other.run.complete && all.run.complete);
    let after = deployed.ask(sample(include_str!("events/rule.json"))).await;
    assert_eq!((after.summary.counts.targets, after.summary.counts.protected), (6, 6));
}

#[tokio::test]
async fn an_event_asks_for_no_more_than_the_function_was_made_for() {
    let deployed = Deployed::new("audit").await;
    let refused = carry_out(&deployed.function, &json!({ "mode": "enforce" }), MINUTE).await.unwrap_err();
    assert!(refused.to_string().contains("does not pin"), "{refused}");
    assert_eq!(deployed.registry.requests(), [], "refused before anything is asked");
    let reported = deployed.ask(json!({ "mode": "enforce-dry-run", "source": "shop" })).await;
    assert_eq!((reported.run.mode, reported.summary.counts.protected), (Mode::EnforceDryRun, 0));
}

#[tokio::test]
async fn what_the_policy_does_not_cover_is_no_failure_and_no_run() {
    let deployed = Deployed::new("audit").await;
    for event in [include_str!("events/ecr-push.json"), include_str!("events/s3-test.json")] {
        let answer = carry_out(&deployed.function, &sample(event), MINUTE).await.unwrap().answer;
        assert!(matches!(answer, Answer::Nothing { .. }), "{answer:?}");
    }
    assert_eq!(deployed.registry.requests(), []);
}

#[tokio::test]
async fn a_registry_that_hangs_is_told_before_the_time_is_up_f89() {
    let silent = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let directory = tempfile::tempdir().unwrap();
    let text = format!(
        "version: 1\nledger: {}\nsources:\n  shop: {{ oci: \"http://{}\", repositories: [\"shop/api\"] }}\nproduction:\n  - {{ tags: [\"v*\"] }}\n",
        directory.path().join("ledger").display(),
        silent.local_addr().unwrap(),
    );
    let environment = |name: &str| (name == "PRODPIN_POLICY_TEXT").then(|| text.clone());
    let function = Function::from_environment(&environment).unwrap();
    let began = std::time::Instant::now();
    let left = Duration::from_secs(6);
    // Nobody waits for the answer to a schedule: it must fail. Who asked by hand about one repository is reported.
    let error = carry_out(&function, &sample(include_str!("events/rule.json")), left).await.unwrap_err();
    assert!(began.elapsed() < left * 85 / 100, "{:?}", began.elapsed());
    assert!(matches!(&error, InvocationError::Incomplete(reported) if reported.report.is_some()), "{error}");
    let answer = carry_out(&function, &json!({ "repository": "shop/api" }), left).await.unwrap().answer;
    assert!(matches!(answer, Answer::Ran(reported) if !reported.run.complete));
    // A share is what a schedule asks for.
    let error = carry_out(&function, &json!({ "shard": "0/1" }), left).await.unwrap_err();
    assert!(matches!(&error, InvocationError::Incomplete(_)), "{error}");
}

#[test]
fn the_environment_of_a_function_is_checked_at_its_start() {
    let with = |variables: &[(&str, &str)]| {
        let variables: Vec<(String, String)> =
            variables.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
        let look = move |name: &str| variables.iter().find(|(known, _)| known == name).map(|(_, value)| value.clone());
        Function::from_environment(&look).map(|function| function.mode).map_err(|error| error.to_string())
    };
    let policy = (
        "PRODPIN_POLICY_TEXT",
        "version: 1\nsources:\n  shop: { oci: \"https://r.example.com\", repositories: [\"shop/*\"] }\nproduction:\n  - { tags: [\"v*\"] }\n",
    );
    assert_eq!(with(&[policy]), Ok(Mode::Audit), "without a word it only looks");
    assert_eq!(with(&[policy, ("PRODPIN_MODE", "enforce")]), Ok(Mode::Enforce));
    assert!(with(&[policy, ("PRODPIN_MODE", "release")]).unwrap_err().contains("PRODPIN_MODE"));
    assert!(with(&[policy, ("PRODPIN_CONCURRENCY", "0")]).unwrap_err().contains("1 to 1024"));
    assert!(with(&[policy, ("PRODPIN_REPORT_BATCH_ITEM_FAILURES", "yes")]).unwrap_err().contains("write true"));
    let grpc = [("OTEL_EXPORTER_OTLP_ENDPOINT", "http://c:4317"), ("OTEL_EXPORTER_OTLP_PROTOCOL", "grpc")];
    assert!(with(&[policy, grpc[0], grpc[1]]).unwrap_err().contains("http/json"));
    assert!(with(&[policy, ("PRODPIN_LEDGER", "gcs://x/y")]).unwrap_err().contains("gs://"));
    assert!(with(&[("PRODPIN_POLICY_TEXT", "version: 1\nsauces: {}\n")]).unwrap_err().contains("sauces"));
    assert!(with(&[("LAMBDA_TASK_ROOT", "/nowhere")]).unwrap_err().contains("/nowhere/prodpin.yaml"));
}

#[tokio::test]
async fn metrics_of_the_whole_estate_come_from_whole_runs() {
    let deployed = Deployed::new("audit").await;
    let whole = deployed.ask(sample(include_str!("events/rule.json"))).await.metrics("prodpin");
    assert_eq!((&whole["WholeRuns"], &whole["Targets"], &whole["Unprotected"]), (&json!(1), &json!(6), &json!(6)));
    let part = deployed.ask(json!({ "repository": "shop/api" })).await.metrics("prodpin");
    assert_eq!((&part["WholeRuns"], &part["Targets"]), (&json!(0), &Value::Null));
    for line in [whole, part] {
        let declared = line["_aws"]["CloudWatchMetrics"][0]["Metrics"].as_array().unwrap().clone();
        assert!(declared.len() >= 4);
        for metric in declared {
            assert!(line[metric["Name"].as_str().unwrap()].is_u64(), "{metric} has no value in {line}");
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn metrics_are_pushed_where_a_collector_is_named_and_only_those_of_the_estate() {
    let receiver = crate::alerts::Receiver::start(&[200]).await;
    let mut deployed = Deployed::new("audit").await;
    let endpoint = receiver.url.clone();
    let collector =
        Collector::from_variables(&|name| (name == "OTEL_EXPORTER_OTLP_ENDPOINT").then(|| endpoint.clone()));
    deployed.function.collector = collector.unwrap().map(std::sync::Arc::new);
    deployed.ask(json!({ "repository": "shop/api" })).await;
    assert_eq!(receiver.take().len(), 0, "one repository's figures would make the estate's graph jump");
    deployed.ask(sample(include_str!("events/rule.json"))).await;
    let requests = receiver.take();
    assert_eq!(requests.len(), 1);
    assert!(requests[0].body.contains("prodpin_targets_protected"), "{}", requests[0].body);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_collector_that_hangs_costs_no_answer_f89() {
    let silent = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let endpoint = format!("http://{}", silent.local_addr().unwrap());
    let mut deployed = Deployed::new("audit").await;
    let collector =
        Collector::from_variables(&|name| (name == "OTEL_EXPORTER_OTLP_ENDPOINT").then(|| endpoint.clone()));
    deployed.function.collector = collector.unwrap().map(std::sync::Arc::new);
    let (began, left) = (std::time::Instant::now(), Duration::from_secs(5));
    let reply = carry_out(&deployed.function, &sample(include_str!("events/rule.json")), left).await.unwrap();
    assert!(matches!(reply.answer, Answer::Ran(reported) if reported.run.complete));
    assert!(began.elapsed() < left, "{:?}", began.elapsed());
}
