//! What makes a run of tag retention fail.

use super::doublestar::PatternError;

/// Why a run fails. All but a pattern's come when a job is built, before anything is deleted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, thiserror::Error)]
pub enum Failure {
    /// A rule names no template.
    #[error("a rule has no template")]
    TemplateEmpty,
    /// A template that Harbor has no evaluator for, `nothing` among them (J.0).
    #[error("a rule's template is not one that Harbor knows")]
    TemplateNotRegistered,
    /// The parameter of the template's own name is absent (J.0).
    #[error("a rule lacks the parameter of its template's name")]
    ParameterMissing,
    /// A rule names no action.
    #[error("a rule has no action")]
    ActionEmpty,
    /// Another action than `retain`.
    #[error("a rule's action is not `retain`")]
    ActionNotRegistered,
    /// A selector without kind or decoration.
    #[error("a selector has no kind or no decoration")]
    SelectorEmpty,
    /// Another kind than `doublestar`; `label` is switched off in Harbor (J.0).
    #[error("a selector's kind is not `doublestar`")]
    SelectorNotRegistered,
    /// A decoration that `doublestar` does not have.
    #[error("a selector's decoration is not one that Harbor knows")]
    DecorationUnsupported,
    /// Another algorithm than `or`.
    #[error("the policy's algorithm is not `or`")]
    AlgorithmUnknown,
    /// A malformed pattern met a name that led to its bad part (J22).
    #[error("a pattern is malformed")]
    BadPattern,
    /// A pattern that takes so long to match that it was not followed to its end. No error of Harbor's.
    #[error("a pattern takes too long to match")]
    EndlessPattern,
}

impl Failure {
    /// Its name, for a table of cases.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::TemplateEmpty => "template-empty",
            Self::TemplateNotRegistered => "template-not-registered",
            Self::ParameterMissing => "param-missing",
            Self::ActionEmpty => "action-empty",
            Self::ActionNotRegistered => "action-not-registered",
            Self::SelectorEmpty => "selector-empty",
            Self::SelectorNotRegistered => "selector-not-registered",
            Self::DecorationUnsupported => "decoration-unsupported",
            Self::AlgorithmUnknown => "algorithm-unknown",
            Self::BadPattern => "bad-pattern",
            Self::EndlessPattern => "endless-pattern",
        }
    }

    /// Whether Harbor's race between rules can drop it, so that the run goes on without the rule (J14).
    #[must_use]
    pub fn can_be_lost(self) -> bool {
        match self {
            Self::BadPattern | Self::EndlessPattern => true,
            Self::TemplateEmpty
            | Self::TemplateNotRegistered
            | Self::ParameterMissing
            | Self::ActionEmpty
            | Self::ActionNotRegistered
            | Self::SelectorEmpty
            | Self::SelectorNotRegistered
            | Self::DecorationUnsupported
            | Self::AlgorithmUnknown => false,
        }
    }
}

impl From<PatternError> for Failure {
    fn from(error: PatternError) -> Self {
        match error {
            PatternError::Malformed => Self::BadPattern,
            PatternError::Endless => Self::EndlessPattern,
        }
    }
}
