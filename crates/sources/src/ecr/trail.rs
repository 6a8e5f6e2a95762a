//! Who moved or deleted a tag, from the account's CloudTrail event history (L64–L66): the management events of 90 days, for which no
//! trail must be set up. `LookupEvents` takes one attribute a call, gives 50 events a page, and bears two calls a second in an
//! account and region.

mod event;
mod events;
mod reel;

use std::sync::Arc;
use std::time::{Duration, Instant};

use async_trait::async_trait;
use bytes::Bytes;
use jiff::{SignedDuration, Timestamp};
use serde_json::json;

use super::Registry;
use super::pace::Pace;
use crate::{LATE, Trail, unread};
use prodpin_core::decide::attribution::{attribute, earliest, latest};
use prodpin_core::model::{
    Cause, Confidence, Gap, RepositoryName, Scope, TagChange, TrailAnswer, TrailEntry, UnnamedChange,
};
use prodpin_net::aws::{JsonFailure, JsonOperation};
use prodpin_net::jitter;

use self::event::{EventPage, Page};
use self::events::Events;

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
    account: Option<Box<str>>,
    pace: Arc<Pace>,
    /// What was read of it by name.
    events: Arc<Events>,
}

impl CloudTrail {
    /// Calls of one account and region are paced together, whatever sources they are of; and what those read that ask by one role
    /// is read once.
    pub(super) fn new(operation: JsonOperation, account: Option<&str>, role: Option<&str>) -> Self {
        let place = format!("cloudtrail {} {}", account.unwrap_or_default(), operation.url);
        let events = match account {
            Some(_) => Events::of(&format!("{place} {}", role.unwrap_or_default())),
            // Whose history this is nobody knows.
            None => Arc::default(),
        };
        Self { pace: Pace::of(&place, APART, 1), operation, account: account.map(Box::from), events }
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
            _ if said == LATE => format!("{place}: {said}"),
            _ => format!("{place} failed ({said}); the next run asks again"),
        }
    }

    async fn page(&self, body: &serde_json::Value, until: Instant) -> Result<EventPage, JsonFailure> {
        let bytes = Bytes::from(body.to_string());
        let mut tries = 1;
        let answer = loop {
            self.pace.turn(Some(until)).await.map_err(|_| late())?;
            let called = tokio::time::timeout_at(until.into(), self.operation.call(bytes.clone())).await;
            match called.map_err(|_| late())? {
                Err(failure) if failure.cause == Cause::Throttled && tries < TRIES => {
                    tokio::time::sleep(jitter::wait(jitter::backoff(APART, tries, APART * 4))).await;
                    tries += 1;
                }
                answer => break answer?,
            }
        };
        let page: Page = serde_json::from_slice(&answer).map_err(|_| JsonFailure {
            cause: Cause::Malformed,
            said: "the answer is not what CloudTrail sends; is there a proxy in between?".to_owned(),
        })?;
        Ok(page.read(self.account.as_deref()))
    }
}

fn late() -> JsonFailure {
    JsonFailure { cause: Cause::TimedOut, said: LATE.to_owned() }
}

/// What is asked for.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Search {
    /// The events that name this resource.
    Resource(String),
    /// Every event of a name, and what it can be about.
    Name(TagChange, &'static str),
}

/// The changes that are still open, and what was found so far.
struct Asking<'a> {
    trail: &'a CloudTrail,
    repository: &'a RepositoryName,
    changes: &'a [UnnamedChange],
    found: Vec<TrailEntry>,
    until: Instant,
}

