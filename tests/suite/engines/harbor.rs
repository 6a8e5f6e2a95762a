//! Harbor: a retention run over one repository (J11-J30), and the garbage collection that deletes what has no tag (J32).

use std::collections::BTreeSet;

use serde_json::Value;

use super::pattern::glob;

/// What the job that retains sees and does.
#[derive(Debug, Clone)]
pub(crate) struct Harbor {
    pub(crate) project: String,
    pub(crate) repository: String,
    /// Seconds since 1970, and the rest.
    pub(crate) now: (i64, i64),
    pub(crate) algorithm: String,
    pub(crate) rules: Vec<Rule>,
    pub(crate) immutable: Vec<Rule>,
    /// In the order of the listing.
    pub(crate) artifacts: Vec<Artifact>,
    /// Up to 2.15.2 retention's own look at immutable tags strips a name's first segment (J26).
    pub(crate) strips: bool,
}

/// A rule of either kind.
#[derive(Debug, Clone, Default)]
pub(crate) struct Rule {
    pub(crate) id: i64,
    pub(crate) disabled: bool,
    pub(crate) action: String,
    pub(crate) template: String,
    pub(crate) params: Value,
    pub(crate) tags: Vec<Selector>,
    /// None: not said.
    pub(crate) repositories: Vec<Selector>,
}

#[derive(Debug, Clone, Default)]
pub(crate) struct Selector {
    pub(crate) kind: String,
    pub(crate) decoration: String,
    pub(crate) pattern: String,
    pub(crate) extras: String,
}

#[derive(Debug, Clone, Default)]
pub(crate) struct Artifact {
    pub(crate) digest: String,
    /// Seconds before or after now; never pulled: [`NEVER`].
    pub(crate) pushed: i64,
    pub(crate) pulled: i64,
    pub(crate) tags: Vec<Tag>,
    /// Whether an index names it.
    pub(crate) referenced: bool,
}

#[derive(Debug, Clone)]
pub(crate) struct Tag {
    pub(crate) name: String,
    pub(crate) pushed: i64,
    pub(crate) pulled: i64,
}

pub(crate) const NEVER: i64 = -62_135_596_800;

/// What becomes of one row.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Verdict {
    Retained,
    Deleted,
    Immutable,
    /// The core refused.
    Refused,
}

/// What the job makes of the rules.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Outcome {
    /// No enabled rule takes this repository.
    Untouched,
    /// The run fails, and deletes nothing.
    Error,
    Rows(Vec<Verdict>),
}

impl Harbor {
    /// A real run, or a dry one.
    pub(crate) fn retain(&self, dry: bool) -> Outcome {
        let enabled = self.rules.iter().filter(|rule| !rule.disabled);
        let launchable = |rule: &&Rule| rule.repositories.iter().all(Selector::is_known);
        if !enabled.clone().all(|rule| launchable(&rule)) {
            return Outcome::Error;
        }
        let takes = |rule: &&Rule| rule.repositories.iter().all(|selector| selector.takes_name(&self.repository));
        let rules: Vec<&Rule> = enabled.filter(takes).collect();
        if rules.is_empty() {
            return Outcome::Untouched;
        }
        if self.algorithm != "or" || !rules.iter().all(|rule| rule.can_be_built()) {
            return Outcome::Error;
        }
        let rules: Vec<&Rule> = rules.into_iter().filter(|rule| !rule.tags.is_empty()).collect();
        let mut retained: BTreeSet<&str> = BTreeSet::new();
        for rule in &rules {
            let selected = self
                .artifacts
                .iter()
                .filter(|artifact| rule.tags.iter().all(|selector| self.takes(selector, artifact)));
            retained.extend(self.kept(rule, selected.collect()).into_iter().map(|artifact| artifact.digest.as_str()));
        }
        // Rules without a selector are dropped; where none is left, nothing is deleted (J.0).
        let all = rules.is_empty();
        Outcome::Rows(self.perform(&|artifact| all || retained.contains(artifact.digest.as_str()), dry))
    }

