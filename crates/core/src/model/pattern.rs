//! Glob lists as the policy writes them: `["shop/*", "!shop/sandbox-*"]`.

use std::collections::BTreeSet;
use std::fmt;

use globset::{GlobBuilder, GlobSet, GlobSetBuilder};

/// A list of globs; entries with `!` in front take away. `*` stops at `/`, `**` does not.
#[derive(Clone)]
pub struct NamePatterns {
    entries: Vec<String>,
    include: GlobSet,
    exclude: GlobSet,
}

/// Why a list of patterns cannot be used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("pattern {pattern:?}: {reason}")]
pub struct PatternError {
    /// The entry at fault.
    pub pattern: String,
    /// What is wrong with it, and what to write instead.
    pub reason: String,
}

/// Longer patterns are refused: globset compiles to a linear-time engine, and this caps its size (F70).
const MAX_PATTERN: usize = 512;

impl NamePatterns {
    /// Compiles the entries. An empty list, an empty entry, and a list with nothing but exclusions are errors: what
    /// the writer meant is unclear, and "nothing" must be said on purpose (F68).
    pub fn new<S: AsRef<str>>(entries: impl IntoIterator<Item = S>) -> Result<Self, PatternError> {
        let entries: Vec<String> = entries.into_iter().map(|entry| entry.as_ref().to_owned()).collect();
        let fail =
            |pattern: &str, reason: &str| PatternError { pattern: pattern.to_owned(), reason: reason.to_owned() };
        let (mut include, mut exclude) = (GlobSetBuilder::new(), GlobSetBuilder::new());
        let mut includes = 0;
        for entry in &entries {
            let (set, pattern) = match entry.strip_prefix('!') {
                Some(rest) => (&mut exclude, rest),
                None => {
                    includes += 1;
                    (&mut include, entry.as_str())
                }
            };
            if pattern.is_empty() {
                return Err(fail(entry, "it is empty; write a name or a glob such as \"shop/*\""));
            }
            if pattern.len() > MAX_PATTERN {
                return Err(fail(&pattern.chars().take(40).collect::<String>(), "it is longer than 512 bytes"));
            }
            let glob = GlobBuilder::new(pattern)
                .literal_separator(true)
                .backslash_escape(true)
                .build()
                .map_err(|error| fail(entry, &error.kind().to_string()))?;
            set.add(glob);
        }
        if includes == 0 {
            return Err(fail("", "the list names nothing to include; write at least one entry without '!'"));
        }
        let build = |set: GlobSetBuilder| set.build().map_err(|error| fail("", &error.to_string()));
        Ok(Self { include: build(include)?, exclude: build(exclude)?, entries })
    }

    /// Patterns that match nothing at all.
    #[must_use]
    pub fn none() -> Self {
        Self { entries: Vec::new(), include: GlobSet::empty(), exclude: GlobSet::empty() }
    }

    /// Whether the name is included and not taken away.
    #[must_use]
    pub fn matches(&self, name: &str) -> bool {
        self.include.is_match(name) && !self.exclude.is_match(name)
    }

    /// The entries as the policy writes them.
    #[must_use]
    pub fn entries(&self) -> &[String] {
        &self.entries
    }

    /// The entries that include names, as the policy writes them.
    pub fn included(&self) -> impl Iterator<Item = &str> {
        self.entries.iter().map(String::as_str).filter(|entry| !entry.starts_with('!'))
    }

    /// The included entries that match none of these names.
    pub fn unmatched<'n>(&self, names: impl IntoIterator<Item = &'n str>) -> impl Iterator<Item = &str> {
        let matched: BTreeSet<&str> = names.into_iter().flat_map(|name| self.matching_entries(name)).collect();
        self.included().filter(move |entry| !matched.contains(entry))
    }

    /// The included entries, each as a plain name if it holds no glob character, for a registry that lists nothing.
    pub fn explicit_names(&self) -> impl Iterator<Item = &str> {
        self.included().filter(|entry| !entry.contains(['*', '?', '[', ']', '{', '}', '\\']))
    }

    /// Whether some included entry is a glob, so that repositories must be listed.
    #[must_use]
    pub fn has_globs(&self) -> bool {
        self.explicit_names().count() < self.included().count()
    }

    /// The positions of the included entries that match this name, so that an entry that never matches can be reported.
    pub fn matching_entries(&self, name: &str) -> impl Iterator<Item = &str> {
        let included: Vec<&str> = self.included().collect();
        self.include.matches(name).into_iter().filter_map(move |index| included.get(index).copied())
    }
}

impl fmt::Debug for NamePatterns {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(&self.entries).finish()
    }
}

impl PartialEq for NamePatterns {
    fn eq(&self, other: &Self) -> bool {
        self.entries == other.entries
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn star_stops_at_slash_and_bang_takes_away() {
        let patterns = NamePatterns::new(["shop/*", "deep/**", "!shop/sandbox-*", "plain"]).unwrap();
        for (name, expected) in [
            ("shop/api", true),
            ("shop/api/v2", false),
            ("shop/sandbox-1", false),
            ("deep/a/b/c", true),
            ("plain", true),
            ("other", false),
        ] {
            assert_eq!(patterns.matches(name), expected, "{name}");
        }
        assert_eq!(patterns.explicit_names().collect::<Vec<_>>(), ["plain"]);
        assert!(patterns.has_globs());
    }

    #[test]
    fn an_entry_that_matches_none_of_the_names_is_told_f73() {
        let patterns = NamePatterns::new(["shop/*", "!shop/old", "web", "x*"]).unwrap();
        let unmatched =
            |names: &[&str]| patterns.unmatched(names.iter().copied()).map(str::to_owned).collect::<Vec<_>>();
        assert_eq!(unmatched(&[]), ["shop/*", "web", "x*"], "what takes away need match nothing");
        // One that matches a name which another entry takes away has matched.
        assert_eq!(unmatched(&["shop/old"]), ["web", "x*"]);
        assert_eq!(unmatched(&["shop/api", "web", "x1"]), [""; 0]);
    }

    #[test]
    fn a_long_pattern_is_told_by_whole_characters_f70() {
        let error = NamePatterns::new([format!("x{}", "é".repeat(300))]).unwrap_err();
        assert_eq!(error.pattern, format!("x{}", "é".repeat(39)));
    }

    #[test]
    fn a_list_that_says_nothing_is_an_error_f68() {
        for list in [&[][..], &[""], &["!x"], &["!"], &["[z-a]"]] {
            assert!(NamePatterns::new(list).is_err(), "{list:?}");
        }
    }
}
