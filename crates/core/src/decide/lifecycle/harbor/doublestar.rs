//! Patterns as Harbor matches them: the algorithm of doublestar v1.3.4, which later versions and other libraries do not
//! share (J22).
//!
//! A pattern is held against the text segment by segment, and only as far as that takes. So a malformed one is an error
//! only for a text that leads to its bad part, `**` is special only as a whole segment, and of `{a,a/b}` the second way
//! costs the first its match. Harbor's simulator has to have all of that.

/// Why it is not known whether a text matches.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PatternError {
    /// The pattern is malformed, and matching came to the bad part.
    Malformed,
    /// Matching takes so many steps that nobody should wait for it.
    Endless,
}

/// Real patterns and tags take dozens. What takes more keeps Harbor itself busy for as long.
const MOST_STEPS: u32 = 100_000;

/// Nested calls: no pattern that anybody means has as many stars and braces.
const DEEPEST: u32 = 250;

/// Whether the whole text matches; `/` parts segments.
pub fn matches(pattern: &str, text: &str) -> Result<bool, PatternError> {
    Walk { steps: 0, depth: 0 }.path(pattern, &segments(text))
}

/// One text held against one pattern.
struct Walk {
    steps: u32,
    depth: u32,
}

/// What is left of a pattern for the segments to come, each way that its braces offer. None at all: the pattern is used up.
type Ways = Vec<String>;

impl Walk {
    fn deeper<T>(&mut self, step: impl FnOnce(&mut Self) -> Result<T, PatternError>) -> Result<T, PatternError> {
        self.steps += 1;
        if self.steps > MOST_STEPS || self.depth == DEEPEST {
            return Err(PatternError::Endless);
        }
        self.depth += 1;
        let result = step(self);
        self.depth -= 1;
        result
    }

    /// The pattern against all segments that are left.
    fn path(&mut self, pattern: &str, segments: &[&str]) -> Result<bool, PatternError> {
        self.deeper(|walk| walk.path_within(pattern, segments))
    }

    fn path_within(&mut self, pattern: &str, segments: &[&str]) -> Result<bool, PatternError> {
        let Some((first, rest)) = segments.split_first() else { return Ok(pattern.is_empty()) };
        if pattern.is_empty() && first.is_empty() && rest.is_empty() {
            return Ok(true);
        }
        let slash = unescaped(pattern, b'/');
        if &pattern[..slash.unwrap_or(pattern.len())] == "**" {
            return match slash {
                None => Ok(true),
                Some(slash) => self.at_any_depth(&pattern[slash + 1..], segments),
            };
        }
        let Some(ways) = self.segment(pattern, first)? else { return Ok(false) };
        if rest.is_empty() {
            return Ok(ways.is_empty());
        }
        for way in ways {
            if self.path(&way, rest)? {
                return Ok(true);
            }
        }
        Ok(false)
    }

    /// Behind a `**`, which swallows any number of segments but not all: what is malformed there is no error.
    fn at_any_depth(&mut self, pattern: &str, segments: &[&str]) -> Result<bool, PatternError> {
        for skipped in 0..segments.len() {
            match self.path(pattern, &segments[skipped..]) {
                Ok(true) => return Ok(true),
                Err(PatternError::Endless) => return Err(PatternError::Endless),
                Ok(false) | Err(PatternError::Malformed) => {}
            }
        }
        Ok(false)
    }

    /// The pattern's beginning against one segment; none: it does not match.
    fn segment(&mut self, pattern: &str, name: &str) -> Result<Option<Ways>, PatternError> {
        self.deeper(|walk| walk.segment_within(pattern, name))
    }

    fn segment_within(&mut self, pattern: &str, name: &str) -> Result<Option<Ways>, PatternError> {
        let (mut wanted, mut found) = (pattern.chars(), name.chars());
        loop {
            let (before, left) = (wanted.clone(), found.as_str());
            let (Some(want), Some(have)) = (wanted.next(), found.next()) else {
                return if left.is_empty() { self.used_up(before.as_str()) } else { Ok(None) };
            };
            let is_match = match want {
                '/' => false,
                '*' => return self.star(wanted.as_str(), left),
                '{' => return self.braces(wanted.as_str(), left),
                '?' => true,
                '\\' => match wanted.next() {
                    None | Some(char::REPLACEMENT_CHARACTER) => return Err(PatternError::Malformed),
                    Some(literal) => literal == have,
                },
                '[' => {
                    let (is_in, after) = class(wanted.as_str(), have)?;
                    wanted = after.chars();
                    is_in
                }
                literal => literal == have,
            };
            if !is_match {
                return Ok(None);
            }
        }
    }

