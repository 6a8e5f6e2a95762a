//! Which repositories there are: those that the policy spells out are asked for by name, so that no more need be
//! allowed than those; a glob needs the whole list.

use std::collections::{HashSet, VecDeque};

use aws_sdk_ecr::types::Repository;
use futures::StreamExt as _;
use futures::stream::{self, BoxStream};

use prodpin_core::model::{Cause, Gap, RepositoryName, Scope};

use super::Registry;
use super::described::Described;
use super::failure::EcrFailure;
use super::observe::Gaps;
use super::transport::Call;
use prodpin_net::cursor::Cursor;

/// How many can be asked for by name in one call (A1).
const NAMED_AT_ONCE: usize = 100;

const LIST: &str = "DescribeRepositories";

/// The repositories that the patterns select, each once, as they are found. A name that the policy spells out is given
/// whether or not there is such a repository: that there is none shows when it is looked at.
pub(super) fn repositories(registry: &Registry) -> BoxStream<'_, Result<RepositoryName, Gap>> {
    stream::unfold(Walk::new(registry), |mut walk| async move {
        loop {
            match walk.ready.pop_front() {
                Some(Ok((name, described))) => {
                    // Handed over only now, so that what is kept is what is about to be looked at.
                    if let Some(described) = described {
                        walk.registry.handover.put(name.clone(), described);
                    }
                    return Some((Ok(name), walk));
                }
                Some(Err(gap)) => return Some((Err(gap), walk)),
                None => walk.step().await?,
            }
        }
    })
    .boxed()
}

struct Walk<'r> {
    registry: &'r Registry,
    ready: VecDeque<Result<(RepositoryName, Option<Described>), Gap>>,
    /// Where the list goes on; none where none is needed, or it ended.
    cursor: Option<Cursor>,
    /// Batches of names to ask for.
    batches: VecDeque<Vec<RepositoryName>>,
    given: HashSet<RepositoryName>,
    gaps: Gaps,
}

impl<'r> Walk<'r> {
    fn new(registry: &'r Registry) -> Self {
        let patterns = &registry.config.repositories;
        let mut names: Vec<RepositoryName> = patterns
            .explicit_names()
            .filter(|name| patterns.matches(name))
            .filter_map(|name| name.parse().ok())
            .collect();
        names.dedup();
        Self {
            registry,
            ready: VecDeque::new(),
            cursor: patterns.has_globs().then(Cursor::default),
            batches: names.chunks(NAMED_AT_ONCE).map(<[_]>::to_vec).collect(),
            given: HashSet::new(),
            gaps: Gaps::default(),
        }
    }

    /// One call; none when there is nothing left to do.
    async fn step(&mut self) -> Option<()> {
        if let Some(mut cursor) = self.cursor.take() {
            match self.page(&mut cursor).await {
                Ok(true) => self.cursor = Some(cursor),
                Ok(false) => self.registry.matched.finish(),
                Err(failure) => self.ready.push_back(Err(unlisted(failure))),
            }
            self.ready.extend(std::mem::take(&mut self.gaps).finish(Scope::Source).into_iter().map(Err));
            return Some(());
        }
        let batch = self.batches.pop_front()?;
        let batch: Vec<RepositoryName> = batch.into_iter().filter(|name| !self.given.contains(name)).collect();
        if !batch.is_empty() {
            self.by_name(batch).await;
        }
        if self.batches.is_empty() && !self.registry.config.repositories.has_globs() {
            self.registry.matched.finish();
        }
        Some(())
    }

    /// One page of the list; whether more follow.
    async fn page(&mut self, cursor: &mut Cursor) -> Result<bool, EcrFailure> {
        let (transport, call) = (&self.registry.transport, Call::registry(LIST));
        let (id, token) = (self.registry.id(), cursor.token());
        let page = transport
            .call(call, |client| {
                let request = client.describe_repositories().set_registry_id(id.clone());
                request.max_results(self.registry.page_size).set_next_token(token.clone()).send()
            })
            .await?;
        let Some(repositories) = page.repositories else {
            return Err(transport.malformed(&call, "a page without a list of repositories"));
        };
        let more = cursor.advance(page.next_token, repositories.is_empty());
        for repository in &repositories {
            self.offer(repository);
        }
        more.map_err(|reason| transport.malformed(&call, reason))
    }

    fn offer(&mut self, repository: &Repository) {
        let text = repository.repository_name().unwrap_or_default();
        if !self.registry.config.repositories.matches(text) {
            return;
        }
        match text.parse::<RepositoryName>() {
            Ok(name) if name.is_oci() => {
                self.registry.note_match(text);
                if self.given.insert(name.clone()) {
                    self.ready.push_back(Ok((name, Some(Described::read(repository)))));
                }
            }
            _ => {
                let detail = format!("{text:.160?} is no repository name that a registry takes, so it is left out");
                self.gaps.push(Gap::new(Scope::Source, Cause::Malformed, detail));
            }
        }
    }

    /// Asks for repositories by name. One that is not there makes the whole call fail, so halves are asked for until it
    /// is alone.
    async fn by_name(&mut self, batch: Vec<RepositoryName>) {
        let mut batches = vec![batch];
        while let Some(batch) = batches.pop() {
            let (id, call) = (self.registry.id(), Call::registry(LIST));
            let names: Vec<String> = batch.iter().map(ToString::to_string).collect();
            let asked = self.registry.transport.call(call, |client| {
                let request = client.describe_repositories().set_registry_id(id.clone());
                request.set_repository_names(Some(names.clone())).send()
            });
            match asked.await {
                Ok(found) => {
                    found.repositories().iter().for_each(|repository| self.offer(repository));
                }
                Err(failure) if failure.is_code("RepositoryNotFoundException") && batch.len() > 1 => {
                    let (front, back) = batch.split_at(batch.len() / 2);
                    batches.extend([back.to_vec(), front.to_vec()]);
                    continue;
                }
                Err(failure) if failure.is_code("RepositoryNotFoundException") => {}
                // Whether it is there is not known, so it is not called unmatched.
                Err(_) => batch.iter().for_each(|name| self.registry.note_match(name.as_str())),
            }
            for name in batch {
                if self.given.insert(name.clone()) {
                    self.ready.push_back(Ok((name, None)));
                }
            }
        }
    }
}

/// Who may not list may still name.
fn unlisted(failure: EcrFailure) -> Gap {
    let advice = match failure.cause {
        Cause::Denied => "; or name the repositories one by one in `repositories`, without globs",
        _ => "",
    };
    let mut gap = failure.gap(Scope::Source);
    gap.detail.push_str(advice);
    gap
}
