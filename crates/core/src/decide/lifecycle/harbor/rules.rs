//! A repository's rules, read, and the jobs that they make of it.

use jiff::Timestamp;
use semver::Version;

use super::immutability::{self, NestedNames};
use super::job::{Job, Outcome};
use super::launch::{Launch, launch};
use super::policy::{ImmutableRule, RetentionPolicy, RetentionRule};
use super::template::Template;
use crate::model::{HarborArtifact, HarborRepository, Setting};

/// What was read of a project's documents.
#[derive(Debug, Clone, PartialEq)]
pub struct Rules {
    /// None: the project has none.
    pub policy: Option<RetentionPolicy>,
    /// In order.
    pub immutable: Vec<ImmutableRule>,
}

impl Rules {
    /// Reads them; the error says what could not be.
    pub fn read(repository: &HarborRepository) -> Result<Self, String> {
        let policy = match &repository.policy {
            Setting::Unset => None,
            Setting::Text(text) => Some(RetentionPolicy::parse(text)?),
            Setting::Unknown => return Err("the project's retention policy could not be read".to_owned()),
        };
        let immutable = match &repository.immutable {
            Setting::Unset => Vec::new(),
            Setting::Text(text) => ImmutableRule::parse_all(text)?,
            Setting::Unknown => return Err("the project's immutability rules could not be read".to_owned()),
        };
        Ok(Self { policy, immutable })
    }

    /// What an execution makes of the repository.
    #[must_use]
    pub fn launch(&self, repository: &HarborRepository) -> Launch<'_> {
        let Some(policy) = &self.policy else { return Launch::Untouched };
        let neighbours = repository.neighbours.iter().map(|name| &**name);
        let all: Vec<&str> = neighbours.chain([&*repository.name]).collect();
        launch(policy, &repository.project, &all, &repository.name)
    }

    /// Its job at a moment.
    pub(super) fn job<'a>(
        &'a self,
        repository: &'a HarborRepository,
        rules: &'a [&'a RetentionRule],
        artifacts: &'a [HarborArtifact],
        now: Timestamp,
    ) -> Job<'a> {
        Job {
            project: &repository.project,
            repository: &repository.name,
            algorithm: self.policy.as_ref().map_or("", |policy| &policy.algorithm),
            rules,
            immutable: &self.immutable,
            names: NestedNames::Whole,
            artifacts,
            now,
        }
    }

    /// How the server may name the repository to its immutability rules.
    pub(super) fn ways_of_naming(&self, repository: &HarborRepository) -> &'static [NestedNames] {
        behaviours(repository.version.as_deref())
    }

    /// What a job of these rules comes to.
    #[must_use]
    pub fn outcome(&self, repository: &HarborRepository, rules: &[&RetentionRule], now: Timestamp) -> Outcome {
        self.job(repository, rules, &repository.artifacts, now).run()
    }

    /// Whether no run takes an artifact with these tags, whichever of the versions that it may be the server is.
    pub(super) fn locks(&self, repository: &HarborRepository, tags: &[&str]) -> bool {
        let in_the_core = |tag: &&str| immutability::in_the_core(&self.immutable, &repository.name, tag);
        let in_the_job =
            |names: &NestedNames| immutability::in_the_job(&self.immutable, *names, &repository.name, tags);
        tags.iter().any(in_the_core) || self.ways_of_naming(repository).iter().all(in_the_job)
    }
}

/// How a server of this version may name nested repositories to its immutability rules: the fault was mended after 2.15.2,
/// and the release that has it mended is not known (J26).
fn behaviours(version: Option<&str>) -> &'static [NestedNames] {
    let plain = version.and_then(|text| text.trim_start_matches('v').split('-').next());
    match plain.and_then(|text| Version::parse(text).ok()) {
        Some(version) if version <= Version::new(2, 15, 2) => &[NestedNames::Stripped],
        Some(version) if version >= Version::new(2, 16, 0) => &[NestedNames::Whole],
        _ => &[NestedNames::Stripped, NestedNames::Whole],
    }
}

/// Whether a rule counts artifacts, so that a pin of one can cost another its place.
#[must_use]
pub fn any_counts(rules: &[&RetentionRule]) -> bool {
    rules.iter().any(|rule| Template::build(rule).is_ok_and(Template::counts))
}