    /// A star takes any number of characters, but leaves one for what follows it in its segment.
    fn star(&mut self, after: &str, name: &str) -> Result<Option<Ways>, PatternError> {
        if after.is_empty() {
            return Ok(Some(Vec::new()));
        }
        if let Some(next) = after.strip_prefix('/') {
            return Ok(Some(vec![next.to_owned()]));
        }
        for (at, _) in name.char_indices() {
            let ways = self.segment(after, &name[at..])?;
            if ways.is_some() {
                return Ok(ways);
            }
        }
        Ok(None)
    }

    /// Each alternative followed by the rest of the pattern. A malformed one is an error even after one that matches.
    fn braces(&mut self, after: &str, name: &str) -> Result<Option<Ways>, PatternError> {
        let (alternatives, rest) = alternatives(after)?;
        let mut all: Option<Ways> = None;
        for alternative in alternatives {
            if let Some(ways) = self.segment(&format!("{alternative}{rest}"), name)? {
                all.get_or_insert_default().extend(ways);
            }
        }
        Ok(all)
    }

    /// The segment is at its end: whether what is left of the pattern's segment can be nothing.
    fn used_up(&mut self, pattern: &str) -> Result<Option<Ways>, PatternError> {
        let slash = unescaped(pattern, b'/');
        if !self.can_be_nothing(&pattern[..slash.unwrap_or(pattern.len())])? {
            return Ok(None);
        }
        Ok(Some(slash.map(|slash| pattern[slash + 1..].to_owned()).into_iter().collect()))
    }

    /// Only what is nothing but stars, or begins with braces that can be: `{,a}*`, and not `*{,a}`.
    fn can_be_nothing(&mut self, pattern: &str) -> Result<bool, PatternError> {
        if matches!(pattern, "" | "*" | "**") {
            return Ok(true);
        }
        let Some(after) = pattern.strip_prefix('{') else { return Ok(false) };
        let (alternatives, rest) = alternatives(after)?;
        if !self.deeper(|walk| walk.can_be_nothing(rest))? {
            return Ok(false);
        }
        for alternative in alternatives {
            if self.deeper(|walk| walk.can_be_nothing(alternative))? {
                return Ok(true);
            }
        }
        Ok(false)
    }
}

/// Whether the character is in the class that begins behind `[`, and what follows its `]`.
fn class(after: &str, have: char) -> Result<(bool, &str), PatternError> {
    let end = unescaped(after, b']').ok_or(PatternError::Malformed)?;
    let mut members = after[..end].chars().peekable();
    // The first character cannot close it: `[]a]` is an empty class, and so is malformed.
    let is_negated = match members.peek() {
        None => return Err(PatternError::Malformed),
        Some(first) => *first == '^',
    };
    if is_negated {
        members.next();
    }
    let mut is_in = false;
    while let Some(low) = member(&mut members)? {
        let high = match members.next_if_eq(&'-') {
            None => low,
            Some(_) => member(&mut members)?.ok_or(PatternError::Malformed)?,
        };
        is_in |= low <= have && have <= high;
    }
    Ok((is_in != is_negated, &after[end + 1..]))
}

/// The next member of a class: a dash is one only behind a backslash.
fn member(members: &mut impl Iterator<Item = char>) -> Result<Option<char>, PatternError> {
    match members.next() {
        Some('-') => Err(PatternError::Malformed),
        Some('\\') => members.next().map(Some).ok_or(PatternError::Malformed),
        other => Ok(other),
    }
}

/// The alternatives that begin behind `{`, nested ones whole, and what follows their `}`.
fn alternatives(after: &str) -> Result<(Vec<&str>, &str), PatternError> {
    let (mut open, mut is_escaped, mut start) = (1_u32, false, 0);
    let mut found = Vec::new();
    for (at, character) in after.char_indices() {
        match character {
            _ if is_escaped => is_escaped = false,
            '\\' => is_escaped = true,
            '{' => open += 1,
            '}' if open == 1 => {
                found.push(&after[start..at]);
                return Ok((found, &after[at + 1..]));
            }
            '}' => open -= 1,
            ',' if open == 1 => {
                found.push(&after[start..at]);
                start = at + 1;
            }
            _ => {}
        }
    }
    Err(PatternError::Malformed)
}

/// Segments of the text. A backslash in it keeps a slash from parting them, too.
fn segments(text: &str) -> Vec<&str> {
    let mut segments = Vec::new();
    let mut left = text;
    while let Some(slash) = unescaped(left, b'/') {
        segments.push(&left[..slash]);
        left = &left[slash + 1..];
    }
    segments.push(left);
    segments
}

/// Where the character stands first without a backslash before it; that backslash may be escaped itself.
fn unescaped(text: &str, wanted: u8) -> Option<usize> {
    let bytes = text.as_bytes();
    (0..bytes.len()).find(|at| bytes[*at] == wanted && (*at == 0 || bytes[at - 1] != b'\\'))
}
