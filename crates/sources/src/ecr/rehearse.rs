//! ECR's own preview of a lifecycle policy: what it says that it would do, without doing it (A39).

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::{Duration, Instant};

use async_trait::async_trait;
use aws_sdk_ecr::operation::get_lifecycle_policy_preview::GetLifecyclePolicyPreviewOutput;
use aws_sdk_ecr::types::LifecyclePolicyPreviewResult;

use crate::{Rehearsal, Rehearsed};
use prodpin_core::model::{Cause, Digest, Effect, Gap, RepositoryName, Scope};

use super::Registry;
use super::failure::EcrFailure;
use super::transport::Call;
use prodpin_net::cursor::Cursor;

/// What asks for previews. It exists only where the source was opened for it.
#[derive(Debug)]
pub(super) struct Preview(pub(super) Arc<Registry>);

const START: &str = "StartLifecyclePolicyPreview";
const GET: &str = "GetLifecyclePolicyPreview";

/// Rows in a page (A1).
const PAGE: i32 = 100;

/// Where no run's deadline says less.
const LONGEST: Duration = Duration::from_secs(600);

const FIRST_WAIT: Duration = Duration::from_millis(500);
const LONGEST_WAIT: Duration = Duration::from_secs(10);

#[async_trait]
impl Rehearsal for Preview {
    async fn rehearse(&self, repository: &RepositoryName, lifecycle: Option<&str>) -> Result<Vec<Rehearsed>, Gap> {
        let end = Instant::now() + LONGEST;
        let end = self.0.transport.deadline().map_or(end, |deadline| deadline.min(end));
        self.run(repository, lifecycle, end).await
    }
}

/// Waits that grow, up to an end.
struct Patience {
    next: Duration,
    end: Instant,
}

impl Patience {
    /// Whether there was time to wait.
    async fn wait(&mut self) -> bool {
        let until = Instant::now() + self.next;
        if until >= self.end {
            return false;
        }
        tokio::time::sleep_until(until.into()).await;
        self.next = (self.next * 2).min(LONGEST_WAIT);
        true
    }
}

impl Preview {
    async fn run(&self, name: &RepositoryName, lifecycle: Option<&str>, end: Instant) -> Result<Vec<Rehearsed>, Gap> {
        let mut patience = Patience { next: FIRST_WAIT, end };
        // One at a time in a repository: somebody else's is waited for, never taken for ours (F45).
        loop {
            match self.start(name, lifecycle).await {
                Ok(()) => break,
                Err(failure) if failure.is_code("LifecyclePolicyNotFoundException") => return Ok(Vec::new()),
                Err(failure) if failure.is_code("LifecyclePolicyPreviewInProgressException") => {
                    if !patience.wait().await {
                        return Err(gap(
                            Cause::TimedOut,
                            format!("{name}: another preview is in progress; run again later"),
                        ));
                    }
                }
                Err(failure) => return Err(failure.gap(Scope::Repository)),
            }
        }
        patience.next = FIRST_WAIT;
        loop {
            let page = self.page(name, None).await.map_err(|failure| failure.gap(Scope::Repository))?;
            match page.status().map(|status| status.as_str()) {
                Some("COMPLETE") => return self.collect(name, lifecycle, page).await,
                Some("IN_PROGRESS") => {
                    if !patience.wait().await {
                        return Err(gap(
                            Cause::TimedOut,
                            format!("{name}: ECR's preview did not end in time; run again later"),
                        ));
                    }
                }
                Some(state @ ("FAILED" | "EXPIRED")) => {
                    return Err(gap(Cause::Unreachable, format!("{name}: ECR's preview is {state}; run again")));
                }
                other => {
                    return Err(gap(
                        Cause::Unsupported,
                        format!("{name}: a preview's state {other:.80?} is not known here"),
                    ));
                }
            }
        }
    }

    async fn start(&self, name: &RepositoryName, lifecycle: Option<&str>) -> Result<(), EcrFailure> {
        let (registry, call) = (&*self.0, Call::on(START, name));
        let started = registry.transport.call(call, |client| {
            let request = client.start_lifecycle_policy_preview().repository_name(name.as_str());
            request.set_registry_id(registry.id()).set_lifecycle_policy_text(lifecycle.map(str::to_owned)).send()
        });
        started.await.map(drop)
    }

    async fn page(
        &self,
        name: &RepositoryName,
        token: Option<String>,
    ) -> Result<GetLifecyclePolicyPreviewOutput, EcrFailure> {
        let (registry, call) = (&*self.0, Call::on(GET, name));
        let page = registry.transport.call(call, |client| {
            let request = client.get_lifecycle_policy_preview().repository_name(name.as_str());
            request.set_registry_id(registry.id()).max_results(PAGE).set_next_token(token.clone()).send()
        });
        page.await
    }

    async fn collect(
        &self,
        name: &RepositoryName,
        lifecycle: Option<&str>,
        mut page: GetLifecyclePolicyPreviewOutput,
    ) -> Result<Vec<Rehearsed>, Gap> {
        let malformed = |reason: &str| self.0.transport.malformed(&Call::on(GET, name), reason).gap(Scope::Repository);
        // Between start and end somebody may have started one of another policy.
        if let (Some(ours), Some(theirs)) = (lifecycle, page.lifecycle_policy_text())
            && !says_the_same(ours, theirs)
        {
            return Err(gap(Cause::Suspicious, format!("{name}: the preview is of another policy; run again")));
        }
        let expiring = page.summary().and_then(|summary| summary.expiring_image_total_count());
        let (mut found, mut cursor) = (Vec::new(), Cursor::default());
        let mut digests: BTreeSet<Digest> = BTreeSet::new();
        loop {
            let results = page.preview_results.take().unwrap_or_default();
            for result in &results {
                let rehearsed = read(result).map_err(malformed)?;
                if rehearsed.artifact.digest().is_some_and(|digest| digests.insert(digest.clone())) {
                    found.push(rehearsed);
                }
            }
            if !cursor.advance(page.next_token.take(), results.is_empty()).map_err(malformed)? {
                break;
            }
            page = self.page(name, cursor.token()).await.map_err(|failure| failure.gap(Scope::Repository))?;
        }
        let deleted = found.iter().filter(|one| one.effect == Effect::Deletes).count();
        match expiring.is_none_or(|reported| usize::try_from(reported) == Ok(deleted)) {
            true => Ok(found),
            false => Err(malformed("a preview whose pages do not add up to its summary")),
        }
    }
}

fn read(result: &LifecyclePolicyPreviewResult) -> Result<Rehearsed, &'static str> {
    let digest: Digest =
        result.image_digest().and_then(|digest| digest.parse().ok()).ok_or("an image without a digest")?;
    let effect = match result.action().and_then(|action| action.r#type()).map(|kind| kind.as_str()) {
        Some("EXPIRE") => Effect::Deletes,
        Some("TRANSITION") => Effect::Archives,
        _ => return Err("an action that is not known here"),
    };
    Ok(Rehearsed {
        artifact: digest.into(),
        effect,
        rule: result.applied_rule_priority().map(|priority| priority.to_string()),
    })
}

/// Whether two texts are the same document: a server may write it its own way.
fn says_the_same(one: &str, other: &str) -> bool {
    let read = |text: &str| serde_json::from_str::<serde_json::Value>(text).ok();
    one == other || read(one).is_some_and(|one| Some(one) == read(other))
}

fn gap(cause: Cause, detail: String) -> Gap {
    Gap::new(Scope::Repository, cause, detail)
}