    /// A selector of tags may look at the repository, too, or at the project.
    fn takes(&self, selector: &Selector, artifact: &Artifact) -> bool {
        match selector.decoration.as_str() {
            "repoMatches" | "repoExcludes" => selector.takes_name(&self.repository),
            "nsMatches" => glob(&selector.pattern, &self.project),
            "nsExcludes" => !glob(&selector.pattern, &self.project),
            _ => selector.takes(&names_of(artifact)),
        }
    }

    /// What the rule's template keeps of the selected.
    fn kept<'a>(&self, rule: &Rule, mut selected: Vec<&'a Artifact>) -> Vec<&'a Artifact> {
        let number = |default: i64| rule.number(default);
        let newest = |selected: &mut Vec<&'a Artifact>, key: &dyn Fn(&Artifact) -> i64, count: i64| {
            selected.sort_by_key(|artifact| std::cmp::Reverse(key(artifact)));
            selected.truncate(usize::try_from(count).unwrap_or(usize::MAX));
        };
        match rule.template.as_str() {
            "always" => {}
            "latestPushedK" => newest(&mut selected, &Artifact::pushed, number(10)),
            "latestPulledN" => newest(&mut selected, &Artifact::pulled, number(10)),
            "latestActiveK" => newest(&mut selected, &|one| one.pushed().max(one.pulled()), number(10)),
            // Nanoseconds wrap around (J17).
            "lastXDays" => {
                let hours = number(10).wrapping_mul(-24);
                let (seconds, nanos) = self.before(hours);
                selected.retain(|artifact| (artifact.pushed(), 0) > (seconds, nanos));
            }
            template => {
                let (cutoff, _) = self.before(number(30).wrapping_mul(-24));
                let pushed = template == "nDaysSinceLastPush";
                selected.retain(|artifact| if pushed { artifact.pushed() } else { artifact.pulled() } >= cutoff);
            }
        }
        selected
    }

    /// The moment so many hours from now, relative to now's whole second.
    fn before(&self, hours: i64) -> (i64, i64) {
        let nanos = i128::from(hours.wrapping_mul(3_600_000_000_000)) + i128::from(self.now.1);
        let second = i128::from(1_000_000_000);
        (i64::try_from(nanos.div_euclid(second)).unwrap(), i64::try_from(nanos.rem_euclid(second)).unwrap())
    }

    fn perform(&self, is_retained: &dyn Fn(&Artifact) -> bool, dry: bool) -> Vec<Verdict> {
        let seen = match self.repository.split_once('/').filter(|_| self.strips) {
            Some((_, rest)) => rest,
            None => &self.repository,
        };
        let mut verdicts = Vec::new();
        let mut gone: BTreeSet<&str> = BTreeSet::new();
        let mut refused: BTreeSet<&str> = BTreeSet::new();
        for artifact in &self.artifacts {
            verdicts.push(if is_retained(artifact) {
                Verdict::Retained
            } else if self.is_immutable(seen, &names_of(artifact)) {
                Verdict::Immutable
            } else if dry {
                Verdict::Deleted
            } else {
                let locked = |tag: &Tag| self.is_immutable(&self.repository, &[tag.name.as_str()]);
                if artifact.referenced || artifact.tags.iter().any(locked) || !gone.insert(&artifact.digest) {
                    refused.insert(&artifact.digest);
                }
                Verdict::Deleted
            });
        }
        // Two rows of one artifact are reported alike, and the second call met a 404 (J43).
        for (verdict, artifact) in verdicts.iter_mut().zip(&self.artifacts) {
            if *verdict == Verdict::Deleted && refused.contains(artifact.digest.as_str()) {
                *verdict = Verdict::Refused;
            }
        }
        verdicts
    }

    /// Rules are tried by their number; only the first selector of each kind counts, and the first error ends it: nothing
    /// more is immutable then (J25, J27).
    pub(crate) fn is_immutable(&self, repository: &str, tags: &[&str]) -> bool {
        let mut rules: Vec<&Rule> = self.immutable.iter().filter(|rule| !rule.disabled).collect();
        rules.sort_by_key(|rule| rule.id);
        for rule in rules {
            let (Some(tag), Some(name)) = (rule.tags.first(), rule.repositories.first()) else { continue };
            if !tag.is_known() || !name.is_known() {
                return false;
            }
            // What has no tag is taken by `excludes` alone (J27).
            let bare = |selector: &Selector| Selector { extras: "{}".to_owned(), ..selector.clone() };
            if bare(name).takes_name(repository) && bare(tag).takes(tags) {
                return true;
            }
        }
        false
    }
}

