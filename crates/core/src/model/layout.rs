//! How a bucket's keys name repository and version: `{repository}/{version}/bundle.zip`.
//!
//! | part | stands for |
//! | --- | --- |
//! | `{repository}` | one or more characters within a segment; as many as the rest of the layout allows |
//! | `{repository...}` | the same over one or more segments: `team/api` |
//! | `{version}` | one or more characters within a segment |
//! | `{env}` and other names | one or more characters within a segment, which mean nothing here |
//! | `*` | any characters within a segment, none included |
//! | `**/` | any number of whole segments, none included |
//! | `**` elsewhere | any characters, `/` included; at the very end at least one, so that the empty object some tools write for a folder is no release |
//!
//! Where repository and version share a segment, `{repository}-{version}.zip` or `{version}-{repository}.zip`, both may
//! hold what stands between them. Then the version is taken to begin like one (`1.4.0`, `v2`), and the repository to begin
//! with a letter and not with the name of a pre-release: `1.4.0-rc.1-my-api` is `1.4.0-rc.1` of `my-api`. Only a key
//! that cannot be read so is cut at the last place where it can be cut at all.
//!
//! Everything else stands for itself. Between two parts there must be some text, or nobody could say where one ends.
//! A key is text, never a path: `..` in it has no meaning.

mod reader;
#[cfg(test)]
mod tests;

use std::fmt;
use std::str::FromStr;

use self::reader::{Beginning, Reader};
use super::RepositoryName;

/// A key pattern with `{repository}` and `{version}` parts.
#[derive(Clone, PartialEq, Eq)]
pub struct Layout {
    text: String,
    parts: Vec<Part>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Part {
    Literal(Box<str>),
    Repository {
        many: bool,
    },
    Version,
    /// `*`, or a free name such as `{env}`, which is never empty.
    Piece {
        named: bool,
    },
    /// `**/` at the start of a segment: nothing, or text that ends in `/`.
    Folders,
    /// Any other `**`.
    Anything {
        at_end: bool,
    },
}

/// Why a text is no layout.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("layout {text:?}: {reason}")]
pub struct LayoutError {
    text: String,
    reason: String,
}

/// An S3 key has at most 1,024 bytes; a longer layout fits none.
const MAX_LAYOUT: usize = 1024;

/// The most wildcards beside the two parts: nobody needs more, and it bounds the work for a hostile key.
const MAX_WILDCARDS: usize = 4;

impl Layout {
    /// What stands for `{repository}` and `{version}` in this key, if it fits. The first may still be no repository
    /// name (`..`, or an empty segment under `{repository...}`).
    #[must_use]
    pub fn read<'k>(&self, key: &'k str) -> Option<(&'k str, &'k str)> {
        let strict = self.order_in_segment();
        strict.and_then(|order| self.read_as(key, Some(order))).or_else(|| self.read_as(key, None))
    }

    fn read_as<'k>(&self, key: &'k str, order: Option<Order>) -> Option<(&'k str, &'k str)> {
        let mut reader = Reader { key, order, repository: "", version: "", failed: Vec::new() };
        reader.fits(&self.parts, 0).then_some((reader.repository, reader.version))
    }

    /// Which of the two comes first where repository and version share a segment.
    fn order_in_segment(&self) -> Option<Order> {
        let segments = self.segments();
        let shared = segments.iter().find(|segment| {
            segment.iter().any(|part| matches!(part, Part::Repository { .. })) && segment.contains(&&Part::Version)
        })?;
        let first = shared.iter().find(|part| matches!(part, Part::Repository { .. } | Part::Version))?;
        Some(if **first == Part::Version { Order::VersionFirst } else { Order::RepositoryFirst })
    }

    /// What stands for characters between two slashes; each list of parts is one segment.
    fn segments(&self) -> Vec<Vec<&Part>> {
        let mut segments = vec![Vec::new()];
        for part in &self.parts {
            match part {
                Part::Literal(text) if !text.contains('/') => {}
                Part::Literal(_) => segments.push(Vec::new()),
                Part::Folders => {
                    segments.push(vec![part]);
                    segments.push(Vec::new());
                }
                part => {
                    if let Some(segment) = segments.last_mut() {
                        segment.push(part);
                    }
                }
            }
        }
        segments
    }

    /// Why nobody could say where in a key the repository's name ends, if it is so. One name misread is another
    /// repository, with another history.
    #[must_use]
    pub fn ambiguity(&self) -> Option<&'static str> {
        let segments = self.segments();
        let is_repository = |part: &&Part| matches!(part, Part::Repository { .. });
        let is_wild = |part: &&Part| matches!(part, Part::Piece { .. } | Part::Anything { .. });
        let together = |segment: &Vec<&Part>| segment.iter().any(is_repository) && segment.iter().any(is_wild);
        if segments.iter().any(together) {
            return Some(
                "{repository} shares its segment with a wildcard or a free name, and either may hold what stands \
                 between them",
            );
        }
        let place = self.parts.iter().position(|part| matches!(part, Part::Repository { many: true }))?;
        let swallows = |part: Option<&Part>| matches!(part, Some(Part::Folders | Part::Anything { .. }));
        let around = [place.checked_sub(1), place.checked_sub(2), Some(place + 1), Some(place + 2)];
        let neighbours = around.into_iter().flatten().any(|place| swallows(self.parts.get(place)));
        neighbours.then_some("{repository...} and \"**\" stand side by side, and both take any number of segments")
    }

    /// The repository and the version label that this key names.
    #[must_use]
    pub fn parse(&self, key: &str) -> Option<(RepositoryName, Box<str>)> {
        let (repository, version) = self.read(key)?;
        Some((repository.parse().ok()?, version.into()))
    }

    /// What every key starts with.
    #[must_use]
    pub fn literal_prefix(&self) -> &str {
        match self.parts.first() {
            Some(Part::Literal(text)) => text,
            _ => "",
        }
    }

    /// What every key of this repository starts with. Other keys may start with it too. Where a wildcard or the
    /// version stands before the repository, this is short and the listing of one repository long.
    #[must_use]
    pub fn repository_prefix(&self, repository: &RepositoryName) -> String {
        let mut prefix = String::new();
        for part in &self.parts {
            match part {
                Part::Literal(text) => prefix.push_str(text),
                Part::Repository { .. } => prefix.push_str(repository.as_str()),
                _ => break,
            }
        }
        prefix
    }

    /// Whether some key of this layout starts with this text, so that a rule about such keys is about releases.
    #[must_use]
    pub fn can_begin(&self, prefix: &str) -> bool {
        Beginning { text: prefix, failed: Vec::new() }.fits(&self.parts, 0)
    }

    /// Whether `{repository}` is one whole segment right after the literal prefix, so that listing with a delimiter
    /// names the repositories without listing what is in them.
    #[must_use]
    pub fn repository_is_a_folder(&self) -> bool {
        let starts_a_segment = |text: &str| text.is_empty() || text.ends_with('/');
        let rest = match self.parts.as_slice() {
            [Part::Literal(text), rest @ ..] if starts_a_segment(text) => rest,
            rest => rest,
        };
        matches!(rest, [Part::Repository { many: false }, Part::Literal(after), ..] if after.starts_with('/'))
    }
}

