//! A retention job: the rules over one repository's artifacts (J12-J15).

use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;

use super::failure::Failure;
use super::immutability::NestedNames;
use super::policy::{ImmutableRule, RetentionRule};
use super::removal::{self, Table};
use super::selector::{Candidate, Selector};
use super::template::Template;
use super::times::Times;
use crate::model::{Digest, HarborArtifact};

/// All that a job depends on.
#[derive(Debug, Clone, Copy)]
pub struct Job<'a> {
    /// The project's name.
    pub project: &'a str,
    /// The repository's, without the project.
    pub repository: &'a str,
    /// How the policy joins rules.
    pub algorithm: &'a str,
    /// Those that take this repository.
    pub rules: &'a [&'a RetentionRule],
    /// The project's, in order.
    pub immutable: &'a [ImmutableRule],
    /// How the job names the repository to them.
    pub names: NestedNames,
    /// In the order of the listing. A push between two pages repeats a row (J16).
    pub artifacts: &'a [HarborArtifact],
    /// When the job evaluates.
    pub now: Timestamp,
}

/// What a job comes to.
#[derive(Debug, Clone, PartialEq)]
pub enum Outcome {
    /// It runs.
    Ran(Run),
    /// It fails, and nothing is deleted.
    Failed {
        /// Why.
        failure: Failure,
        /// What it does instead where the failure gets lost: it succeeds, as if the rule had never been (J14).
        if_lost: Option<Run>,
    },
}

/// What the rules of a job retain.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Run {
    /// Whether no rule has a selector: nothing is looked at then, and nothing deleted (J.0).
    pub is_idle: bool,
    /// By artifact, the rules that retain it, by their place in the job.
    pub retained: BTreeMap<Digest, BTreeSet<usize>>,
    /// Artifacts that are retained or not by the order among equals.
    pub open: BTreeSet<Digest>,
}

/// A rule that can be carried out.
struct Built {
    template: Template,
    selectors: Vec<Selector>,
}

/// The rows that one rule looks at.
pub(super) struct Standing {
    /// Its place in the job.
    pub(super) place: usize,
    pub(super) template: Template,
    pub(super) selected: Result<Vec<usize>, Failure>,
}

/// The rows that one rule retains, and of its artifacts those that hang on the order among equals.
struct Kept {
    rows: Vec<usize>,
    open: BTreeSet<Digest>,
}

impl Job<'_> {
    /// Evaluates all rules.
    #[must_use]
    pub fn run(&self) -> Outcome {
        let built = match self.build() {
            Ok(built) => built,
            Err(failure) => return Outcome::Failed { failure, if_lost: None },
        };
        // Nobody asks a rule about nothing, however malformed its pattern.
        if self.artifacts.is_empty() {
            return Outcome::Ran(Run { is_idle: true, ..Run::default() });
        }
        let times: Vec<Times> = self.artifacts.iter().map(Times::of).collect();
        let mut kept: BTreeMap<usize, Kept> = BTreeMap::new();
        let mut failed: Option<Failure> = None;
        for Standing { place, template, selected } in self.select(&built) {
            match selected {
                Ok(selected) => drop(kept.insert(place, self.kept(template, selected, &times))),
                Err(failure) => drop(failed.get_or_insert(failure)),
            }
        }
        let run = self.union(&kept);
        match failed {
            None => Outcome::Ran(run),
            Some(failure) => Outcome::Failed { failure, if_lost: Some(run) },
        }
    }

    /// What each rule looks at that has a selector at all.
    pub(super) fn standings(&self) -> Result<Vec<Standing>, Failure> {
        Ok(self.select(&self.build()?))
    }

    /// What a run does with the artifacts; `is_dry`: only what it says.
    #[must_use]
    pub fn table(&self, run: &Run, is_dry: bool) -> Table {
        removal::table(self, run, is_dry)
    }

    /// Every rule, template and action before selectors, and the algorithm last.
    fn build(&self) -> Result<Vec<Built>, Failure> {
        let built: Result<Vec<Built>, Failure> = self.rules.iter().map(|rule| Built::build(rule)).collect();
        let built = built?;
        if self.algorithm == "or" { Ok(built) } else { Err(Failure::AlgorithmUnknown) }
    }

    fn select(&self, built: &[Built]) -> Vec<Standing> {
        let names = self.artifacts.iter().map(|artifact| artifact.tags.iter().map(|tag| &*tag.name).collect());
        let names: Vec<Vec<&str>> = names.collect();
        let rules = built.iter().enumerate().filter(|(_, rule)| !rule.selectors.is_empty());
        let standing = |(place, rule): (usize, &Built)| Standing {
            place,
            template: rule.template,
            selected: self.selected(&rule.selectors, &names),
        };
        rules.map(standing).collect()
    }

    fn selected(&self, selectors: &[Selector], names: &[Vec<&str>]) -> Result<Vec<usize>, Failure> {
        let mut selected: Vec<usize> = (0..names.len()).collect();
        for selector in selectors {
            let mut next = Vec::new();
            for row in selected {
                let tags = &names[row];
                if selector.takes(&Candidate { project: self.project, repository: self.repository, tags })? {
                    next.push(row);
                }
            }
            selected = next;
        }
        Ok(selected)
    }

    fn kept(&self, template: Template, selected: Vec<usize>, times: &[Times]) -> Kept {
        let (rows, open) = template.keep(selected, times, self.now);
        let mut copies: BTreeMap<&Digest, usize> = BTreeMap::new();
        for row in &open.rows {
            *copies.entry(&self.artifacts[*row].digest).or_default() += 1;
        }
        // One with more rows than are left out has its place in any order.
        let open = copies.into_iter().filter(|(_, copies)| *copies <= open.left_out);
        Kept { rows, open: open.map(|(digest, _)| digest.clone()).collect() }
    }

    /// What any rule retains. A row stands for its artifact, however many rows that has.
    fn union(&self, kept: &BTreeMap<usize, Kept>) -> Run {
        let mut run = Run { is_idle: kept.is_empty(), ..Run::default() };
        let mut sure: BTreeSet<&Digest> = BTreeSet::new();
        for (place, kept) in kept {
            for row in &kept.rows {
                let digest = &self.artifacts[*row].digest;
                run.retained.entry(digest.clone()).or_default().insert(*place);
                if !kept.open.contains(digest) {
                    sure.insert(digest);
                }
            }
        }
        let open = kept.values().flat_map(|kept| &kept.open);
        run.open = open.filter(|digest| !sure.contains(digest)).cloned().collect();
        run
    }
}

impl Built {
    fn build(rule: &RetentionRule) -> Result<Self, Failure> {
        let template = Template::build(rule)?;
        match rule.action.as_str() {
            "retain" => {}
            "" => return Err(Failure::ActionEmpty),
            _ => return Err(Failure::ActionNotRegistered),
        }
        let selectors: Result<Vec<Selector>, Failure> = rule.tag_selectors.iter().map(Selector::build).collect();
        Ok(Self { template, selectors: selectors? })
    }
}

impl Run {
    /// Whether the artifact stays by a rule, or because nothing is deleted at all.
    #[must_use]
    pub fn retains(&self, digest: &Digest) -> bool {
        self.is_idle || self.retained.contains_key(digest)
    }
}
