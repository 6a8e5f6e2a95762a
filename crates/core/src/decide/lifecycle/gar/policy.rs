//! Cleanup policies as the API gives them, the map `cleanupPolicies` of a repository.

use std::collections::BTreeMap;

use jiff::{SignedDuration, Timestamp};
use serde::Deserialize;

use super::{Rank, Version};

/// The policies of a repository.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Policies(Vec<Policy>);

/// One policy.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Policy {
    /// Its name.
    pub id: String,
    /// What becomes of the versions that it fits.
    pub action: Action,
    /// Which those are.
    pub which: Which,
}

/// What a policy does.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum Action {
    /// Deletes.
    Delete,
    /// Holds against every policy that deletes.
    Keep,
}

/// Which versions a policy fits.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Which {
    /// Those of which all of it is true.
    Condition(Condition),
    /// The most recent ones of each package.
    MostRecent {
        /// The packages; all if there are none.
        packages: Vec<String>,
        /// How many.
        count: u64,
    },
}

/// What is true of versions. A list of prefixes wants one of them, and an empty one nothing. Prefixes of tags are for what has tags:
/// beside any state the vendor's pages say that they are not used (K41).
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Condition {
    /// Whether they have tags.
    pub tag_state: TagState,
    /// Of one of its tags.
    pub tag_prefixes: Vec<String>,
    /// Of its name.
    pub version_name_prefixes: Vec<String>,
    /// Of its package.
    pub package_name_prefixes: Vec<String>,
    /// They were uploaded longer ago.
    pub older_than: Option<SignedDuration>,
    /// They were uploaded less long ago.
    pub newer_than: Option<SignedDuration>,
}

/// Whether a version has tags.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum TagState {
    /// Or not.
    #[default]
    #[serde(alias = "TAG_STATE_UNSPECIFIED")]
    Any,
    /// It has.
    Tagged,
    /// It has none.
    Untagged,
}

/// Why policies were not read. Of what was not read nothing is known, least of all that it spares anything.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum PolicyProblem {
    /// It is not the map that the API gives, or has what is not known here.
    #[error("the cleanup policies are not what the API is known to give: {0}")]
    Unreadable(String),
    /// It says both or neither.
    #[error("cleanup policy {0} has to have either a condition or a number of versions")]
    Which(String),
    /// Only policies to keep count versions.
    #[error("cleanup policy {0} deletes by a number of versions, which only policies to keep can")]
    DeletesByCount(String),
    /// What has no tag begins with nothing.
    #[error("cleanup policy {0} has tag prefixes beside tagState UNTAGGED, and what that comes to is not documented")]
    PrefixesOfNone(String),
    /// A span of time that is none.
    #[error("cleanup policy {0} has a span of time that is none: {1}")]
    Span(String, String),
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
struct RawPolicy {
    #[serde(default, rename = "id")]
    _id: Option<String>,
    action: Action,
    condition: Option<RawCondition>,
    most_recent_versions: Option<RawMostRecent>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase", default)]
#[derive(Default)]
struct RawCondition {
    tag_state: TagState,
    tag_prefixes: Vec<String>,
    version_name_prefixes: Vec<String>,
    package_name_prefixes: Vec<String>,
    older_than: Option<String>,
    newer_than: Option<String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase", default)]
#[derive(Default)]
struct RawMostRecent {
    package_name_prefixes: Vec<String>,
    keep_count: u64,
}

impl Policies {
    /// Reads the map.
    pub fn parse(text: &str) -> Result<Self, PolicyProblem> {
        let raw: BTreeMap<String, RawPolicy> =
            serde_json::from_str(text).map_err(|error| PolicyProblem::Unreadable(error.to_string()))?;
        raw.into_iter().map(|(id, raw)| Policy::read(id, raw)).collect::<Result<_, _>>().map(Self)
    }

    /// Each of them.
    pub fn iter(&self) -> impl Iterator<Item = &Policy> {
        self.0.iter()
    }

    /// Those that delete.
    pub fn deleting(&self) -> impl Iterator<Item = &Policy> {
        self.iter().filter(|policy| policy.action == Action::Delete)
    }

    /// Every span of time after which some policy fits otherwise.
    pub(in super::super) fn spans(&self) -> impl Iterator<Item = SignedDuration> {
        let conditions = self.iter().filter_map(|policy| match &policy.which {
            Which::Condition(condition) => Some(condition),
            Which::MostRecent { .. } => None,
        });
        conditions.flat_map(|condition| condition.older_than.into_iter().chain(condition.newer_than))
    }

    /// Every number of versions that some policy keeps.
    pub(in super::super) fn counts(&self) -> impl Iterator<Item = u64> {
        self.iter().filter_map(|policy| match &policy.which {
            Which::MostRecent { count, .. } => Some(*count),
            Which::Condition(_) => None,
        })
    }

