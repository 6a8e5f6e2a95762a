//! Reading keys: parts take as much as they can and give back until the rest fits.

use super::{Order, Part};

/// Whether a text begins as versions do.
fn begins_like_a_version(text: &str) -> bool {
    text.strip_prefix(['v', 'V']).unwrap_or(text).starts_with(|first: char| first.is_ascii_digit())
}

/// Whether a text begins as names of services do, and not as what follows a version does: `rc.1`, `snapshot`.
fn begins_like_a_name(text: &str) -> bool {
    const PRE_RELEASES: [&str; 11] =
        ["alpha", "beta", "build", "canary", "dev", "nightly", "pre", "preview", "rc", "snapshot", "sha"];
    let token = text.split(['-', '_', '.', '+']).next().unwrap_or_default();
    let word = token.trim_end_matches(|last: char| last.is_ascii_digit()).to_ascii_lowercase();
    text.starts_with(|first: char| first.is_alphabetic()) && !PRE_RELEASES.contains(&&*word)
}

/// Where reading a key stands. Parts take as much as they can and give back until the rest fits.
pub(super) struct Reader<'k> {
    pub(super) key: &'k str,
    /// Set while repository and version must look like what they are.
    pub(super) order: Option<Order>,
    pub(super) repository: &'k str,
    pub(super) version: &'k str,
    /// Where a part was already found not to fit, by parts left and position. Without it, wildcards multiply.
    pub(super) failed: Vec<bool>,
}

impl Reader<'_> {
    fn looks_right(&self, part: &Part, text: &str) -> bool {
        match (self.order, part) {
            (Some(_), Part::Version) => begins_like_a_version(text),
            (Some(Order::VersionFirst), Part::Repository { .. }) => begins_like_a_name(text),
            _ => true,
        }
    }

    pub(super) fn fits(&mut self, parts: &[Part], at: usize) -> bool {
        let Some((part, rest)) = parts.split_first() else { return at == self.key.len() };
        let text = &self.key[at..];
        let segment = || text.find('/').unwrap_or(text.len());
        let (least, most) = match part {
            Part::Literal(literal) => return text.starts_with(&**literal) && self.fits(rest, at + literal.len()),
            Part::Repository { many: true } => (1, text.len()),
            Part::Repository { many: false } | Part::Version => (1, segment()),
            Part::Piece { named } => (usize::from(*named), segment()),
            Part::Folders => (0, text.rfind('/').map_or(0, |slash| slash + 1)),
            Part::Anything { at_end } => (usize::from(*at_end), text.len()),
        };
        let state = parts.len() * (self.key.len() + 1) + at;
        if self.failed.get(state).is_some_and(|failed| *failed) {
            return false;
        }
        let least = if rest.is_empty() { least.max(text.len()) } else { least };
        // The shortest version before a name: what a name may begin with ends it.
        let shortest_first = self.order == Some(Order::VersionFirst) && *part == Part::Version;
        for step in least..=most {
            let end = if shortest_first { step } else { most - (step - least) };
            let stops_here = match (part, rest.first()) {
                (Part::Folders, _) => end == 0 || text.as_bytes()[end - 1] == b'/',
                (_, Some(Part::Literal(literal))) => text.as_bytes()[end..].starts_with(literal.as_bytes()),
                _ => text.is_char_boundary(end),
            };
            if stops_here && self.looks_right(part, &text[..end]) && self.fits(rest, at + end) {
                match part {
                    Part::Repository { .. } => self.repository = &self.key[at..at + end],
                    Part::Version => self.version = &self.key[at..at + end],
                    _ => {}
                }
                return true;
            }
        }
        if self.failed.len() <= state {
            self.failed.resize(state + 1, false);
        }
        self.failed[state] = true;
        false
    }
}

/// Reading the beginning of a key: whatever is left of the layout when the text ends can still be written.
pub(super) struct Beginning<'k> {
    pub(super) text: &'k str,
    pub(super) failed: Vec<bool>,
}

impl Beginning<'_> {
    pub(super) fn fits(&mut self, parts: &[Part], at: usize) -> bool {
        let rest = &self.text[at..];
        let Some((part, after)) = parts.split_first() else { return rest.is_empty() };
        if rest.is_empty() {
            return true;
        }
        let segment = || rest.find('/').unwrap_or(rest.len());
        let (least, most) = match part {
            Part::Literal(literal) => {
                return literal.starts_with(rest)
                    || (rest.starts_with(&**literal) && self.fits(after, at + literal.len()));
            }
            Part::Repository { many: false } | Part::Version | Part::Piece { named: true } => (1, segment()),
            Part::Piece { named: false } => (0, segment()),
            Part::Repository { many: true } => (1, rest.len()),
            // What is left of the text may be the first part of a folder's name.
            Part::Folders | Part::Anything { .. } => return true,
        };
        let state = parts.len() * (self.text.len() + 1) + at;
        if self.failed.get(state).is_some_and(|failed| *failed) {
            return false;
        }
        let fits =
            most == rest.len() || (least..=most).any(|end| rest.is_char_boundary(end) && self.fits(after, at + end));
        if !fits {
            self.failed.resize(self.failed.len().max(state + 1), false);
            self.failed[state] = true;
        }
        fits
    }
}
