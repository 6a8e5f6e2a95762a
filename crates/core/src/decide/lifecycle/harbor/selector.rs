//! Selectors: which artifacts a rule looks at, and which repositories.

use super::doublestar;
use super::failure::Failure;
use super::policy::SelectorText;
use super::untagged;

/// What a selector is held against.
#[derive(Debug, Clone, Copy)]
pub(super) struct Candidate<'a> {
    /// The project's name; empty where Harbor does not say it.
    pub(super) project: &'a str,
    /// The repository's name without the project.
    pub(super) repository: &'a str,
    /// In the order of the listing: the first that decides ends the matching.
    pub(super) tags: &'a [&'a str],
}

/// A selector that can be carried out.
#[derive(Debug, Clone)]
pub(super) struct Selector {
    of: Of,
    excludes: bool,
    pattern: String,
    /// Whether untagged artifacts count as matching.
    untagged: bool,
}

#[derive(Debug, Clone, Copy)]
enum Of {
    Tags,
    Repository,
    Project,
}

impl Selector {
    pub(super) fn build(text: &SelectorText) -> Result<Self, Failure> {
        if text.kind.is_empty() || text.decoration.is_empty() {
            return Err(Failure::SelectorEmpty);
        }
        if text.kind != "doublestar" {
            return Err(Failure::SelectorNotRegistered);
        }
        let (of, excludes) = match text.decoration.as_str() {
            "matches" => (Of::Tags, false),
            "excludes" => (Of::Tags, true),
            "repoMatches" => (Of::Repository, false),
            "repoExcludes" => (Of::Repository, true),
            "nsMatches" => (Of::Project, false),
            "nsExcludes" => (Of::Project, true),
            _ => return Err(Failure::DecorationUnsupported),
        };
        // By default untagged ones are selected, by either.
        let is_default = text.decoration != "excludes";
        let untagged = untagged::said(&text.extras).unwrap_or(is_default);
        Ok(Self { of, excludes, pattern: text.pattern.clone(), untagged })
    }

    /// The same without its `extras`.
    pub(super) fn build_without_extras(text: &SelectorText) -> Result<Self, Failure> {
        Self::build(&SelectorText { extras: String::new(), ..text.clone() })
    }

    /// The same, but for what it says of untagged ones: for `matches` they do not match, for `excludes` they do not
    /// either, and so are selected.
    pub(super) fn build_for_tagged(text: &SelectorText) -> Result<Self, Failure> {
        Ok(Self { untagged: false, ..Self::build(text)? })
    }

    /// Whether it selects the candidate: of the tags one must match, or for `excludes` one must *not* (D114).
    pub(super) fn takes(&self, candidate: &Candidate<'_>) -> Result<bool, Failure> {
        match self.of {
            Of::Tags if candidate.tags.is_empty() => Ok(self.untagged != self.excludes),
            Of::Tags => {
                for tag in candidate.tags {
                    if self.matches(tag)? != self.excludes {
                        return Ok(true);
                    }
                }
                Ok(false)
            }
            Of::Repository => self.takes_name(candidate.repository),
            Of::Project => self.takes_name(candidate.project),
        }
    }

    /// What has no name is selected by neither.
    fn takes_name(&self, name: &str) -> Result<bool, Failure> {
        Ok(!name.is_empty() && self.matches(name)? != self.excludes)
    }

    fn matches(&self, text: &str) -> Result<bool, Failure> {
        matches(&self.pattern, text)
    }
}

/// Whether the text matches as a selector's does: the empty pattern matches everything (J22).
pub fn matches(pattern: &str, text: &str) -> Result<bool, Failure> {
    Ok(pattern.is_empty() || doublestar::matches(pattern, text)?)
}