/// Which of two parts of one segment comes first.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Order {
    RepositoryFirst,
    VersionFirst,
}

impl FromStr for Layout {
    type Err = LayoutError;

    fn from_str(text: &str) -> Result<Self, LayoutError> {
        let fail = |reason: String| LayoutError { text: text.chars().take(160).collect(), reason };
        if text.is_empty() {
            return Err(fail("it is empty; write something like \"{repository}/{version}/bundle.zip\"".to_owned()));
        }
        if text.len() > MAX_LAYOUT {
            return Err(fail("it is longer than 1024 bytes, which is longer than any key".to_owned()));
        }
        if text.starts_with('/') {
            return Err(fail("leave out the leading '/': S3 keys have none".to_owned()));
        }
        let parts = split(text).map_err(&fail)?;
        check(&parts).map_err(fail)?;
        Ok(Self { text: text.to_owned(), parts })
    }
}

fn split(text: &str) -> Result<Vec<Part>, String> {
    let mut parts: Vec<Part> = Vec::new();
    let mut rest = text;
    while let Some(special) = rest.find(['{', '}', '*']) {
        if special > 0 {
            parts.push(Part::Literal(rest[..special].into()));
        }
        rest = &rest[special..];
        let (part, length) = match rest.as_bytes() {
            [b'{', ..] => {
                let close = rest.find('}').ok_or("a '{' is never closed")?;
                (named(&rest[1..close])?, close + 1)
            }
            [b'}', ..] => return Err("a '}' has no '{' before it".to_owned()),
            [b'*', b'*', b'*', ..] => return Err("\"***\" means nothing; write '*' or \"**\"".to_owned()),
            [b'*', b'*', b'/', ..] if starts_a_segment(&parts) => (Part::Folders, 3),
            [b'*', b'*'] => (Part::Anything { at_end: true }, 2),
            [b'*', b'*', ..] => (Part::Anything { at_end: false }, 2),
            _ => (Part::Piece { named: false }, 1),
        };
        parts.push(part);
        rest = &rest[length..];
    }
    if !rest.is_empty() {
        parts.push(Part::Literal(rest.into()));
    }
    Ok(parts)
}

fn starts_a_segment(parts: &[Part]) -> bool {
    match parts.last() {
        None => true,
        Some(Part::Literal(text)) => text.ends_with('/'),
        Some(_) => false,
    }
}

fn named(name: &str) -> Result<Part, String> {
    match name {
        "repository" => Ok(Part::Repository { many: false }),
        "repository..." => Ok(Part::Repository { many: true }),
        "version" => Ok(Part::Version),
        _ if is_free(name) => Ok(Part::Piece { named: true }),
        _ => Err(format!(
            "{{{name}}} is no part; there are {{repository}}, {{repository...}}, {{version}}, and other names of \
             lowercase letters, digits and '_'"
        )),
    }
}

fn is_free(name: &str) -> bool {
    name.starts_with(|first: char| first.is_ascii_lowercase())
        && name.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'_')
}

fn check(parts: &[Part]) -> Result<(), String> {
    let count = |wanted: fn(&Part) -> bool| parts.iter().filter(|part| wanted(part)).count();
    for (name, found) in [
        ("{repository}", count(|part| matches!(part, Part::Repository { .. }))),
        ("{version}", count(|part| matches!(part, Part::Version))),
    ] {
        match found {
            0 => return Err(format!("{name} is missing; say where in the key it stands")),
            1 => {}
            _ => return Err(format!("{name} stands there {found} times; say it once")),
        }
    }
    if count(|part| matches!(part, Part::Piece { .. } | Part::Folders | Part::Anything { .. })) > MAX_WILDCARDS {
        return Err(format!("it has more than {MAX_WILDCARDS} wildcards"));
    }
    for pair in parts.windows(2) {
        // `**/` ends in a slash, which is text enough for whatever follows.
        if !matches!(pair[0], Part::Literal(_) | Part::Folders) && !matches!(pair[1], Part::Literal(_)) {
            return Err("two parts stand side by side; put some text between them, such as '/' or '-'".to_owned());
        }
    }
    Ok(())
}

impl fmt::Display for Layout {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

impl fmt::Debug for Layout {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&self.text, f)
    }
}
