//! A zot repository as its garbage collection sees it: what lies in it, what zot's database knows of it, and the settings
//! that decide what stays. zot serves its settings nowhere; they come from its configuration file (K55).

use std::collections::{BTreeMap, BTreeSet};

use jiff::{SignedDuration, Timestamp};

use super::{Digest, RepositoryName, Tag};

/// Everything that zot's garbage collection of one repository depends on.
#[derive(Debug, Clone, PartialEq)]
pub struct ZotRepository {
    /// Its name within the registry, with which the patterns of policies are compared.
    pub name: RepositoryName,
    /// What is set for all repositories.
    pub settings: ZotSettings,
    /// Every manifest whose bytes are there, in the order in which `index.json` names them; those that it does not name
    /// anywhere.
    pub manifests: Vec<ZotManifest>,
    /// Tags that zot's database knows beside those that `index.json` names.
    pub tags_only_in_database: BTreeMap<Tag, Digest>,
    /// Tags that `index.json` names and zot's database does not know.
    pub tags_missing_in_database: BTreeSet<Tag>,
    /// Tags of which it is not known what they name. They take places all the same.
    pub unresolved: BTreeSet<Tag>,
    /// Whether `ZotManifest::used` is what zot's database says. Where nobody knows when tags were pushed and pulled, what a
    /// rule by count or time keeps is open.
    pub knows_use: bool,
}

/// What zot's configuration file says of garbage collection and retention.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ZotSettings {
    /// `gc`: whether anything is collected at all.
    pub collects: bool,
    /// Whether zot keeps a database. A server whose policies have a rule by count or time makes one by itself.
    pub has_database: bool,
    /// `retention.dryRun`: what would be removed is logged only.
    pub dry_run: bool,
    /// `gcDelay`: the age that bytes which nothing refers to must have.
    pub delay: SignedDuration,
    /// `retention.delay`: the age that manifests without a tag and referrers must have.
    pub retention_delay: SignedDuration,
    /// `retention.policies`. The first one that has the repository is the only one that applies.
    pub policies: Vec<ZotPolicy>,
}

/// One of the policies.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ZotPolicy {
    /// Patterns of repository names.
    pub repositories: Vec<String>,
    /// `deleteReferrers`: whether what refers to something that is not there goes.
    pub delete_referrers: bool,
    /// `deleteUntagged`; if it does not say, manifests without a tag go.
    pub delete_untagged: Option<bool>,
    /// `keepTags`: a tag falls to the first of them that it matches; one that matches none goes. Without any, tags stay.
    pub keep_tags: Vec<ZotKeep>,
    /// `keepUntagged`: which manifests without a tag stay.
    pub keep_untagged: Option<ZotKeep>,
}

/// What stays, by rules of which one is enough. Without any rule everything stays that is matched.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ZotKeep {
    /// Regular expressions of tags; none match every tag.
    pub patterns: Vec<String>,
    /// `pulledWithin`: pulled, or pushed, so recently.
    pub pulled_within: Option<SignedDuration>,
    /// `pushedWithin`: pushed so recently.
    pub pushed_within: Option<SignedDuration>,
    /// `mostRecentlyPushedCount`: so many that were pushed last; nought is no rule.
    pub pushed_count: i64,
    /// `mostRecentlyPulledCount`: so many that were pulled last; nought is no rule.
    pub pulled_count: i64,
}

/// One manifest whose bytes are there.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ZotManifest {
    /// Its identity.
    pub digest: Digest,
    /// What it lists, there or not, if it is an index.
    pub children: Vec<Digest>,
    /// What it refers to.
    pub subject: Option<Digest>,
    /// Every tag that names it in `index.json`.
    pub tags: Vec<Tag>,
    /// Whether `index.json` names it although it has no tag. What only an index lists, it need not name.
    pub is_listed: bool,
    /// When its bytes were written last: what the delays are counted from.
    pub written: Timestamp,
    /// What zot's database counted for its digest; none if it knows nothing of it.
    pub used: Option<ZotUse>,
}

/// When a digest was used, by zot's database. The digest has these times, not the tag: what is tagged again is not newer.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct ZotUse {
    /// When it was pushed last; none if never.
    pub pushed: Option<Timestamp>,
    /// When it was pulled last; none if never. Reading the manifest by GET is a pull, an audit's too.
    pub pulled: Option<Timestamp>,
}
