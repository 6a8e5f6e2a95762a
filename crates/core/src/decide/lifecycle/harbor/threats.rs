//! What comes to delete artifacts of a Harbor repository, and when: runs of tag retention (J11-J24) and garbage collection
//! (J32).

use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;

use super::fate::{Fate, Fates, fates};
use super::launch::Launch;
use super::policy::RetentionRule;
use super::rules::Rules;
use super::schedule::first_run;
use super::template::By;
use crate::model::{Certainty, Digest, Due, Effect, HarborArtifact, HarborCollection, HarborRepository, Threat};

/// A repository and its rules at a moment.
#[derive(Debug, Clone, Copy)]
pub struct Ground<'a> {
    /// What was read of the documents.
    pub rules: &'a Rules,
    /// The repository.
    pub repository: &'a HarborRepository,
    /// Its artifacts, with the pins that are to be judged.
    pub artifacts: &'a [HarborArtifact],
    /// The clock.
    pub now: Timestamp,
}

/// What reaches each artifact; one that is not in it is reached by nothing.
#[must_use]
pub fn threats(ground: &Ground<'_>) -> BTreeMap<Digest, Vec<Threat>> {
    let mut found: BTreeMap<Digest, Vec<Threat>> = BTreeMap::new();
    let retention = of_retention(ground, &|telling, fate, is_held| telling.threat(fate, is_held));
    for (digest, threat) in retention.into_iter().chain(of_collection(ground)) {
        found.entry(digest).or_default().push(threat);
    }
    found
}

/// The same by each rule, for comparing: what several rules retain is lost once the last of them lets it go, so that less of
/// any of them is worse, whatever is pushed (I22). A rule that does not retain it takes it after no push at all. One that
/// nothing retains goes with the next run, and has no more to lose.
#[must_use]
pub fn threats_by_rule(ground: &Ground<'_>) -> BTreeMap<Digest, Vec<Threat>> {
    let mut found: BTreeMap<Digest, Vec<Threat>> = BTreeMap::new();
    for (digest, threats) in of_retention(ground, &|telling, fate, is_held| telling.by_rule(fate, is_held)) {
        found.entry(digest).or_default().extend(threats);
    }
    for (digest, threat) in of_collection(ground) {
        found.entry(digest).or_default().push(threat);
    }
    found
}

/// What is told of each artifact that a run of retention can come to take.
fn of_retention<T>(ground: &Ground<'_>, tell: &dyn Fn(&Telling<'_>, &Fate, bool) -> T) -> Vec<(Digest, T)> {
    let Launch::Job(in_job) = ground.rules.launch(ground.repository) else { return Vec::new() };
    let job = ground.rules.job(ground.repository, &in_job, ground.artifacts, ground.now);
    let Ok(fates) = fates(&job) else { return Vec::new() };
    if fates.is_idle {
        return Vec::new();
    }
    let telling = Telling { ground, in_job: &in_job, fates: &fates };
    let mut going: BTreeMap<&Digest, bool> = BTreeMap::new();
    for artifact in ground.artifacts {
        let tags: Vec<&str> = artifact.tags.iter().map(|tag| &*tag.name).collect();
        let is_retained = fates.of.get(&artifact.digest).is_none_or(|fate| fate.always.is_some());
        if !is_retained && !ground.rules.locks(ground.repository, &tags) {
            going.insert(&artifact.digest, false);
        }
    }
    spare_what_is_held(ground.artifacts, &mut going);
    let told = going.into_iter().filter_map(|(digest, is_held)| {
        let fate = fates.of.get(digest)?;
        Some((digest.clone(), tell(&telling, fate, is_held)))
    });
    told.collect()
}

/// What an index refers to is not deleted before every such index is (J24). Of an index that is not listed it is not known
/// that it goes.
fn spare_what_is_held(artifacts: &[HarborArtifact], going: &mut BTreeMap<&Digest, bool>) {
    let mut holders: BTreeMap<&Digest, BTreeSet<&Digest>> = BTreeMap::new();
    for index in artifacts {
        for child in &index.children {
            holders.entry(child).or_default().insert(&index.digest);
        }
    }
    let may_go: BTreeSet<&Digest> = going.keys().copied().collect();
    for artifact in artifacts {
        match holders.get(&artifact.digest) {
            Some(holders) if holders.iter().all(|index| may_go.contains(*index)) => {
                if let Some(is_held) = going.get_mut(&artifact.digest) {
                    *is_held = true;
                }
            }
            None if !artifact.is_referenced => {}
            _ => drop(going.remove(&artifact.digest)),
        }
    }
}

/// Fates as threats.
struct Telling<'a> {
    ground: &'a Ground<'a>,
    in_job: &'a [&'a RetentionRule],
    fates: &'a Fates,
}

