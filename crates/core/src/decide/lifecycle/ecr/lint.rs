//! What a valid policy does that its author will hardly have meant.

use std::collections::BTreeSet;

use super::claim::{Claim, is_ample};
use super::coverage::RuleCoverage;
use super::rule::{Count, Rule, RuleAction, StorageClass, TagRule};
use super::{Lifecycle, MAX_RULES, MAX_TEXT, Repository};
use crate::model::{ImageStatus, Pin};

/// One thing that somebody should look at.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Lint {
    /// The rule's priority, if it is one rule's.
    pub rule: Option<String>,
    /// What kind of thing.
    pub kind: LintKind,
    /// What it is.
    pub message: String,
    /// What to do about it.
    pub remedy: String,
}

/// Every kind of thing that [`lint`] tells.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum LintKind {
    /// No rule claims the pins: every rule that looks at a pinned image may act on it (A51).
    ClaimAbsent,
    /// Another rule comes before the claim rule, and can act on pinned images.
    ClaimNotFirst,
    /// The claim rule keeps hardly more images than there are pins; beyond that it deletes the oldest itself (A51).
    ClaimNearlyFull,
    /// The claim rule acts by age, so that it deletes every pinned image in the end.
    ClaimByAge,
    /// Rules of the archive delete pinned images, which no rule outside the archive shields (A44).
    ArchiveUnclaimed,
    /// The rule looks at nothing.
    MatchesNothing,
    /// Rules before it claim everything that it looks at.
    Shadowed,
    /// The entries of a tag list must all be there (A24).
    PatternsAnded,
    /// A tag pattern stands in two rules; ECR may refuse it (A28).
    PatternRepeated,
    /// The rule looks at every image there is.
    SelectsEverything,
    /// The rule looks at children of an index, which take up places in its count and cannot go (A33).
    ReachesChildren,
    /// The policy is nearly as long as ECR takes, or has nearly as many rules (A7).
    NearLimit,
}

/// What stands out in a policy, on this repository with so many pins: first what concerns the pins, then each rule.
#[must_use]
pub fn lint(lifecycle: &Lifecycle, repository: &Repository<'_>, pins: usize) -> Vec<Lint> {
    let coverage = RuleCoverage::new(lifecycle, repository);
    let inspection = Inspection { rules: lifecycle.rules(), coverage: &coverage, repository, pins: pins as u64 };
    let mut lints = inspection.claim();
    for (index, rule) in inspection.rules.iter().enumerate() {
        lints.extend(inspection.rule(index, rule));
    }
    lints.extend(inspection.limits(lifecycle));
    lints
}

struct Inspection<'a> {
    rules: &'a [Rule],
    coverage: &'a RuleCoverage<'a>,
    repository: &'a Repository<'a>,
    pins: u64,
}

fn new_lint(rule: Option<&Rule>, kind: LintKind, message: impl Into<String>, remedy: impl Into<String>) -> Lint {
    let rule = rule.map(|rule| rule.priority.to_string());
    Lint { rule, kind, message: message.into(), remedy: remedy.into() }
}

const RECOMMENDED: &str = "apply what prodpin recommends, which puts a claim rule in front";

