//! What a registry's answer that is no success means.

use reqwest::StatusCode;

use super::wire::Answer;
use crate::model::Cause;
pub(super) use crate::sources::fault::Fault;

impl Fault {
    /// The fault that this answer is.
    pub(super) fn of(answer: &Answer, what: &str) -> Self {
        let status = answer.status;
        let codes = answer.error_codes();
        // Whose word it is decides where to look: after a redirect it is a blob store's.
        let who = if answer.elsewhere { "the store that the registry redirects to" } else { "the registry" };
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
            status if status.is_server_error() => Self::new(Cause::Unreachable, said),
            status if status.is_redirection() => Self::refused(format!("{said}, a redirect that is not followed here")),
            _ => Self::malformed(said),
        }
    }
}
