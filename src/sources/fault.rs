//! Why a call brought nothing: a cause one can act on, and a sentence for a person.

use crate::model::{Cause, Gap, Scope};

/// A failed call. Its text names hosts, paths and codes, and never a query, a header or a body that a server chose: any
/// of those may carry a token (I18).
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Fault {
    pub(super) cause: Cause,
    pub(super) detail: String,
}

impl Fault {
    pub(super) fn new(cause: Cause, detail: impl Into<String>) -> Self {
        Self { cause, detail: detail.into() }
    }

    pub(super) fn malformed(detail: impl Into<String>) -> Self {
        Self::new(Cause::Malformed, detail)
    }

    pub(super) fn refused(detail: impl Into<String>) -> Self {
        Self::new(Cause::Refused, detail)
    }

    /// The fault as a gap in this scope.
    pub(super) fn gap(self, scope: Scope) -> Gap {
        Gap::new(scope, self.cause, self.detail)
    }
}
