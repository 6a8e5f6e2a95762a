//! Waivers: findings that somebody answers for, for a while.

use super::{Code, Finding, NamePatterns, RepositoryName, SourceName, Waived};

/// One waiver of the policy.
#[derive(Debug, Clone, PartialEq)]
pub struct Waiver {
    /// The kind of finding.
    pub code: Code,
    /// Only of this source; of any, if none is named.
    pub source: Option<SourceName>,
    /// Only about these repositories; none stands for all, and for findings about no repository.
    pub repositories: Option<NamePatterns>,
    /// Only about these tags, keys or policy entries; none stands for all, and for findings about no such thing.
    pub references: Option<NamePatterns>,
    /// What findings under it carry.
    pub waived: Waived,
}

impl Waiver {
    /// Whether this finding is what was meant. A pattern never matches what has no name.
    #[must_use]
    pub fn covers(&self, finding: &Finding) -> bool {
        let matches = |patterns: &Option<NamePatterns>, name: Option<&str>| match (patterns, name) {
            (None, _) => true,
            (Some(patterns), Some(name)) => patterns.matches(name),
            (Some(_), None) => false,
        };
        self.code == finding.code
            && (self.source.is_none() || self.source == finding.source)
            && matches(&self.repositories, finding.repository.as_ref().map(RepositoryName::as_str))
            && matches(&self.references, finding.reference.as_deref())
    }

    /// What it is called where it is told of.
    #[must_use]
    pub fn title(&self) -> String {
        let listed = |patterns: &NamePatterns| patterns.entries().join(", ");
        let parts = [
            self.source.as_ref().map(ToString::to_string),
            self.repositories.as_ref().map(listed),
            self.references.as_ref().map(listed),
        ];
        let parts: Vec<String> = parts.into_iter().flatten().collect();
        if parts.is_empty() { self.code.to_string() } else { format!("{}: {}", self.code, parts.join("; ")) }
    }
}
