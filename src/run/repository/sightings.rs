//! Tags that were seen for the first time, of which a repository may have a million.

use crate::decide;
use crate::model::{Event, Mark, RepositoryState};

/// That tags were seen for the first time: the state that has them, and nothing beside it, where these are many (I28).
#[derive(Default)]
pub(in crate::run) struct Sightings {
    state: Option<(RepositoryState, Mark)>,
    events: Vec<Event>,
    count: usize,
}

impl Sightings {
    pub(super) fn of(state: RepositoryState, mark: Mark) -> Self {
        let count = decide::count_first_sightings(&state, mark);
        // A state of which little is new is more than that.
        match count > state.tags.len() / 2 {
            true => Self { state: Some((state, mark)), events: Vec::new(), count },
            false => Self { state: None, events: decide::first_sightings(&state, mark).collect(), count },
        }
    }

    pub(in crate::run) fn count(&self) -> usize {
        self.count
    }

    /// All of them; what was reported is let go.
    pub(in crate::run) fn events(self) -> impl Iterator<Item = Event> + Send {
        let held = self.state.into_iter().flat_map(|(state, mark)| decide::into_first_sightings(state, mark));
        held.chain(self.events)
    }
}
