//! For how many repositories there is memory, whoever lists them: a list may have no end (I28).

use std::sync::atomic::{AtomicUsize, Ordering};

use futures::{Stream, StreamExt as _};
use prodpin_net::memory;

use crate::model::{Cause, Gap, RepositoryName, Scope, SourceName};
use crate::sources::Inventory;

use super::listing::Shard;

/// What is kept of a repository to the end of the run: its name, that it was looked at, what the ledger's index says of it.
const REPOSITORY: u64 = 4 << 10;

/// So many repositories are looked at however little memory there is.
const LEAST: u64 = 10_000;

/// No registry is known that has as many.
const MOST: u64 = 1_000_000;

/// So many names of each source take nothing of the room that all share: a list without end leaves some for others.
const OWN: usize = 1_000;

/// For how many listed repositories there is memory (I28).
pub(super) struct Room(AtomicUsize);

impl Room {
    /// Of a share of the work only its own repositories are kept, and all are listed.
    pub(super) fn within_budget(shard: Option<Shard>) -> Self {
        let shares = shard.map_or(1, |shard| shard.count as usize);
        Self::new(memory::budget().part(REPOSITORY, LEAST, MOST).saturating_mul(shares))
    }

    fn new(repositories: usize) -> Self {
        Self(AtomicUsize::new(repositories))
    }

    /// Whether there is room for one more name of a source that has listed so many.
    fn take(&self, listed: usize) -> bool {
        let one_less = |room: usize| room.checked_sub(1);
        listed < OWN || self.0.fetch_update(Ordering::Relaxed, Ordering::Relaxed, one_less).is_ok()
    }

    /// What a source lists, as far as there is room; then a gap that says so.
    pub(super) fn listed<'a>(
        &'a self,
        source: &'a SourceName,
        inventory: &'a dyn Inventory,
    ) -> impl Stream<Item = Result<RepositoryName, Gap>> + 'a {
        inventory.repositories().scan((0, false), move |(names, ended), found| {
            let next = match found {
                _ if *ended => None,
                Ok(_) if !self.take(*names) => {
                    *ended = true;
                    Some(Err(endless(source, *names)))
                }
                Ok(repository) => {
                    *names += 1;
                    Some(Ok(repository))
                }
                gap => Some(gap),
            };
            std::future::ready(next)
        })
    }
}

fn endless(source: &SourceName, names: usize) -> Gap {
    let detail = format!(
        "source {source} lists more repositories than the memory budget allows: {names} were taken, and no more; what the \
         ledger knows beside them is looked at; narrow `repositories`, share the work out with --shard, or raise --memory (and the container's memory limit)"
    );
    Gap::new(Scope::Source, Cause::Refused, detail)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_list_without_end_leaves_room_for_others_f93_i28() {
        let room = Room::new(5_000);
        let endless = (0..).take_while(|listed| room.take(*listed)).count();
        assert_eq!(endless, OWN + 5_000);
        let other = (0..).take_while(|listed| room.take(*listed)).count();
        assert_eq!(other, OWN);
    }
}
