//! Tag patterns as ECR reads them (A25).

use std::fmt;

use crate::decide::wildcard;

/// A pattern over a whole tag, in which `*` stands for any run of characters, the empty one included.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct TagPattern {
    text: Box<str>,
    /// Where the first wildcard stands, if there is one: what comes before it decides for most tags.
    first: Option<usize>,
}

/// ECR refuses a pattern with more wildcards (A25).
const MAX_WILDCARDS: usize = 4;

impl TagPattern {
    /// Reads a pattern; the error says what is wrong with it and what to write instead.
    pub(super) fn new(text: &str) -> Result<Self, (&'static str, &'static str)> {
        if text.is_empty() {
            return Err(("is empty", "write a tag, or a pattern such as v*"));
        }
        if text.matches('*').count() > MAX_WILDCARDS {
            return Err(("has more than four wildcards", "use at most four *"));
        }
        Ok(Self { text: text.into(), first: text.find('*') })
    }

    /// Whether it matches the whole tag.
    #[must_use]
    pub fn matches(&self, tag: &str) -> bool {
        wildcard::matches_from(&self.text, self.first, tag)
    }

    /// The pattern as the policy writes it.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// Whether every tag that `other` matches is matched by this one too.
    ///
    /// Read as a tag, `other`'s wildcards are characters that no tag holds; only a `*` of this pattern can stand for
    /// one. So a match of the text is a match of everything the text stands for.
    pub(super) fn covers(&self, other: &str) -> bool {
        self.matches(other)
    }
}

impl fmt::Display for TagPattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn patterns_are_anchored_and_stars_match_any_run_a25() {
        for (pattern, tag, expected) in [
            ("prod", "prod", true),
            ("prod", "prod1", false),
            ("prod*", "prod", true),
            ("prod*", "xprod", false),
            ("*prod", "xprod", true),
            ("*prod", "prodx", false),
            ("a*a", "a", false),
            ("a*a", "aa", true),
            ("a*b*c", "a-b-b-c", true),
            ("a*b*c", "acb", false),
            ("*ab*ab*", "ab", false),
            ("*ab*ab*", "xabab", true),
            ("*", "anything", true),
            ("**", "", true),
            ("*a*b*c*", "xxaxxbxxc", true),
            ("v1.*", "v1x0", false),
        ] {
            assert_eq!(TagPattern::new(pattern).unwrap().matches(tag), expected, "{pattern} on {tag}");
        }
    }

    #[test]
    fn a_pattern_covers_what_it_matches_whatever_the_stars_stand_for() {
        for (pattern, other, expected) in [
            ("v*", "v1.*", true),
            ("v1.*", "v*", false),
            ("*", "a*b", true),
            ("a*b", "a*b", true),
            ("a*c", "a*b*c", true),
            ("a*b*c", "a*c", false),
        ] {
            assert_eq!(TagPattern::new(pattern).unwrap().covers(other), expected, "{pattern} over {other}");
        }
    }

    #[test]
    fn at_most_four_wildcards_a25() {
        assert!(TagPattern::new("*a*b*c*").is_ok());
        assert!(TagPattern::new("*a*b*c*d*").is_err());
        assert!(TagPattern::new("").is_err());
    }
}
