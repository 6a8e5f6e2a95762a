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
    for (digest, threat) in of_retention(ground).into_iter().chain(of_collection(ground)) {
        found.entry(digest).or_default().push(threat);
    }
    found
}

fn of_retention(ground: &Ground<'_>) -> Vec<(Digest, Threat)> {
    let Launch::Job(in_job) = ground.rules.launch(ground.repository) else { return Vec::new() };
    let job = ground.rules.job(ground.repository, &in_job, ground.artifacts, ground.now);
    let Ok(fates) = fates(&job) else { return Vec::new() };
    if fates.is_idle {
        return Vec::new();
    }
    let telling = Telling { ground, in_job: &in_job, fates: &fates };
    let mut found: BTreeMap<&Digest, Threat> = BTreeMap::new();
    for artifact in ground.artifacts {
        let tags: Vec<&str> = artifact.tags.iter().map(|tag| &*tag.name).collect();
        let fate = fates.of.get(&artifact.digest);
        if let Some(threat) = fate.and_then(|fate| telling.threat(fate))
            && !ground.rules.locks(ground.repository, &tags)
        {
            found.insert(&artifact.digest, threat);
        }
    }
    spare_what_is_held(ground.artifacts, &mut found);
    found.into_iter().map(|(digest, threat)| (digest.clone(), threat)).collect()
}

/// What an index refers to is not deleted before every such index is (J24). Of an index that is not listed it is not known
/// that it goes.
fn spare_what_is_held(artifacts: &[HarborArtifact], found: &mut BTreeMap<&Digest, Threat>) {
    let mut holders: BTreeMap<&Digest, BTreeSet<&Digest>> = BTreeMap::new();
    for index in artifacts {
        for child in &index.children {
            holders.entry(child).or_default().insert(&index.digest);
        }
    }
    let going: BTreeSet<&Digest> = found.keys().copied().collect();
    for artifact in artifacts {
        match holders.get(&artifact.digest) {
            Some(holders) if holders.iter().all(|index| going.contains(*index)) => {
                if let Some(threat) = found.get_mut(&artifact.digest) {
                    threat.certainty = Certainty::Possible;
                }
            }
            None if !artifact.is_referenced => {}
            _ => drop(found.remove(&artifact.digest)),
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
    /// None: a rule retains it whatever comes.
    fn threat(&self, fate: &Fate) -> Option<Threat> {
        if fate.always.is_some() {
            return None;
        }
        let threat = |rule, due, certainty, why| Threat { rule, effect: Effect::Deletes, due, certainty, why };
        let (certainty, open) = (self.certainty(), fate.open.map(|place| self.name(place)));
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
            return Some(threat(name, Due::AfterPushes { pushes: counted.left, around }, certainty, why));
        }
        if let Some((end, place)) = fate.until {
            let name = self.name(place);
            let certainty = if open.is_some() { Certainty::Possible } else { certainty };
            let day = end.strftime("%Y-%m-%d");
            let why = format!("rule {name} retains it until {day}, and no other rule does for longer");
            return Some(threat(name, self.run_after(end), certainty, why));
        }
        let due = self.run_after(self.ground.now);
        Some(match open {
            Some(name) => {
                let why = format!("rule {name} retains only a part of those that have the time that this one has");
                threat(name, due, Certainty::Possible, why)
            }
            None => {
                threat(RETENTION.to_owned(), due, certainty, "no rule of the retention policy retains it".to_owned())
            }
        })
    }

    /// A run that nothing schedules may never come, and one with a rule that fails deletes only where Harbor loses the
    /// failure (J14).
    fn certainty(&self) -> Certainty {
        if self.fates.failed.is_some() || self.cron().is_none() { Certainty::Possible } else { Certainty::Certain }
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
        let threat = Threat { rule, effect: Effect::Deletes, due: due.clone(), certainty, why: why.to_owned() };
        (artifact.digest.clone(), threat)
    };
    ground.artifacts.iter().filter(is_reached).map(threat).collect()
}
