//! The event history behind `LookupEvents`, made from its description: one attribute a call, a window of time, fifty events a page, the
//! newest first, and no more than two calls a second.

use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use jiff::Timestamp;
use serde_json::{Value, json};

use super::{ACCOUNT, Answer, Call, EcrServer, REGION, STRANGER, held};

/// One event as it is kept.
#[derive(Debug, Clone)]
pub(crate) struct Kept {
    pub(crate) name: String,
    pub(crate) repository: String,
    pub(crate) record: Value,
}

#[derive(Debug, Default)]
pub(crate) struct History {
    pub(crate) events: Vec<Kept>,
    /// Whether events name the repository that they are about as a resource.
    pub(crate) names_resources: bool,
    /// Whether nothing is delivered so far.
    pub(crate) is_late: bool,
    calls: Vec<Instant>,
    pub(crate) throttled: usize,
}

/// Whoever holds it adds events.
pub(crate) type SharedHistory = Arc<Mutex<History>>;

/// Serves the history at this server.
pub(crate) fn serve_at(server: &EcrServer) -> SharedHistory {
    let history = SharedHistory::default();
    held(&history).names_resources = true;
    let shared = Arc::clone(&history);
    server.lie(move |call| (call.operation == "LookupEvents").then(|| held(&shared).answer(call)));
    history
}

impl History {
    /// An event of ECR's about a repository, by a session of a role.
    pub(crate) fn add(&mut self, name: &str, repository: &str, at: Timestamp, asked: Value, answered: Value) {
        let mut asked = asked;
        asked["repositoryName"] = json!(repository);
        asked["registryId"] = json!(ACCOUNT);
        let record = json!({
            "eventVersion": "1.11", "eventTime": at.strftime("%Y-%m-%dT%H:%M:%SZ").to_string(),
            "eventSource": "ecr.amazonaws.com", "eventName": name, "awsRegion": REGION,
            "sourceIPAddress": "203.0.113.7", "userAgent": "docker/27.3.1",
            "userIdentity": { "type": "AssumedRole", "arn": format!("arn:aws:sts::{ACCOUNT}:assumed-role/ci/run-42") },
            "requestParameters": asked, "responseElements": answered, "recipientAccountId": ACCOUNT,
        });
        self.events.push(Kept { name: name.to_owned(), repository: repository.to_owned(), record });
    }

    pub(crate) fn pushed(&mut self, repository: &str, tag: &str, digest: &str, at: Timestamp) {
        let image = json!({ "image": { "imageId": { "imageTag": tag, "imageDigest": digest } } });
        self.add("PutImage", repository, at, json!({ "imageTag": tag, "imageManifest": "{}" }), image);
    }

    fn answer(&mut self, call: &Call) -> Answer {
        if call.key == STRANGER {
            return Answer::error("AccessDeniedException", "not authorized to perform: cloudtrail:LookupEvents");
        }
        let now = Instant::now();
        self.calls.retain(|at| now.duration_since(*at) < Duration::from_secs(1));
        if self.calls.len() >= 2 {
            self.throttled += 1;
            return Answer::error("ThrottlingException", "Rate exceeded");
        }
        self.calls.push(now);
        let [attribute] = &call.input["LookupAttributes"].as_array().expect("attributes")[..] else {
            return Answer::error("InvalidLookupAttributesException", "one attribute");
        };
        let most = call.input["MaxResults"].as_u64().unwrap_or(50);
        if most > 50 {
            return Answer::error("InvalidMaxResultsException", "50 at most");
        }
        let mut found: Vec<&Kept> =
            self.events.iter().filter(|event| self.fits(event, attribute, &call.input)).collect();
        found.reverse();
        let from = call.input["NextToken"].as_str().map_or(0, |token| token.parse().expect("a token of ours"));
        let page: Vec<Value> = found
            .iter()
            .skip(from)
            .take(most as usize)
            .map(|event| json!({ "EventName": event.name, "CloudTrailEvent": event.record.to_string() }))
            .collect();
        let until = from + page.len();
        let mut body = json!({ "Events": page });
        if until < found.len() {
            body["NextToken"] = json!(until.to_string());
        }
        Answer::ok(body)
    }

    fn fits(&self, event: &Kept, attribute: &Value, asked: &Value) -> bool {
        let at: Timestamp = event.record["eventTime"].as_str().and_then(|at| at.parse().ok()).expect("a time");
        let within = (asked["StartTime"].as_i64().unwrap_or(0)..=asked["EndTime"].as_i64().unwrap_or(i64::MAX))
            .contains(&at.as_second());
        let value = attribute["AttributeValue"].as_str().unwrap_or_default();
        let named = match attribute["AttributeKey"].as_str() {
            Some("EventName") => event.name == value,
            Some("ResourceName") => {
                let arn = format!("arn:aws:ecr:{REGION}:{ACCOUNT}:repository/{}", event.repository);
                self.names_resources && value == arn
            }
            other => panic!("{other:?}"),
        };
        !self.is_late && within && named
    }
}
