//! What a policy for a registry may say, by the tags that are there: families of names that look like releases, and names that
//! move. It is a proposal: what runs is better evidence than names.

use std::collections::BTreeMap;

use super::order::Version;
use super::rules::is_watched;
use crate::model::ObservedTag;

/// So many families and names are proposed, those of most tags first.
const MOST: usize = 5;

/// What stands in front of the number where a build is no release.
const NO_RELEASES: [&str; 12] =
    ["dev", "test", "tmp", "pr", "mr", "ci", "build", "snapshot", "nightly", "feature", "branch", "sandbox"];

/// Names that point at what runs, wherever people have such a name.
const POINTERS: [&str; 4] = ["prod", "production", "live", "stable"];

/// Tags of one family.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Family {
    /// Matches them, as a policy writes it.
    pub pattern: String,
    /// How many were seen.
    pub count: usize,
    /// One of them.
    pub example: String,
}

/// What is proposed.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Proposal {
    /// Families that look like releases, those of most tags first.
    pub releases: Vec<Family>,
    /// Names that may point at what runs.
    pub pointers: Vec<String>,
    /// Names without a number: they move.
    pub moving: Vec<String>,
    /// How many tags are neither.
    pub others: usize,
    /// One of these.
    pub other: Option<String>,
}

/// Takes tags in, and forgets them.
#[derive(Debug, Default)]
pub struct Proposer {
    families: BTreeMap<String, Family>,
    names: BTreeMap<String, usize>,
    proposal: Proposal,
}

/// More kinds of names than this tell nobody anything (I20).
const MOST_KINDS: usize = 10_000;

impl Proposer {
    /// One more tag. Pins, and tags that attach something to a digest, are no names of anybody's.
    pub fn take(&mut self, tag: &ObservedTag) {
        if is_watched(&tag.name) {
            self.take_label(tag.label());
        }
    }

    fn take_label(&mut self, label: &str) {
        let has_room = self.families.len() + self.names.len() < MOST_KINDS;
        if let Some(pattern) = pattern_of(label).filter(|pattern| has_room || self.families.contains_key(pattern)) {
            let new = || Family { pattern: pattern.clone(), count: 0, example: label.to_owned() };
            self.families.entry(pattern.clone()).or_insert_with(new).count += 1;
        } else if is_name(label) && (has_room || self.names.contains_key(label)) {
            *self.names.entry(label.to_owned()).or_default() += 1;
        } else {
            self.proposal.others += 1;
            self.proposal.other.get_or_insert_with(|| label.to_owned());
        }
    }

    /// What these tags come to.
    #[must_use]
    pub fn finish(self) -> Proposal {
        let Self { families, names, mut proposal } = self;
        proposal.releases = families.into_values().collect();
        proposal.releases.sort_by(|a, b| b.count.cmp(&a.count).then_with(|| a.pattern.cmp(&b.pattern)));
        proposal.releases.truncate(MOST);
        let mut names: Vec<(String, usize)> = names.into_iter().collect();
        names.sort_by(|(a, of_a), (b, of_b)| of_b.cmp(of_a).then_with(|| a.cmp(b)));
        let names = names.into_iter().map(|(name, _)| name);
        (proposal.pointers, proposal.moving) = names.partition(|name| POINTERS.contains(&name.as_str()));
        proposal.pointers.truncate(MOST);
        proposal.moving.truncate(MOST);
        proposal
    }
}

/// The pattern of a tag that looks like a release: what stands in front of its number, and any number.
fn pattern_of(label: &str) -> Option<String> {
    let version = Version::read(label).filter(|version| version.conventional)?;
    let front = &label[..version.span.0];
    let word = front.trim_end_matches(['-', '_', '.']).to_ascii_lowercase();
    let last = word.rsplit(['-', '_', '.', '/']).next().unwrap_or_default();
    let is_release = is_plain(label) && !NO_RELEASES.contains(&last) && !NO_RELEASES.contains(&word.as_str());
    is_release.then(|| format!("{front}[0-9]*"))
}

/// Whether a policy and a comment can hold it as it is.
fn is_plain(label: &str) -> bool {
    !label.is_empty()
        && label.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.' | b'+'))
}

fn is_name(label: &str) -> bool {
    is_plain(label) && !label.bytes().any(|byte| byte.is_ascii_digit())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn propose<'l>(labels: impl IntoIterator<Item = &'l str>) -> Proposal {
        let mut proposer = Proposer::default();
        labels.into_iter().for_each(|label| proposer.take_label(label));
        proposer.finish()
    }

    #[test]
    fn families_of_releases_and_names_that_move_are_told_apart() {
        let labels = [
            "v1.0.0",
            "v1.1.0",
            "v1.2.0-rc.1",
            "2.0.1",
            "release-3.4",
            "latest",
            "latest",
            "main",
            "prod",
            "dev-1.2.3",
            "pr-17",
            "4f2a91c",
            "a b",
            "",
        ];
        let proposal = propose(labels);
        let families: Vec<(&str, usize, &str)> =
            proposal.releases.iter().map(|family| (&*family.pattern, family.count, &*family.example)).collect();
        assert_eq!(families, [("v[0-9]*", 3, "v1.0.0"), ("[0-9]*", 1, "2.0.1"), ("release-[0-9]*", 1, "release-3.4")]);
        assert_eq!(
            (proposal.pointers, proposal.moving),
            (vec!["prod".to_owned()], vec!["latest".to_owned(), "main".to_owned()])
        );
        assert_eq!((proposal.others, proposal.other.as_deref()), (5, Some("dev-1.2.3")));
        assert_eq!(propose([]), Proposal::default());
    }

    #[test]
    fn what_is_proposed_matches_what_was_seen() {
        for label in ["v1", "v1.2.3", "1.2.3", "release-3.4", "app_1.2.3", "V2.0"] {
            let proposal = propose([label]);
            let [family] = &proposal.releases[..] else { panic!("{label}: {proposal:?}") };
            let patterns = crate::model::NamePatterns::new([&family.pattern]).unwrap();
            assert!(patterns.matches(label), "{label}: {family:?}");
        }
    }
}