impl Inspection<'_> {
    /// What becomes of the pins.
    fn claim(&self) -> Vec<Lint> {
        let mut lints = Vec::new();
        match Claim::find(self.rules, StorageClass::Standard) {
            Claim { rule: None, rival } => {
                let message = match rival.filter(|rival| rival.claims_every_pin()) {
                    Some(rival) => format!(
                        "rule {} also matches prodpin's pin tags ({}*), and no rule keeps them apart",
                        rival.priority,
                        Pin::PREFIX
                    ),
                    None => format!("no rule claims every image tagged {}*", Pin::PREFIX),
                };
                lints.push(new_lint(None, LintKind::ClaimAbsent, message, RECOMMENDED));
            }
            Claim { rule: Some(claim), rival } => {
                if let Some(rival) = rival {
                    let message = format!("rule {} comes before it and can act on pinned images", rival.priority);
                    lints.push(new_lint(Some(claim), LintKind::ClaimNotFirst, message, RECOMMENDED));
                }
                lints.extend(self.headroom(claim));
            }
        }
        if let Claim { rival: Some(rival), .. } = Claim::find(self.rules, StorageClass::Archive) {
            let message =
                "it deletes archived images; no claim rule outside the archive shields them, and no count can";
            let remedy = format!(
                "put a rule of the archive for {}* before it, with \"sinceImageTransitioned\" and very many days; restore \
                 pinned images that are archived",
                Pin::PREFIX
            );
            lints.push(new_lint(Some(rival), LintKind::ArchiveUnclaimed, message, remedy));
        }
        lints
    }

    fn headroom(&self, claim: &Rule) -> Option<Lint> {
        let Count::MoreThan(keep) = claim.count else {
            let does = if claim.action == RuleAction::Expire { "deletes" } else { "archives" };
            let message = format!("it claims the pins, and {does} them by \"{}\"", claim.count.name());
            return Some(new_lint(Some(claim), LintKind::ClaimByAge, message, RECOMMENDED));
        };
        let pins = self.pins.max(self.counted(claim));
        let message = if keep < pins {
            format!("it keeps {keep} images, but there are {pins} pins: the oldest of them go")
        } else {
            format!("it keeps {keep} images, and there are {pins} pins already")
        };
        let remedy = "raise its \"countNumber\" far above the pins that can come, to 9999 or more";
        (!is_ample(keep, pins)).then(|| new_lint(Some(claim), LintKind::ClaimNearlyFull, message, remedy))
    }

    fn counted(&self, claim: &Rule) -> u64 {
        let index = self.rules.iter().position(|rule| rule.priority == claim.priority);
        index.map_or(0, |index| self.coverage.counted(index))
    }

    fn rule(&self, index: usize, rule: &Rule) -> Vec<Lint> {
        let mut lints = Vec::new();
        let looked_at: Vec<usize> = (0..self.repository.images.len())
            .filter(|image| self.coverage.looks_at(index, *image) && self.is_judged(rule, *image))
            .collect();
        lints.extend(self.anded(rule));
        lints.extend(self.repeated(index, rule));
        if let Some(lint) = self.shadowed(index, rule, &looked_at) {
            lints.push(lint);
        } else if looked_at.is_empty() && self.may_be_expected(rule) {
            let remedy = "correct its tags, or remove it if it is meant for images that come and go";
            lints.push(new_lint(
                Some(rule),
                LintKind::MatchesNothing,
                format!("no image here is among its {}", rule.tags),
                remedy,
            ));
        }
        lints.extend(self.everything(rule, &looked_at));
        lints.extend(self.children(rule, &looked_at));
        lints
    }

    fn is_judged(&self, rule: &Rule, image: usize) -> bool {
        let status = self.repository.images[image].status;
        match rule.class {
            StorageClass::Standard => status != ImageStatus::Archived,
            StorageClass::Archive => status != ImageStatus::Active,
        }
    }

    /// Whether a rule should find something here: not in an empty class, and a claim rule not before the first pin, nor in the
    /// archive, where no pin should be.
    fn may_be_expected(&self, rule: &Rule) -> bool {
        let tagged = !matches!(rule.tags, TagRule::Untagged | TagRule::Any);
        let class = (0..self.repository.images.len()).any(|image| self.is_judged(rule, image));
        tagged && class && !(rule.is_for_pins() && (self.pins == 0 || rule.class == StorageClass::Archive))
    }

    fn shadowed(&self, index: usize, rule: &Rule, looked_at: &[usize]) -> Option<Lint> {
        let remedy = "move it before them, or remove it";
        if let Some(above) = self.rules[..index].iter().find(|above| above.implies(rule)) {
            let message = format!("rule {} claims whatever it looks at, so it never acts", above.priority);
            return Some(new_lint(Some(rule), LintKind::Shadowed, message, remedy));
        }
        // That pins are claimed is the rule's purpose: in a small repository they may be all there is.
        let claimed = |image: &usize| {
            let first = self.coverage.governor(rule.class, *image);
            first.is_some_and(|first| first < index && !self.rules[first].is_for_pins())
        };
        if looked_at.is_empty() || rule.is_for_pins() || !looked_at.iter().all(claimed) {
            return None;
        }
        let message = format!("rules before it claim all {} images that it looks at here", looked_at.len());
        Some(new_lint(Some(rule), LintKind::Shadowed, message, remedy))
    }

    fn anded(&self, rule: &Rule) -> Option<Lint> {
        let entries = rule.entries();
        (entries.len() > 1).then(|| {
            let message = format!("it looks only at images that have a tag for each of {}", entries.join(", "));
            new_lint(Some(rule), LintKind::PatternsAnded, message, "write one rule for each, if one of them is enough")
        })
    }

    fn repeated(&self, index: usize, rule: &Rule) -> Option<Lint> {
        let entries = rule.entries();
        let above = self.rules[..index].iter().filter(|above| above.class == rule.class);
        let twin = above.into_iter().find(|above| above.entries().iter().any(|entry| entries.contains(entry)))?;
        let message = format!("it shares a tag pattern with rule {}", twin.priority);
        Some(new_lint(
            Some(rule),
            LintKind::PatternRepeated,
            message,
            "name each pattern in one rule; ECR may refuse this",
        ))
    }

    fn everything(&self, rule: &Rule, looked_at: &[usize]) -> Option<Lint> {
        let stars = rule.entries().iter().all(|entry| entry.bytes().all(|byte| byte == b'*'));
        let tagged = !matches!(rule.tags, TagRule::Any | TagRule::Untagged) && stars;
        if rule.tags != TagRule::Any && !tagged {
            return None;
        }
        let images = looked_at.len();
        let message = format!("it looks at every image{}, {images} here", if tagged { " with a tag" } else { "" });
        Some(new_lint(Some(rule), LintKind::SelectsEverything, message, "name the tags that it is meant for"))
    }

    fn children(&self, rule: &Rule, looked_at: &[usize]) -> Option<Lint> {
        if !matches!(rule.tags, TagRule::Any | TagRule::Untagged) || !matches!(rule.count, Count::MoreThan(_)) {
            return None;
        }
        let parts: BTreeSet<_> = self.repository.parts.values().flatten().collect();
        let untagged =
            looked_at.iter().map(|image| &self.repository.images[*image]).filter(|image| image.tags.is_empty());
        let children = untagged.filter(|image| parts.contains(&image.digest)).count();
        (children > 0).then(|| {
            let message = format!("{children} of the images that it counts are parts of an index and cannot go alone");
            new_lint(Some(rule), LintKind::ReachesChildren, message, "count releases by their tags, or use an age")
        })
    }

    fn limits(&self, lifecycle: &Lifecycle) -> Option<Lint> {
        let (length, rules) = (lifecycle.length, self.rules.len());
        let near = length * 10 > MAX_TEXT * 9 || rules * 10 > MAX_RULES * 9;
        near.then(|| {
            let message = format!(
                "the policy has {length} of {MAX_TEXT} characters and {rules} of {MAX_RULES} rules that ECR takes"
            );
            new_lint(None, LintKind::NearLimit, message, "shorten descriptions and merge rules")
        })
    }
}