fn names_of(artifact: &Artifact) -> Vec<&str> {
    artifact.tags.iter().map(|tag| tag.name.as_str()).collect()
}

impl Artifact {
    /// A tag's push is a push of the artifact (J12, guide 115).
    fn pushed(&self) -> i64 {
        self.tags.iter().map(|tag| tag.pushed).fold(self.pushed, i64::max)
    }

    fn pulled(&self) -> i64 {
        self.tags.iter().map(|tag| tag.pulled).fold(self.pulled, i64::max)
    }
}

impl Rule {
    fn can_be_built(&self) -> bool {
        let known = [
            "always",
            "latestPushedK",
            "latestPulledN",
            "latestActiveK",
            "lastXDays",
            "nDaysSinceLastPush",
            "nDaysSinceLastPull",
        ];
        let has_number = self.template == "always" || self.params.get(&self.template).is_some();
        let selectors = self.tags.iter().all(Selector::is_known);
        known.contains(&self.template.as_str()) && has_number && self.action == "retain" && selectors
    }

    /// The rule's number. What is none, or less than none, is the default (J.0); a fraction is cut off.
    fn number(&self, default: i64) -> i64 {
        let whole = |number: f64| if number.abs() < 9.2e18 { number as i64 } else { i64::MIN };
        let given = self.params.get(&self.template).and_then(Value::as_f64).map(whole);
        given.filter(|number| *number >= 0).unwrap_or(default)
    }
}

impl Selector {
    fn is_known(&self) -> bool {
        self.kind == "doublestar"
            && matches!(
                self.decoration.as_str(),
                "repoMatches" | "repoExcludes" | "matches" | "excludes" | "nsMatches" | "nsExcludes"
            )
    }

    fn takes_name(&self, name: &str) -> bool {
        match self.decoration.as_str() {
            "repoMatches" => glob(&self.pattern, name),
            "repoExcludes" => !glob(&self.pattern, name),
            "matches" => self.untagged(),
            "excludes" => !self.untagged(),
            _ => false,
        }
    }

    /// `matches`: some tag does; `excludes`: some tag does not (guide 114).
    fn takes(&self, tags: &[&str]) -> bool {
        match self.decoration.as_str() {
            "matches" if tags.is_empty() => self.untagged(),
            "matches" => tags.iter().any(|tag| glob(&self.pattern, tag)),
            "excludes" if tags.is_empty() => !self.untagged(),
            "excludes" => tags.iter().any(|tag| !glob(&self.pattern, tag)),
            _ => false,
        }
    }

    /// What `extras` say of untagged ones (J21).
    fn untagged(&self) -> bool {
        let default = self.decoration != "excludes";
        match serde_json::from_str::<Value>(&self.extras) {
            Ok(Value::Null) => false,
            Ok(Value::Object(said)) => {
                let said: Vec<&Value> =
                    said.iter().filter(|(key, _)| key.eq_ignore_ascii_case("untagged")).map(|(_, said)| said).collect();
                match said.last() {
                    None | Some(Value::Null) => false,
                    Some(Value::Bool(said)) => *said,
                    Some(_) => default,
                }
            }
            _ => default,
        }
    }
}