    /// Whether one of them keeps whatever in the package has a tag that begins so, at any age.
    pub(in super::super) fn keep_all_with(&self, tag: &str, package: &str) -> bool {
        self.iter().any(|policy| match &policy.which {
            Which::Condition(condition) => policy.action == Action::Keep && condition.has_all_with(tag, package),
            Which::MostRecent { .. } => false,
        })
    }
}

impl Policy {
    fn read(id: String, raw: RawPolicy) -> Result<Self, PolicyProblem> {
        let which = match (raw.condition, raw.most_recent_versions) {
            (Some(raw), None) => {
                if raw.tag_state == TagState::Untagged && !raw.tag_prefixes.is_empty() {
                    return Err(PolicyProblem::PrefixesOfNone(id));
                }
                let span = |text: Option<String>| {
                    text.map(|text| span(&text).ok_or_else(|| PolicyProblem::Span(id.clone(), text))).transpose()
                };
                Which::Condition(Condition {
                    tag_state: raw.tag_state,
                    tag_prefixes: raw.tag_prefixes,
                    version_name_prefixes: raw.version_name_prefixes,
                    package_name_prefixes: raw.package_name_prefixes,
                    older_than: span(raw.older_than)?,
                    newer_than: span(raw.newer_than)?,
                })
            }
            (None, Some(_)) if raw.action == Action::Delete => return Err(PolicyProblem::DeletesByCount(id)),
            (None, Some(raw)) => Which::MostRecent { packages: raw.package_name_prefixes, count: raw.keep_count },
            _ => return Err(PolicyProblem::Which(id)),
        };
        Ok(Self { id, action: raw.action, which })
    }

    /// Whether it fits the version; none if that is not determined.
    pub(super) fn fits(&self, version: &Version, rank: Rank, now: Timestamp) -> Option<bool> {
        let (packages, fits) = match &self.which {
            Which::Condition(condition) => (&condition.package_name_prefixes, condition.fits(version, now)),
            Which::MostRecent { packages, count } => match (rank.least < *count, rank.most < *count) {
                (true, false) => (packages, None),
                (recent, _) => (packages, Some(recent)),
            },
        };
        match (fits, is_among(&version.package, packages)) {
            (Some(false), _) | (_, Some(false)) => Some(false),
            (Some(true), Some(true)) => Some(true),
            (None, _) | (_, None) => None,
        }
    }

    /// Whether its prefixes of tags may go for nothing: they stand beside any state of tags.
    pub(in super::super) fn has_idle_prefixes(&self) -> bool {
        matches!(&self.which, Which::Condition(condition) if condition.has_idle_prefixes())
    }

    /// Whether it is, or may be, for versions that have tags, and for those whose tag begins so, and for this package at all.
    pub(in super::super) fn may_fit_tagged(&self, tag: &str, package: &str) -> bool {
        let Which::Condition(condition) = &self.which else { return false };
        let tags = &condition.tag_prefixes;
        condition.tag_state != TagState::Untagged
            && (condition.has_idle_prefixes() || begins(tag, tags) || tags.iter().any(|prefix| prefix.starts_with(tag)))
            && is_among(package, &condition.package_name_prefixes) != Some(false)
    }
}

impl Condition {
    /// Whether all of it is true but for the package; none if that hangs on prefixes that may go for nothing.
    fn fits(&self, version: &Version, now: Timestamp) -> Option<bool> {
        let age = now.duration_since(version.uploaded);
        let state = match self.tag_state {
            TagState::Any => true,
            TagState::Tagged => !version.tags.is_empty(),
            TagState::Untagged => version.tags.is_empty(),
        };
        let others = state
            && begins(&version.name, &self.version_name_prefixes)
            && self.older_than.is_none_or(|span| age > span)
            && self.newer_than.is_none_or(|span| age < span);
        let begins_so = self.tag_prefixes.is_empty() || version.tags.iter().any(|tag| begins(tag, &self.tag_prefixes));
        match others && !begins_so && self.has_idle_prefixes() {
            true => None,
            false => Some(others && begins_so),
        }
    }

    fn has_idle_prefixes(&self) -> bool {
        self.tag_state == TagState::Any && !self.tag_prefixes.is_empty()
    }

    /// Whether it is true of everything in the package that has a tag which begins so.
    fn has_all_with(&self, tag: &str, package: &str) -> bool {
        self.tag_state != TagState::Untagged
            && begins(tag, &self.tag_prefixes)
            && begins(DIGESTS, &self.version_name_prefixes)
            && is_among(package, &self.package_name_prefixes) == Some(true)
            && self.older_than.is_none()
            && self.newer_than.is_none()
    }
}

/// How the name of every version begins in a container repository.
const DIGESTS: &str = "sha256:";

/// Whether a package is one of those with these prefixes. The API escapes slashes in a package's name, and it is not documented
/// which of the two spellings prefixes are held against.
fn is_among(package: &str, prefixes: &[String]) -> Option<bool> {
    let (plain, escaped) = (begins(package, prefixes), begins(&package.replace('/', "%2F"), prefixes));
    (plain == escaped).then_some(plain)
}

/// Whether the text begins with one of the prefixes, if there are any.
fn begins(text: &str, prefixes: &[String]) -> bool {
    prefixes.is_empty() || prefixes.iter().any(|prefix| text.starts_with(prefix.as_str()))
}

/// A span as protocol buffers write it in JSON: seconds with `s` behind.
fn span(text: &str) -> Option<SignedDuration> {
    let seconds = text.strip_suffix('s')?;
    let (whole, fraction) = seconds.split_once('.').unwrap_or((seconds, ""));
    let digits = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit());
    if whole.is_empty() || !digits(whole) || !digits(fraction) || fraction.len() > 9 {
        return None;
    }
    let nanoseconds = format!("{fraction:0<9}").parse().ok()?;
    Some(SignedDuration::new(whole.parse().ok()?, nanoseconds))
}
