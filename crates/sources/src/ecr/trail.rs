//! Who moved or deleted a tag, from the account's CloudTrail event history (L64–L66): the management events of 90 days, for which no
//! trail must be set up. `LookupEvents` takes one attribute a call, gives 50 events a page, and bears two calls a second in an
//! account and region.

mod event;

use std::sync::Arc;
use std::time::{Duration, Instant};

use async_trait::async_trait;
use bytes::Bytes;
use jiff::{SignedDuration, Timestamp};
use serde_json::json;

use super::Registry;
use super::pace::Pace;
use crate::{Trail, unread};
use prodpin_core::decide::attribution::{attribute, earliest, latest};
use prodpin_core::model::{
    Cause, Confidence, Gap, RepositoryName, Scope, TagChange, TrailAnswer, TrailEntry, UnnamedChange,
};
use prodpin_net::aws::{JsonFailure, JsonOperation};
use prodpin_net::jitter;

use self::event::{Page, entries};

const SOURCE: &str = "CloudTrail";
pub(super) const SERVICE: &str = "cloudtrail";
pub(super) const TARGET: &str = "com.amazonaws.cloudtrail.v20131101.CloudTrail_20131101.LookupEvents";

/// Between two calls: half of a quota that people at a console have a share of.
const APART: Duration = Duration::from_millis(500);

/// The event history reaches back so far.
const KEPT: SignedDuration = SignedDuration::from_hours(24 * 90);

/// Events a page, the most that there are.
const PAGE: u32 = 50;

/// So many pages are read of the events about a repository, and so many of all events of a name.
const PAGES_OF_RESOURCE: usize = 2;
const PAGES_OF_NAME: usize = 8;

/// The events that can be about a change.
const NAMES: [(TagChange, &str); 4] = [
    (TagChange::Moved, "PutImage"),
    (TagChange::Deleted, "BatchDeleteImage"),
    (TagChange::Deleted, "PolicyExecutionEvent"),
    (TagChange::Deleted, "DeleteRepository"),
];

/// A throttled call is tried so often.
const TRIES: u32 = 3;

/// The event history of an account in a region.
#[derive(Debug)]
pub(super) struct CloudTrail {
    operation: JsonOperation,
    pace: Arc<Pace>,
    deadline: Option<Instant>,
}

impl CloudTrail {
    /// Calls of one account and region are paced together, whatever sources they are of.
    pub(super) fn new(operation: JsonOperation, account: Option<&str>, deadline: Option<Instant>) -> Self {
        let place = format!("cloudtrail {} {}", account.unwrap_or_default(), operation.url);
        Self { pace: Pace::of(&place, APART, 1), operation, deadline }
    }

    /// Why a call failed, for a person.
    fn sentence(&self, failure: &JsonFailure) -> String {
        let JsonFailure { cause, said } = failure;
        let place = format!("CloudTrail in {}: LookupEvents", self.operation.region);
        match cause {
            Cause::Denied => {
                format!("{place} denied ({said}); grant cloudtrail:LookupEvents (policies/ecr/iam-who.json)")
            }
            Cause::Throttled => format!("{place} still throttled after retries ({said}); the next run asks again"),
            _ => format!("{place} failed ({said}); the next run asks again"),
        }
    }

    async fn page(&self, body: &serde_json::Value) -> Result<Page, JsonFailure> {
        let late = || JsonFailure { cause: Cause::TimedOut, said: "the run's deadline came first".to_owned() };
        let bytes = Bytes::from(body.to_string());
        let mut tries = 1;
        let answer = loop {
            self.pace.turn(self.deadline).await.map_err(|_| late())?;
            match self.operation.call(bytes.clone()).await {
                Err(failure) if failure.cause == Cause::Throttled && tries < TRIES => {
                    tokio::time::sleep(jitter::wait(jitter::backoff(APART, tries, APART * 4))).await;
                    tries += 1;
                }
                answer => break answer?,
            }
        };
        serde_json::from_slice(&answer).map_err(|_| JsonFailure {
            cause: Cause::Malformed,
            said: "the answer is not what CloudTrail sends; is there a proxy in between?".to_owned(),
        })
    }
}

/// What is asked for: events about a resource, or of a name.
#[derive(Debug, Clone)]
struct Search {
    key: &'static str,
    value: String,
    pages: usize,
    /// What these events can be about; both if none.
    about: Option<TagChange>,
}

/// The changes that are still open, and what was found so far.
struct Asking<'a> {
    trail: &'a CloudTrail,
    repository: &'a RepositoryName,
    account: Option<&'a str>,
    changes: &'a [UnnamedChange],
    found: Vec<TrailEntry>,
}

