//! AWS's wildcards: `*` stands for any run of characters, the whole text must match.

use crate::model::Pin;

/// Hex digits of a pin's tag.
const PIN_DIGITS: usize = 64;

/// Whether the pattern matches the whole text. `*` is any run; nothing else is special.
pub(super) fn matches(pattern: &str, text: &str) -> bool {
    matches_from(pattern, pattern.find('*'), text)
}

/// The same where it is known at which place the first star stands.
pub(super) fn matches_from(pattern: &str, first: Option<usize>, text: &str) -> bool {
    let Some(first) = first else { return pattern == text };
    let (start, rest) = (&pattern[..first], &pattern[first + 1..]);
    if !text.starts_with(start) {
        return false;
    }
    let (middle, last) = rest.rsplit_once('*').unwrap_or(("", rest));
    let Some(mut left) = text[first..].strip_suffix(last) else { return false };
    // The leftmost place for each piece leaves the most room for the next.
    middle.split('*').all(|piece| match left.find(piece) {
        Some(at) => {
            left = &left[at + piece.len()..];
            true
        }
        None => false,
    })
}

/// With `?` for any one character, and letters of either case: IAM's action names.
pub(super) fn matches_action(pattern: &str, action: &str) -> bool {
    let pattern: Vec<char> = pattern.chars().collect();
    let fits = |letter: char| move |expected: char| expected == '?' || letter.eq_ignore_ascii_case(&expected);
    walk(&pattern, action.chars().map(fits))
}

/// The same with `?` for any one character: ARNs, whose case counts.
pub(super) fn matches_arn(pattern: &str, arn: &str) -> bool {
    let pattern: Vec<char> = pattern.chars().collect();
    let fits = |letter: char| move |expected: char| expected == '?' || letter == expected;
    walk(&pattern, arn.chars().map(fits))
}

/// Whether the pattern matches some tag that a pin may have.
pub(super) fn reaches_a_pin(pattern: &str) -> bool {
    let pattern: Vec<char> = pattern.chars().collect();
    let fixed = Pin::PREFIX.chars().map(Letter::Is);
    let letters = fixed.chain(std::iter::repeat_n(Letter::Hex, PIN_DIGITS));
    walk(&pattern, letters.map(|letter| move |expected: char| letter.may_be(expected)))
}

/// Whether the pattern matches every tag that a pin may have. What it asks for beyond stars must be found in the part
/// that all pins share: of the digits after it nothing can be asked that all of them have.
pub(super) fn covers_every_pin(pattern: &str) -> bool {
    let mut parts = pattern.split('*');
    let Some(rest) = parts.next().and_then(|front| Pin::PREFIX.strip_prefix(front)) else { return false };
    let mut parts: Vec<&str> = parts.collect();
    // Without a star, or with something after the last one, it names single digits.
    if parts.pop() != Some("") {
        return false;
    }
    let mut rest = rest;
    parts.into_iter().all(|part| match rest.find(part) {
        Some(at) => {
            rest = &rest[at + part.len()..];
            true
        }
        None => false,
    })
}

#[derive(Clone, Copy)]
enum Letter {
    Is(char),
    Hex,
}

impl Letter {
    fn may_be(self, expected: char) -> bool {
        match self {
            Self::Is(letter) => letter == expected,
            Self::Hex => matches!(expected, '0'..='9' | 'a'..='f'),
        }
    }
}

/// Which places of the pattern can be reached after each letter: linear in the text, whatever the stars (F70).
fn walk<F: Fn(char) -> bool>(pattern: &[char], letters: impl Iterator<Item = F>) -> bool {
    let mut reached = vec![false; pattern.len() + 1];
    reached[0] = true;
    skip_stars(pattern, &mut reached);
    for fits in letters {
        let mut next = vec![false; pattern.len() + 1];
        for (at, expected) in pattern.iter().enumerate().filter(|(at, _)| reached[*at]) {
            match expected {
                '*' => next[at] = true,
                expected if fits(*expected) => next[at + 1] = true,
                _ => {}
            }
        }
        skip_stars(pattern, &mut next);
        reached = next;
    }
    reached[pattern.len()]
}

fn skip_stars(pattern: &[char], reached: &mut [bool]) {
    for (at, expected) in pattern.iter().enumerate() {
        if *expected == '*' && reached[at] {
            reached[at + 1] = true;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_whole_text_must_match() {
        for (pattern, text, expected) in [
            ("v*", "v1.0", true),
            ("v*", "av1", false),
            ("*", "", true),
            ("a*b*c", "a-b-b-c", true),
            ("a*b", "ab-", false),
            ("", "x", false),
            ("1.2", "1x2", false),
            ("V*", "v1", false),
        ] {
            assert_eq!(matches(pattern, text), expected, "{pattern} on {text}");
        }
        assert!(matches_action("ECR:batchDelete*", "ecr:BatchDeleteImage"));
        assert!(matches_action("ecr:?atchDeleteImage", "ecr:BatchDeleteImage"));
        assert!(!matches_arn("arn:aws:iam::1:role/A*", "arn:aws:iam::1:role/ab"));
    }

    #[test]
    fn a_filter_covers_pins_only_if_it_covers_all_of_them_a18() {
        for (pattern, covers, reaches) in [
            ("prod-pinned-*", true, true),
            ("prod-*", true, true),
            ("*", true, true),
            ("*pinned*", true, true),
            ("p*-*", true, true),
            ("prod-pinned-0*", false, true),
            ("*0", false, true),
            ("*f*", false, true),
            ("*g*0*", false, false),
            ("prod-pinned", false, false),
            ("prod-pinned-", false, false),
            ("prod-pinned-v*", false, false),
            ("v*", false, false),
            ("*-pinned-pinned*", false, false),
            ("", false, false),
        ] {
            assert_eq!((covers_every_pin(pattern), reaches_a_pin(pattern)), (covers, reaches), "{pattern}");
        }
    }

    #[test]
    fn many_stars_cost_no_time_f70() {
        assert!(!matches(&"*a".repeat(60), &"a".repeat(5_000).replace('a', "b")));
    }
}