impl Telling<'_> {
    /// What takes it first. `is_held`: an index has to go before it.
    fn threat(&self, fate: &Fate, is_held: bool) -> Threat {
        let (certainty, open) = (self.certainty(is_held), fate.open.map(|place| self.name(place)));
        if let Some(counted) = fate.counted {
            let name = self.name(counted.place);
            let around = counted.around.map(|around| fate.until.map_or(around, |(end, _)| end.max(around)));
            let what = match counted.by {
                By::Pushed => "pushed",
                By::Pulled => "pulled",
                By::Active => "pushed or pulled",
            };
            let others =
                if counted.left == 1 { "another is".to_owned() } else { format!("{} others are", counted.left) };
            let why =
                format!("rule {name} retains it until {others} {what} after it, and no other rule does for longer");
            return threat(name, Due::AfterPushes { pushes: counted.left, around }, certainty, why);
        }
        if let Some((end, place)) = fate.until {
            let name = self.name(place);
            let certainty = if open.is_some() { Certainty::Possible } else { certainty };
            let day = end.strftime("%Y-%m-%d");
            let why = format!("rule {name} retains it until {day}, and no other rule does for longer");
            return threat(name, self.run_after(end), certainty, why);
        }
        let due = self.run_after(self.ground.now);
        match open {
            Some(name) => {
                let why = format!("rule {name} retains only a part of those that have the time that this one has");
                threat(name, due, Certainty::Possible, why)
            }
            None => {
                threat(RETENTION.to_owned(), due, certainty, "no rule of the retention policy retains it".to_owned())
            }
        }
    }

    /// What each rule by itself holds for it.
    fn by_rule(&self, fate: &Fate, is_held: bool) -> Vec<Threat> {
        let certainty = self.certainty(is_held);
        if fate.until.is_none() && fate.margins.values().all(|margin| margin.at_best == 0) {
            let why = "no rule of the retention policy retains it".to_owned();
            return vec![threat(RETENTION.to_owned(), Due::Now, certainty, why)];
        }
        let from = fate.until.map_or(self.ground.now, |(end, _)| end);
        let due = match self.run_after(from) {
            Due::Now => Due::On(from),
            due => due,
        };
        let why = "no rule about days retains it for longer".to_owned();
        let mut found = vec![threat(RETENTION.to_owned(), due, certainty, why)];
        for place in &self.fates.counting {
            let (name, margin) = (self.name(*place), fate.margins.get(place).copied().unwrap_or_default());
            let bounds = [(name.clone(), margin.at_worst), (format!("{name}, at best"), margin.at_best)];
            for (rule, pushes) in bounds {
                let why = format!("rule {rule} retains it until {pushes} others come to stand before it");
                found.push(threat(rule, Due::AfterPushes { pushes, around: None }, certainty, why));
            }
        }
        found
    }

    /// A run that nothing schedules may never come, and one with a rule that fails deletes only where Harbor loses the
    /// failure (J14).
    fn certainty(&self, is_held: bool) -> Certainty {
        if is_held || self.fates.failed.is_some() || self.cron().is_none() {
            Certainty::Possible
        } else {
            Certainty::Certain
        }
    }

    fn cron(&self) -> Option<&str> {
        self.ground.rules.policy.as_ref().and_then(|policy| policy.cron())
    }

    /// The first run at a moment or after it; by hand it may come at once.
    fn run_after(&self, moment: Timestamp) -> Due {
        match self.cron() {
            Some(cron) => first_run(cron, moment),
            None if moment > self.ground.now => Due::On(moment),
            None => Due::Now,
        }
    }

    /// A rule by its place in the policy, for most have no id, and its template.
    fn name(&self, place: usize) -> String {
        let Some(rule) = self.in_job.get(place) else { return RETENTION.to_owned() };
        let all = self.ground.rules.policy.iter().flat_map(|policy| &policy.rules);
        let number = all.zip(1..).find_map(|(other, number)| std::ptr::eq(other, *rule).then_some(number));
        format!("{} ({})", number.unwrap_or(0), rule.template)
    }
}

const RETENTION: &str = "tag retention";

fn threat(rule: String, due: Due, certainty: Certainty, why: String) -> Threat {
    Threat { rule, effect: Effect::Deletes, due, certainty, why }
}

/// What has no tag and is in no index goes at once where garbage collection deletes such artifacts, whatever retention says.
fn of_collection(ground: &Ground<'_>) -> Vec<(Digest, Threat)> {
    let (due, certainty, why) = match &ground.repository.collection {
        HarborCollection::Scheduled { cron, deletes_untagged: true } => {
            let why = "garbage collection deletes every artifact that has no tag and that no index names";
            (first_run(cron, ground.now), Certainty::Certain, why)
        }
        HarborCollection::Unknown => {
            let why = "it has no tag, and whether garbage collection deletes such artifacts could not be read";
            (Due::Now, Certainty::Possible, why)
        }
        HarborCollection::Unscheduled | HarborCollection::Scheduled { deletes_untagged: false, .. } => {
            return Vec::new();
        }
    };
    let held: BTreeSet<&Digest> = ground.artifacts.iter().flat_map(|index| &index.children).collect();
    let is_reached = |artifact: &&HarborArtifact| {
        artifact.tags.is_empty() && !artifact.is_referenced && !held.contains(&artifact.digest)
    };
    let threat = |artifact: &HarborArtifact| {
        let rule = "garbage collection".to_owned();
        (artifact.digest.clone(), self::threat(rule, due.clone(), certainty, why.to_owned()))
    };
    ground.artifacts.iter().filter(is_reached).map(threat).collect()
}
