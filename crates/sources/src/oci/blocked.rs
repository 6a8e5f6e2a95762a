//! What is there and is kept from being handed out by a rule of the registry: a vulnerability gate, a quarantine (J10).

use super::answer::HttpAnswer;
use super::fault::Fault;
use super::registry::Registry;

impl Registry {
    /// The refusal as a fault of its own, with the registry's words as far as they may be shown.
    pub(super) fn blocked(&self, answer: &HttpAnswer, what: &str) -> Option<Fault> {
        Fault::blocked(answer, what, self.own_words(answer).as_deref())
    }
}
