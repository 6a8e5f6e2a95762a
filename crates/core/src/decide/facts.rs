//! What follows from an input and is asked for in several places: worked out once, by whoever asks first.

use std::cell::OnceCell;
use std::ops::Deref;

use super::input::Input;
use super::labels::Labels;
use super::rollout::Uses;

/// An input, and what follows from it.
pub(super) struct Facts<'a> {
    input: Input<'a>,
    called: OnceCell<Labels<'a>>,
    used: OnceCell<Uses<'a>>,
}

impl<'a> Facts<'a> {
    pub(super) fn new(input: &Input<'a>) -> Self {
        Self { input: *input, called: OnceCell::new(), used: OnceCell::new() }
    }

    /// What rules call each tag.
    pub(super) fn labels(&self) -> &Labels<'a> {
        self.called.get_or_init(|| Labels::new(self.input.snapshot, self.input.labels))
    }

    /// Who runs, wants and ran what.
    pub(super) fn uses(&self) -> &Uses<'a> {
        self.used.get_or_init(|| Uses::new(&self.input, self.labels()))
    }
}

impl<'a> Deref for Facts<'a> {
    type Target = Input<'a>;

    fn deref(&self) -> &Input<'a> {
        &self.input
    }
}
