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

use std::fmt;
use std::str::FromStr;

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
struct Reader<'k> {
    key: &'k str,
    /// Set while repository and version must look like what they are.
    order: Option<Order>,
    repository: &'k str,
    version: &'k str,
    /// Where a part was already found not to fit, by parts left and position. Without it, wildcards multiply.
    failed: Vec<bool>,
}

impl Reader<'_> {
    fn looks_right(&self, part: &Part, text: &str) -> bool {
        match (self.order, part) {
            (Some(_), Part::Version) => begins_like_a_version(text),
            (Some(Order::VersionFirst), Part::Repository { .. }) => begins_like_a_name(text),
            _ => true,
        }
    }

    fn fits(&mut self, parts: &[Part], at: usize) -> bool {
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
struct Beginning<'k> {
    text: &'k str,
    failed: Vec<bool>,
}

impl Beginning<'_> {
    fn fits(&mut self, parts: &[Part], at: usize) -> bool {
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

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn layout(text: &str) -> Layout {
        text.parse().unwrap()
    }

    fn read(text: &str, key: &str) -> Option<(String, String)> {
        layout(text).parse(key).map(|(repository, version)| (repository.to_string(), version.into()))
    }

    #[test]
    fn keys_name_repository_and_version() {
        for (text, key, expected) in [
            ("{repository}/{version}/bundle.zip", "api/1.2.0/bundle.zip", Some(("api", "1.2.0"))),
            ("{repository}/{version}/bundle.zip", "api/1.2.0/other.zip", None),
            ("{repository}/{version}/bundle.zip", "team/api/1.2.0/bundle.zip", None),
            ("{repository}/{version}/bundle.zip", "/1.2.0/bundle.zip", None),
            ("{repository}/{version}/bundle.zip", "api//bundle.zip", None),
            ("{repository...}/{version}/bundle.zip", "team/api/1.2.0/bundle.zip", Some(("team/api", "1.2.0"))),
            ("{repository...}/{version}/bundle.zip", "api/1/bundle.zip", Some(("api", "1"))),
            ("apps/{repository}-{version}.zip", "apps/my-app-1.2.0.zip", Some(("my-app", "1.2.0"))),
            ("{repository}/{version}-*.zip", "api/1.0-arm-64.zip", Some(("api", "1.0-arm"))),
            ("{repository}/**/{version}.zip", "api/1.0.zip", Some(("api", "1.0"))),
            ("{repository}/**/{version}.zip", "api/a/b/1.0.zip", Some(("api", "1.0"))),
            ("{repository}/{version}/**", "api/1.0/lib/x.jar", Some(("api", "1.0"))),
            ("{repository}/{version}/**", "api/1.0/", None),
            ("**/{repository}/{version}.zip", "a/b/api/1.0.zip", Some(("api", "1.0"))),
            ("**/{repository}/{version}.zip", "api/1.0.zip", Some(("api", "1.0"))),
            ("builds/*/{repository}/{version}", "builds/2024/api/7", Some(("api", "7"))),
            // CodeDeploy, Elastic Beanstalk, Lambda, plain prefixes.
            ("{repository}/{version}.zip", "api/1.4.0-rc.1.zip", Some(("api", "1.4.0-rc.1"))),
            ("{version}-{repository}.zip", "1.4.0-my-api.zip", Some(("my-api", "1.4.0"))),
            ("{version}-{repository}.zip", "1.4.0-rc.1-my-api.zip", Some(("my-api", "1.4.0-rc.1"))),
            ("{version}-{repository}.zip", "v7-rc2-api.zip", Some(("api", "v7-rc2"))),
            ("{version}-{repository}.zip", "release-api.zip", Some(("api", "release"))),
            ("functions/{repository}-{version}.zip", "functions/my-fn-1.4.0-rc.1.zip", Some(("my-fn", "1.4.0-rc.1"))),
            ("functions/{repository}-{version}.zip", "functions/api-2-1.0.0.zip", Some(("api-2", "1.0.0"))),
            ("functions/{repository}-{version}.zip", "functions/my-fn-abc.zip", Some(("my-fn", "abc"))),
            ("{env}/{repository}/{version}/app.zip", "prod/api/7/app.zip", Some(("api", "7"))),
            ("{env}/{repository}/{version}/app.zip", "/api/7/app.zip", None),
            ("{repository}/{version}/{build}/app.zip", "api/7/x.y/app.zip", Some(("api", "7"))),
            ("releases/{repository...}/{version}", "releases/team/api/7", Some(("team/api", "7"))),
            ("{repository}/{version}", "日本/版 1", Some(("日本", "版 1"))),
            ("{repository}/{version}", "a\n+ b/..", Some(("a\n+ b", ".."))),
        ] {
            let expected = expected.map(|(repository, version)| (repository.to_owned(), version.to_owned()));
            assert_eq!(read(text, key), expected, "{key} under {text}");
        }
    }

    #[test]
    fn a_key_that_fits_may_name_no_repository_f81() {
        let single = layout("{repository}/{version}");
        assert_eq!(single.read("../1"), Some(("..", "1")));
        assert_eq!(single.parse("../1"), None);
        assert_eq!(layout("{repository...}/{version}").parse("a//1"), None);
    }

    #[test]
    fn errors_say_what_to_do() {
        for (text, part) in [
            ("", "is empty"),
            ("/{repository}/{version}", "leading '/'"),
            ("{repository}/bundle.zip", "{version} is missing"),
            ("{version}", "{repository} is missing"),
            ("{repository}/{version}/{version}", "2 times"),
            ("{repository}/{verison}", "{version} is missing"),
            ("{repository}/{Version}", "{Version} is no part"),
            ("{repository}/{version}/{}", "{} is no part"),
            ("{repository}/{version}/{e n v}", "{e n v} is no part"),
            ("{env}{repository}/{version}", "side by side"),
            ("{repository}{version}", "side by side"),
            ("{repository}*/{version}", "side by side"),
            ("{repository}/**{version}", "side by side"),
            ("{repository}/{version", "never closed"),
            ("{repository}/version}", "no '{'"),
            ("{repository}/{version}/***", "***"),
            ("{repository}/{version}/*-*-*-*-*", "wildcards"),
        ] {
            let error = text.parse::<Layout>().unwrap_err().to_string();
            assert!(error.contains(part), "{text:?}: {error}");
        }
    }

    #[test]
    fn a_layout_in_which_a_name_has_no_end_is_ambiguous() {
        for (text, ambiguous) in [
            ("{repository}/{version}/bundle.zip", false),
            ("{repository}-{version}.zip", false),
            ("{version}-{repository}.zip", false),
            ("{repository}/{version}-*.zip", false),
            ("{repository}/{version}-{build}.zip", false),
            ("{env}/{repository}/{version}.zip", false),
            ("**/{repository}/{version}.zip", false),
            ("{repository...}/{version}/**", false),
            ("{env}-{repository}/{version}.zip", true),
            ("{repository}-*/{version}.zip", true),
            ("{repository}-{version}-{env}.zip", true),
            ("{repository...}/**/{version}.zip", true),
            ("**/{repository...}/{version}.zip", true),
            ("{repository...}-*/{version}", true),
        ] {
            assert_eq!(layout(text).ambiguity().is_some(), ambiguous, "{text}");
        }
    }

    #[test]
    fn a_beginning_is_one_of_some_key() {
        for (text, prefix, can) in [
            ("{repository}/{version}/bundle.zip", "", true),
            ("{repository}/{version}/bundle.zip", "api", true),
            ("{repository}/{version}/bundle.zip", "api/", true),
            ("{repository}/{version}/bundle.zip", "api/1.0/bun", true),
            ("{repository}/{version}/bundle.zip", "api/1.0/bundles", false),
            ("{repository}/{version}/bundle.zip", "api/1.0/bundle.zip/x", false),
            ("{repository}/{version}/bundle.zip", "/", false),
            ("apps/{repository}/{version}", "ap", true),
            ("apps/{repository}/{version}", "logs/", false),
            ("apps/{repository...}/{version}", "apps/a/b/c/", true),
            ("apps/**/{repository}-{version}", "apps/x/y", true),
        ] {
            assert_eq!(layout(text).can_begin(prefix), can, "{prefix:?} under {text}");
        }
    }

    #[test]
    fn prefixes_for_listing() {
        let api = "team/api".parse().unwrap();
        for (text, literal, prefix, folder) in [
            ("{repository}/{version}/x", "", "team/api/", true),
            ("apps/{repository}/v-{version}", "apps/", "apps/team/api/v-", true),
            ("apps/{repository...}/{version}", "apps/", "apps/team/api/", false),
            ("apps-{repository}/{version}", "apps-", "apps-team/api/", false),
            ("{repository}-{version}", "", "team/api-", false),
            ("*/{repository}/{version}", "", "", false),
            ("{repository}/*/{version}", "", "team/api/", true),
        ] {
            let layout = layout(text);
            assert_eq!(layout.literal_prefix(), literal, "{text}");
            assert_eq!(layout.repository_prefix(&api), prefix, "{text}");
            assert_eq!(layout.repository_is_a_folder(), folder, "{text}");
        }
    }

    #[test]
    fn a_hostile_key_is_read_in_no_time() {
        let layout = layout("{repository...}-*a*a/**/**a-{version}.zip");
        let started = std::time::Instant::now();
        for key in ["a-".repeat(512), "a/".repeat(512), "-a/".repeat(341)] {
            assert_eq!(layout.read(&key), None);
        }
        assert!(started.elapsed() < std::time::Duration::from_secs(5), "{:?}", started.elapsed());
    }

    proptest! {
        /// What a layout without wildcards parses composes back to the key, and what it composes it parses.
        #[test]
        fn parsing_and_composing_are_inverse(
            (text, before, between, after, many) in prop_oneof![
                Just(("{repository}/{version}/bundle.zip", "", "/", "/bundle.zip", false)),
                Just(("apps/{repository}-{version}.zip", "apps/", "-", ".zip", false)),
                Just(("a/{repository...}/v/{version}", "a/", "/v/", "", true)),
            ],
            repository in "[a-z.%+ \u{e9}-]{1,8}(/[a-z-]{1,4})?",
            version in "[^/]{1,12}",
            noise in "\\PC{0,40}",
        ) {
            let layout = layout(text);
            let repository = if many { repository } else { repository.replace('/', "_") };
            let key = format!("{before}{repository}{between}{version}{after}");
            if let Some((found, label)) = layout.parse(&key) {
                prop_assert_eq!(format!("{before}{found}{between}{label}{after}"), key.clone());
                prop_assert!(key.starts_with(&layout.repository_prefix(&found)));
            } else {
                prop_assert!(repository.parse::<RepositoryName>().is_err());
            }
            if let Some((found, label)) = layout.parse(&noise) {
                prop_assert_eq!(format!("{before}{found}{between}{label}{after}"), noise);
            }
        }
    }
}