impl Asking<'_> {
    /// What a search may still find somebody for.
    fn open(&self, search: &Search) -> impl Iterator<Item = &UnnamedChange> {
        let about = self.changes.iter().filter(|change| search.about.is_none_or(|about| about == change.change));
        // Who only may be it is held against the rest.
        about
            .filter(|change| attribute(change, &self.found, SOURCE).is_none_or(|by| by.confidence != Confidence::Exact))
    }

    /// Newest first, as CloudTrail sorts them, until every change has a name or there are no more. `Some` says why that is not all.
    async fn search(&mut self, search: &Search) -> Result<Option<String>, JsonFailure> {
        let (start, end) = (self.open(search).map(earliest).min(), self.open(search).map(latest).max());
        let (Some(start), Some(end)) = (start, end) else { return Ok(None) };
        let start = start.max(Timestamp::now().checked_sub(KEPT).unwrap_or(Timestamp::MIN));
        let mut next: Option<String> = None;
        for _ in 0..search.pages {
            let mut body = json!({
                "LookupAttributes": [{ "AttributeKey": search.key, "AttributeValue": search.value }],
                "StartTime": start.as_second(), "EndTime": end.as_second() + 1, "MaxResults": PAGE,
            });
            if let Some(next) = &next {
                body["NextToken"] = json!(next);
            }
            let page = self.trail.page(&body).await?;
            self.found.extend(entries(&page, self.repository, self.account));
            next = page.next.filter(|next| !next.is_empty());
            if next.is_none() || self.open(search).next().is_none() {
                return Ok(None);
            }
        }
        let read = search.pages * PAGE as usize;
        Ok(Some(format!(
            "CloudTrail has more than {read} events ({}) of that time, and no more are read",
            search.value
        )))
    }
}

/// What names a change: first what is recorded about the repository itself, which is few events, then every event of a name.
fn searches(
    repository: &RepositoryName,
    account: Option<&str>,
    region: &str,
    changes: &[UnnamedChange],
) -> Vec<Search> {
    let partition = match region {
        region if region.starts_with("cn-") => "aws-cn",
        region if region.starts_with("us-gov-") => "aws-us-gov",
        _ => "aws",
    };
    let of_resource = account.map(|account| Search {
        key: "ResourceName",
        value: format!("arn:{partition}:ecr:{region}:{account}:repository/{repository}"),
        pages: PAGES_OF_RESOURCE,
        about: None,
    });
    let of_name = NAMES.into_iter().filter(|(about, _)| changes.iter().any(|change| change.change == *about)).map(
        |(about, name)| Search { key: "EventName", value: name.to_owned(), pages: PAGES_OF_NAME, about: Some(about) },
    );
    of_resource.into_iter().chain(of_name).collect()
}

#[async_trait]
impl Trail for Registry {
    async fn who(&self, repository: &RepositoryName, changes: &[UnnamedChange]) -> Vec<TrailAnswer> {
        let trail = match self.event_history().await {
            Ok(trail) => trail,
            Err(why) => return unread(changes, Cause::Denied, &why),
        };
        let (account, region) = (self.transport.account(), self.transport.region());
        let mut asking = Asking { trail, repository, account, changes, found: Vec::new() };
        let mut short = None;
        for search in searches(repository, account, region, changes) {
            match asking.search(&search).await {
                // Of a repository's own events the rest is among those that come next.
                Ok(cut) if search.key == "EventName" => short = short.or(cut),
                Ok(_) => {}
                Err(failure) => return asking.answers(Some((failure.cause, trail.sentence(&failure)))),
            }
        }
        asking.answers(short.map(|why| (Cause::Refused, why)))
    }
}

impl Asking<'_> {
    fn answers(&self, short: Option<(Cause, String)>) -> Vec<TrailAnswer> {
        let answer = |change: &UnnamedChange| match (attribute(change, &self.found, SOURCE), &short) {
            (Some(by), None) => TrailAnswer::Named(by),
            (Some(by), _) if by.confidence == Confidence::Exact => TrailAnswer::Named(by),
            // Who only may be it is named by all that there is, or not at all.
            (_, Some((cause, why))) => {
                TrailAnswer::Unread(Gap::new(Scope::Tag(change.tag.clone()), *cause, why.clone()))
            }
            (None, None) => TrailAnswer::NotYet { source: SOURCE.into() },
        };
        self.changes.iter().map(answer).collect()
    }
}
