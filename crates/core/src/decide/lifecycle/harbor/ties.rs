//! Artifacts whose place among the first K hangs on the order among equals (J15): pushes of one second, or all that were
//! never pulled.

use std::collections::BTreeSet;

/// Rows that are retained in some order of equals and not in every one.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Open {
    /// The rows of one time, part of which fits.
    pub(super) rows: BTreeSet<usize>,
    /// How many of them do not.
    pub(super) left_out: usize,
}

/// What is open where the first so many of a sorted list are taken.
pub(super) fn at_the_edge(sorted: &[usize], count: usize, key: &dyn Fn(&usize) -> i64) -> Open {
    let Some(last) = count.checked_sub(1).and_then(|last| sorted.get(last)) else { return Open::default() };
    let edge = key(last);
    let left_out = sorted[count..].iter().take_while(|row| key(row) == edge).count();
    if left_out == 0 {
        return Open::default();
    }
    Open { rows: sorted.iter().copied().filter(|row| key(row) == edge).collect(), left_out }
}
