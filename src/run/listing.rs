//! Which repositories a run looks at: what the source lists, and what the ledger or a signal knows beside, because a
//! repository that vanished from a list must not vanish from the report.

use std::collections::{HashSet, VecDeque};
use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

use futures::StreamExt as _;
use sha2::{Digest as _, Sha256};
use tokio::sync::mpsc::Sender;
use tokio::task::JoinSet;

use crate::model::{Cause, Gap, RepositoryKey, RepositoryName, Scope, SourceName};

use crate::sources::Source;

use super::Stop;
use super::room::Room;
use super::setup::Setup;

/// One of several disjoint shares of an estate.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Shard {
    /// From 0.
    pub index: u32,
    /// How many there are.
    pub count: u32,
}

impl Shard {
    /// A share that exists.
    pub fn new(index: u32, count: u32) -> Result<Self, String> {
        match count {
            0 => Err("there must be at least one share".to_owned()),
            _ if index >= count => Err(format!("shares count from 0, so of {count} the last is {}/{count}", count - 1)),
            _ => Ok(Self { index, count }),
        }
    }

    /// Whether a repository belongs to this share. Stable across versions and machines.
    #[must_use]
    pub fn holds(self, key: &RepositoryKey) -> bool {
        let hash = Sha256::digest(key.to_string());
        let number = hash.iter().take(8).fold(0_u64, |number, byte| number << 8 | u64::from(*byte));
        number % u64::from(self.count.max(1)) == u64::from(self.index)
    }
}

impl fmt::Display for Shard {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.index, self.count)
    }
}

/// `I/N`, counted from 0. A share outside its own count would silently look at nothing.
impl FromStr for Shard {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let numbers = text.split_once('/').and_then(|(index, count)| Some((index.parse().ok()?, count.parse().ok()?)));
        let (index, count) = numbers.ok_or_else(|| "write I/N, such as 0/4".to_owned())?;
        Self::new(index, count)
    }
}

/// What came of listing one source.
pub(super) struct Listed {
    pub(super) source: SourceName,
    pub(super) gaps: Vec<Gap>,
    pub(super) unmatched: Vec<String>,
}

/// Lists every source at once, each in a task of its own; repositories go out as they are found.
pub(super) fn start(
    setup: &Arc<Setup>,
    shard: Option<Shard>,
    found: &Sender<RepositoryKey>,
    stop: &Stop,
) -> JoinSet<Listed> {
    let mut tasks = JoinSet::new();
    let room = Arc::new(Room::within_budget(shard));
    for source in setup.sources.keys() {
        tasks.spawn(list(setup.clone(), source.clone(), shard, room.clone(), found.clone(), stop.clone()));
    }
    tasks
}

async fn list(
    setup: Arc<Setup>,
    name: SourceName,
    shard: Option<Shard>,
    room: Arc<Room>,
    found: Sender<RepositoryKey>,
    stop: Stop,
) -> Listed {
    let mut listed = Listed { source: name.clone(), gaps: Vec::new(), unmatched: Vec::new() };
    let Some(source) = setup.sources.get(&name) else { return listed };
    let mut taken = HashSet::new();
    let mut fresh = |repository: RepositoryName| {
        let key = RepositoryKey { source: name.clone(), name: repository };
        (shard.is_none_or(|shard| shard.holds(&key)) && taken.insert(key.name.clone())).then_some(key)
    };
    if !setup.only.is_empty() {
        for key in asked_for(&setup, &name, source, &mut listed.gaps).into_iter().filter_map(fresh) {
            // The receiver is only gone when the run has failed, and then nobody needs the rest.
            _ = found.send(key).await;
        }
        return listed;
    }
    // What is known waits for no list: one that drips, or never ends, holds up nothing but what it alone would name.
    let mut known = std::pin::pin!(known(&setup, &name, None));
    let (mut is_known, mut is_listed) = (false, false);
    let mut repositories = std::pin::pin!(room.listed(&name, source.inventory.as_ref()));
    // What is begun is carried on while names wait for room: a request that stands still would hold what the repositories
    // wait for that the names wait for.
    let (mut waiting, mut has_answered) = (VecDeque::new(), false);
    while !(is_known && is_listed && waiting.is_empty()) {
        // No next name is asked for before the last one is out.
        let asks = !is_listed && (waiting.is_empty() || !has_answered);
        has_answered &= !asks;
        tokio::select! {
            biased;
            next = repositories.next(), if asks => {
                has_answered = true;
                match next {
                    Some(Ok(repository)) => waiting.extend(fresh(repository)),
                    Some(Err(gap)) => listed.gaps.push(gap),
                    None => is_listed = true,
                }
            }
            keys = &mut known, if !is_known => {
                is_known = true;
                waiting.extend(keys.into_iter().filter_map(|key| fresh(key.name)));
            }
            room = found.reserve(), if !waiting.is_empty() => match (room, waiting.pop_front()) {
                (Ok(room), Some(key)) => room.send(key),
                // The receiver is only gone when the run has failed, and then nobody needs the rest.
                _ => return listed,
            },
        }
        if stop.is_set() {
            return listed;
        }
    }
    listed.unmatched = source.inventory.unmatched_patterns();
    listed
}

/// The repositories of a source that the run was asked for and the policy names; of the others it is said that it does not.
fn asked_for(setup: &Setup, name: &SourceName, source: &Source, gaps: &mut Vec<Gap>) -> Vec<RepositoryName> {
    let mut selected = Vec::new();
    for key in setup.only.iter().filter(|key| key.source == *name) {
        match source.inventory.selects(&key.name) {
            true => selected.push(key.name.clone()),
            false => {
                let detail = format!("the policy names no repository {} in source {name}", key.name);
                gaps.push(Gap::new(Scope::Source, Cause::Refused, detail));
            }
        }
    }
    selected
}

/// The repositories of a source that the ledger and signals know, or those that the run was asked for.
pub(super) async fn known(setup: &Setup, name: &SourceName, shard: Option<Shard>) -> Vec<RepositoryKey> {
    let Some(source) = setup.sources.get(name) else { return Vec::new() };
    let names: Vec<RepositoryName> = match setup.only.is_empty() {
        true => {
            let signalled = setup.production().await.repositories(name).cloned();
            setup.ledger.repositories(name).into_iter().chain(signalled).collect()
        }
        false => setup.only.iter().filter(|key| key.source == *name).map(|key| key.name.clone()).collect(),
    };
    let selected = names.into_iter().filter(|repository| source.inventory.selects(repository));
    let keys = selected.map(|repository| RepositoryKey { source: name.clone(), name: repository });
    keys.filter(|key| shard.is_none_or(|shard| shard.holds(key))).collect()
}
