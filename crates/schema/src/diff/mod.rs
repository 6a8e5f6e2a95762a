//! Comparing the catalogue before with the one after.

mod check;
mod columns;
mod keys;
mod objects;
mod tables;

use std::collections::BTreeMap;

use crate::catalogue::{Catalogue, Id, Touched};
use crate::session::Seen;
use crate::verdict::Verdict;

/// What is compared, and what was found.
pub(crate) struct Diff<'c> {
    before: &'c Catalogue,
    after: &'c Catalogue,
    removed: &'c BTreeMap<Id, usize>,
    seen: Vec<Seen>,
}

/// Everything in which the two differ, as far as a statement of the previous release may notice.
pub(crate) fn compare(before: &Catalogue, after: &Catalogue, removed: &BTreeMap<Id, usize>) -> Vec<Seen> {
    let mut diff = Diff { before, after, removed, seen: Vec::new() };
    tables::compare(&mut diff);
    objects::compare(&mut diff);
    diff.seen
}

impl Diff<'_> {
    fn see(&mut self, verdict: Verdict, statement: Touched, object: impl Into<String>, why: impl Into<String>) {
        if verdict != Verdict::None {
            self.seen.push(Seen { verdict, statement, object: object.into(), why: why.into() });
        }
    }

    /// The statement that removed it.
    fn removal(&self, id: Id) -> Touched {
        self.removed.get(&id).copied()
    }
}
