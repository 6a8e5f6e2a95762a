//! Why a call brought nothing: a cause one can act on, and a sentence for a person.

use reqwest::StatusCode;

use super::transport::HttpAnswer;
use prodpin_core::model::{Cause, Gap, Scope, is_blocked};

/// A failed call. Its text names hosts, paths and codes, and never a query, a header or a body that a server
/// chose: any of those may carry a token (I18).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fault {
    /// Of what kind it is.
    pub cause: Cause,
    /// What was asked and answered.
    pub detail: String,
}

impl Fault {
    /// A fault of this kind.
    pub fn new(cause: Cause, detail: impl Into<String>) -> Self {
        Self { cause, detail: detail.into() }
    }

    /// An answer that cannot be read.
    pub fn malformed(detail: impl Into<String>) -> Self {
        Self::new(Cause::Malformed, detail)
    }

    /// What we do not do ourselves.
    pub fn refused(detail: impl Into<String>) -> Self {
        Self::new(Cause::Refused, detail)
    }

    /// The fault as a gap in this scope.
    pub fn gap(self, scope: Scope) -> Gap {
        Gap::new(scope, self.cause, self.detail)
    }

    /// A refusal that says that what was asked for is there, and that a rule of the server keeps it from being handed out
    /// (J10); none if it says anything else. What a store behind a redirect says is no rule of the server's. `words` is the
    /// server's own message, as far as it may be shown.
    pub fn blocked(answer: &HttpAnswer, what: &str, words: Option<&str>) -> Option<Self> {
        let codes = answer.error_codes();
        if answer.elsewhere || !is_blocked(answer.status.as_u16(), &codes, answer.error_message().as_deref()) {
            return None;
        }
        let code = codes.first().map(|code| format!(" {code}")).unwrap_or_default();
        let words = words.map(|words| format!(" ({words})")).unwrap_or_default();
        let said = format!("the registry answered {}{code}{words}", answer.status.as_u16());
        Some(Self::new(Cause::Blocked, format!("{what}: {said}")))
    }

    /// What an answer that is no success means.
    pub fn from_answer(answer: &HttpAnswer, what: &str) -> Self {
        let status = answer.status;
        let codes = answer.error_codes();
        // Whose word it is decides where to look: after a redirect it is a blob store's.
        let who = if answer.elsewhere { "the store that it redirects to" } else { "the server" };
        let said = match codes.first() {
            Some(code) => format!("{what}: {who} answered {} {code}", status.as_u16()),
            None => format!("{what}: {who} answered {}", status.as_u16()),
        };
        let denied = || codes.iter().any(|code| matches!(code.as_str(), "DENIED" | "UNAUTHORIZED"));
        match status {
            StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN => {
                Self::new(Cause::Denied, format!("{said}; check the credentials and what they may read"))
            }
            StatusCode::NOT_FOUND if denied() => {
                Self::new(Cause::Denied, format!("{said}; check the credentials and what they may read"))
            }
            StatusCode::NOT_FOUND => Self::new(Cause::NotFound, said),
            StatusCode::METHOD_NOT_ALLOWED | StatusCode::NOT_IMPLEMENTED => Self::new(Cause::Unsupported, said),
            StatusCode::TOO_MANY_REQUESTS => Self::new(Cause::Throttled, said),
            status if status.is_server_error() => Self::new(Cause::ServerError, said),
            status if status.is_redirection() => Self::refused(format!("{said}, a redirect that is not followed here")),
            _ => Self::malformed(said),
        }
    }
}