impl Asking<'_> {
    /// What a search may still find somebody for.
    fn open(&self, search: &Search) -> impl Iterator<Item = &UnnamedChange> {
        let about = match search {
            Search::Resource(_) => None,
            Search::Name(about, _) => Some(*about),
        };
        let changes = self.changes.iter().filter(move |change| about.is_none_or(|about| about == change.change));
        // Who only may be it is held against the rest.
        changes
            .filter(|change| attribute(change, &self.found, SOURCE).is_none_or(|by| by.confidence != Confidence::Exact))
    }

    /// The seconds that it is about, from the first to the last.
    fn window(&self, search: &Search) -> Option<(i64, i64)> {
        let (start, end) = (self.open(search).map(earliest).min()?, self.open(search).map(latest).max()?);
        let start = start.max(Timestamp::now().checked_sub(KEPT).unwrap_or(Timestamp::MIN));
        Some((start.as_second(), end.as_second()))
    }

    /// Newest first, as CloudTrail sorts them, until every change has a name or there are no more. `Some` says why that is not all.
    async fn search(&mut self, search: &Search) -> Result<Option<String>, JsonFailure> {
        match search {
            Search::Resource(resource) => self.by_resource(search, resource).await.map(|()| None),
            Search::Name(_, name) => self.by_name(search, *name).await,
        }
    }

    /// What a repository's own events are short of is among those by name, which come next.
    async fn by_resource(&mut self, search: &Search, resource: &str) -> Result<(), JsonFailure> {
        let Some((start, end)) = self.window(search) else { return Ok(()) };
        let mut next: Option<String> = None;
        for _ in 0..PAGES_OF_RESOURCE {
            let mut body = lookup("ResourceName", resource, end + 1, next.take());
            body["StartTime"] = json!(start);
            let page = self.trail.page(&body, self.until).await?;
            self.take(page.entries);
            next = page.next;
            if next.is_none() || self.open(search).next().is_none() {
                break;
            }
        }
        Ok(())
    }

    /// Every repository's events are in one list, so what others read of it is read here, too.
    async fn by_name(&mut self, search: &Search, name: &'static str) -> Result<Option<String>, JsonFailure> {
        let Some((start, end)) = self.window(search) else { return Ok(None) };
        let (trail, until) = (self.trail, self.until);
        let (mut before, mut pages) = (end + 1, 0);
        while pages < PAGES_OF_NAME {
            let ask = |before, token| {
                let body = lookup("EventName", name, before, token);
                async move { trail.page(&body, until).await }
            };
            let back = trail.events.back(name, before, self.repository, ask);
            let back = tokio::time::timeout_at(until.into(), back).await.map_err(|_| late())??;
            self.found.extend(back.entries);
            (before, pages) = (before.min(back.from), pages + back.pages);
            if before <= start || self.open(search).next().is_none() {
                return Ok(None);
            }
        }
        let read = PAGES_OF_NAME * PAGE as usize;
        Ok(Some(format!("CloudTrail has more than {read} events ({name}) of that time, and no more are read")))
    }

    /// What others read of the account's events already.
    async fn look_at_what_is_there(&mut self, search: &Search) {
        let (Search::Name(_, name), Some((start, end))) = (search, self.window(search)) else { return };
        let held = self.trail.events.held(*name, self.repository, (start, end));
        // Somebody may be reading on in it.
        let held = tokio::time::timeout_at(self.until.into(), held).await;
        self.found.extend(held.unwrap_or_default());
    }

    fn take(&mut self, entries: Vec<reel::Entry>) {
        let ours = entries.into_iter().filter(|(repository, _)| **repository == *self.repository.as_str());
        self.found.extend(ours.map(|(_, entry)| entry));
    }
}

/// What `LookupEvents` takes: events before a second.
fn lookup(key: &str, value: &str, before: i64, next: Option<String>) -> serde_json::Value {
    let mut body = json!({
        "LookupAttributes": [{ "AttributeKey": key, "AttributeValue": value }],
        "EndTime": before, "MaxResults": PAGE,
    });
    if let Some(next) = next {
        body["NextToken"] = json!(next);
    }
    body
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
    let of_resource = account
        .map(|account| Search::Resource(format!("arn:{partition}:ecr:{region}:{account}:repository/{repository}")));
    let of_name = NAMES
        .into_iter()
        .filter(|(about, _)| changes.iter().any(|change| change.change == *about))
        .map(|(about, name)| Search::Name(about, name));
    of_resource.into_iter().chain(of_name).collect()
}

#[async_trait]
impl Trail for Registry {
    async fn who(&self, repository: &RepositoryName, changes: &[UnnamedChange], until: Instant) -> Vec<TrailAnswer> {
        let trail = match tokio::time::timeout_at(until.into(), self.event_history()).await {
            Ok(Ok(trail)) => trail,
            Ok(Err(why)) => return unread(changes, Cause::Denied, &why),
            Err(_) => return unread(changes, Cause::TimedOut, LATE),
        };
        let (account, region) = (self.transport.account(), self.transport.region());
        let searches = searches(repository, account, region, changes);
        let mut asking = Asking { trail, repository, changes, found: Vec::new(), until };
        for search in &searches {
            asking.look_at_what_is_there(search).await;
        }
        let mut short = None;
        for search in &searches {
            match asking.search(search).await {
                Ok(cut) => short = short.or(cut),
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
