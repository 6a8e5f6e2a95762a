//! What comes of a repository with its pins.

use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;

use super::super::Situation;
use super::super::quay::doubt::{Run, run};
use super::super::quay::policy::PruneRule;
use super::super::quay::signature::is_signature;
use super::super::quay::world::{Features, Manifest, Millis, Repository, Signatures, State, TagRow, Task, World};
use super::CLAIM;
use super::rules::{Rule, rules};
use crate::model::{
    Advice, AdviceKind, ArtifactId, Certainty, Digest, Due, Effect, Pin, QuayRepository, QuayRow, Tag, Threat,
};

const UNLISTED: &str = "not every tag was listed with what Quay's policies go by";

/// A row that is a tag now.
pub(super) struct Row {
    name: String,
    digest: Digest,
    start: Millis,
    pub(super) end: Option<Millis>,
    immutable: bool,
}

/// What comes of the repository with its pins.
pub(super) struct Future {
    now: Millis,
    pub(super) rules: Vec<Rule>,
    /// The latest first.
    pub(super) rows: Vec<Row>,
    /// What the next run takes, in each way in which signatures may be treated, by place, with the policy's name.
    taken: [BTreeMap<usize, String>; 2],
    /// Rows of one second between which a count decides.
    tied: BTreeSet<usize>,
    is_normal: bool,
}

impl Future {
    pub(super) fn of(situation: &Situation<'_>, repository: &QuayRepository) -> Result<Self, String> {
        let rules = rules(repository)?;
        if !situation.snapshot.listing_is_complete() || !repository.unlisted.is_empty() {
            return Err(UNLISTED.to_owned());
        }
        let now = situation.now.as_millisecond();
        let rows = rows(situation, repository);
        for rule in &rules {
            let unsure = |row: &&Row| rule.policy.looks_at(&row.name).is_ok_and(|fit| !fit.certain);
            if let Some(row) = rows.iter().find(unsure) {
                return Err(format!(
                    "whether the pattern of the auto-prune policy \"{}\" fits {} is not surely read as PostgreSQL reads it",
                    rule.name, row.name
                ));
            }
        }
        let is_normal = repository.is_normal.unwrap_or(true);
        let mut future = Self { now, rules, rows, taken: Default::default(), tied: BTreeSet::new(), is_normal };
        future.taken = [Signatures::Ordinary, Signatures::FollowImage].map(|signatures| {
            let outcome = run(&future.world(repository, signatures), &[Run::Namespace, Run::Registry], now);
            future.tied.extend(outcome.trace.tied.iter().map(|(_, row)| *row));
            let rows = outcome.world.repositories.iter().flat_map(|repository| repository.tags.iter().enumerate());
            let ended = rows.filter_map(|(place, row)| Some((place, row.ended_by.as_ref()?.policy.clone())));
            ended.collect()
        });
        Ok(future)
    }

    fn world(&self, repository: &QuayRepository, signatures: Signatures) -> World {
        let digests: Vec<&Digest> = self.digests().collect();
        let place = |digest: &Digest| digests.binary_search(&digest).unwrap_or_default();
        let manifest = |digest: &&Digest| Manifest {
            digest: digest.to_string(),
            index: false,
            children: Vec::new(),
            subject: None,
            expires_after: None,
            immutable: None,
        };
        let row = |(at, row): (usize, &Row)| TagRow {
            id: at.to_string(),
            name: row.name.clone(),
            manifest: place(&row.digest),
            start: row.start,
            end: row.end,
            immutable: row.immutable,
            hidden: false,
            ended_by: None,
        };
        let of = |scope: &str| {
            let of_scope = self.rules.iter().filter(|rule| rule.policy.id.starts_with(scope));
            of_scope.map(|rule| rule.policy.clone()).collect::<Vec<_>>()
        };
        let server = repository.server.as_ref();
        World {
            features: Features {
                immutable_tags: server.is_some_and(|server| server.immutable_tags),
                immutable_tags_can_expire: server.is_some_and(|server| server.immutable_tags_can_expire),
            },
            signatures,
            time_machine_s: repository.time_machine.unwrap_or_default(),
            enabled: true,
            prune: of("organization"),
            immutability: Vec::new(),
            default_policy: of("default").into_iter().next(),
            task: Some(Task { last_ran: None }),
            repositories: vec![Repository {
                name: repository.name.to_string(),
                state: if self.is_normal { State::Normal } else { State::Other },
                prune: of("repository"),
                immutability: Vec::new(),
                manifests: digests.iter().map(manifest).collect(),
                tags: self.rows.iter().enumerate().map(row).collect(),
            }],
            own_order: None,
        }
    }

    /// Everything that a tag names, in order.
    pub(super) fn digests(&self) -> impl Iterator<Item = &Digest> {
        self.rows.iter().map(|row| &row.digest).collect::<BTreeSet<_>>().into_iter()
    }

    /// What takes the last tag of it; none inside where nothing does, none at all where no tag names it.
    pub(super) fn threats(&self, artifact: &ArtifactId) -> Option<Vec<Threat>> {
        let digest = artifact.digest()?;
        let places = (0..self.rows.len()).filter(|at| self.rows[*at].digest == *digest);
        let ends: Vec<Ends> = places.map(|at| self.ends_of(at)).collect();
        if ends.is_empty() {
            return None;
        }
        let threat = |end: End, due: Due| Threat {
            rule: end.rule,
            effect: Effect::Deletes,
            due,
            certainty: end.certainty,
            why: "none of its tags stays, and what has no tag is collected once the time machine's window is over"
                .to_owned(),
        };
        // One tag that stays keeps it. Else it goes with the last one, and no more surely than any of them.
        let dated = last(ends.iter().map(|ends| ends.dated.clone()));
        let dated = dated.and_then(|end| {
            if end.at <= self.now {
                return Some(threat(end, Due::Now));
            }
            // What no calendar has does not come.
            let at = Timestamp::from_millisecond(end.at).ok()?;
            Some(threat(end, Due::On(at)))
        });
        // Tags with a date are gone by then, or may be.
        let counted = last(
            ends.iter().map(|ends| ends.counted.clone().or_else(|| ends.dated.clone().map(|end| End { at: 0, ..end }))),
        );
        let counted = counted.filter(|end| end.at > 0).map(|end| {
            let due = Due::AfterPushes { pushes: u64::try_from(end.at).unwrap_or(u64::MAX), around: None };
            threat(end, due)
        });
        let is_now = |threat: &Threat| threat.due == Due::Now;
        let counted = counted.filter(|_| !dated.as_ref().is_some_and(is_now));
        Some(dated.into_iter().chain(counted).collect())
    }

    /// What ends a tag: by a date, and after pushes.
    fn ends_of(&self, at: usize) -> Ends {
        let row = &self.rows[at];
        let expiry = row.end.map(|end| End { at: end, certainty: Certainty::Certain, rule: "tag expiry".to_owned() });
        if row.immutable || !self.is_normal {
            return Ends { dated: expiry, counted: None };
        }
        let [ordinary, with_image] = self.taken.each_ref().map(|taken| taken.get(&at));
        let is_tied = self.tied.contains(&at);
        if let Some(policy) = ordinary.or(with_image) {
            let certain = ordinary.is_some() && with_image.is_some() && !is_tied;
            let certainty = if certain { Certainty::Certain } else { Certainty::Possible };
            let now = End { at: self.now, certainty, rule: self.name_of(policy) };
            return Ends { dated: Some(now), counted: None };
        }
        let looking = || self.rules.iter().filter(move |rule| rule.looks_at(&row.name));
        if let Some(rule) = looking().find(|rule| is_tied && rule.counts()) {
            let now = End { at: self.now, certainty: Certainty::Possible, rule: rule.name.clone() };
            return Ends { dated: Some(now), counted: None };
        }
        // Of a signature it is open whether rules look at it.
        let certainty = if is_signature(&row.name) { Certainty::Possible } else { Certainty::Certain };
        let end = |at: i64, rule: &Rule| End { at, certainty, rule: rule.name.clone() };
        let dated = looking().filter_map(|rule| match rule.policy.rule {
            PruneRule::CreationDate(age) => Some(end(row.start.saturating_add(age).saturating_add(1), rule)),
            PruneRule::NumberOfTags(_) => None,
        });
        let counted = looking().filter_map(|rule| match rule.policy.rule {
            PruneRule::CreationDate(_) => None,
            PruneRule::NumberOfTags(number) => {
                let counts = |row: &&Row| !row.immutable && rule.looks_at(&row.name);
                let before = u64::try_from(self.rows[..at].iter().filter(counts).count()).unwrap_or(u64::MAX);
                let pushes = number.saturating_sub(before).max(1);
                Some(end(i64::try_from(pushes).unwrap_or(i64::MAX), rule))
            }
        });
        Ends { dated: dated.chain(expiry).min(), counted: counted.min() }
    }

    fn name_of(&self, policy: &str) -> String {
        let rule = self.rules.iter().find(|rule| rule.policy.id == policy);
        rule.map_or_else(|| policy.to_owned(), |rule| rule.name.clone())
    }

    pub(super) fn advice(&self) -> Vec<Advice> {
        let pins = self
            .rows
            .iter()
            .filter(|row| !row.immutable && row.name.parse::<Tag>().is_ok_and(|tag| Pin::read(&tag).is_some()))
            .map(|row| row.name.as_str());
        let counted = self.rules.iter().filter(|rule| pins.clone().any(|pin| rule.looks_at(pin)));
        let advise = |rule: &Rule| Advice {
            rule: None,
            kind: AdviceKind::PinsIneffective,
            message: format!("the auto-prune policy \"{}\" looks at pins, which are not immutable", rule.name),
            remedy: CLAIM.to_owned(),
        };
        counted.map(advise).collect()
    }
}

/// How a tag ends, one way and the other.
struct Ends {
    dated: Option<End>,
    counted: Option<End>,
}

/// When, in milliseconds, or after how many pushes.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
struct End {
    at: i64,
    certainty: Certainty,
    rule: String,
}

/// The last of them, if each has one; it is no surer than the least sure of them.
fn last(ends: impl Iterator<Item = Option<End>>) -> Option<End> {
    let ends = ends.collect::<Option<Vec<End>>>()?;
    let certainty = ends.iter().map(|end| end.certainty).max()?;
    ends.into_iter().max().map(|end| End { certainty, ..end })
}

/// The tags, and pins on what is pinned and has none. A pin begins now.
fn rows(situation: &Situation<'_>, repository: &QuayRepository) -> Vec<Row> {
    let now = situation.now;
    let row = |row: &QuayRow| Row {
        name: row.name.to_string(),
        digest: row.digest.clone(),
        start: row.start.as_millisecond(),
        end: row.end.map(|end| end.as_millisecond()),
        immutable: row.immutable,
    };
    let alive: Vec<Row> = repository.rows.iter().filter(|row| row.is_alive(now)).map(row).collect();
    let pins = situation.pinned.iter().filter_map(ArtifactId::digest).filter_map(|digest| {
        let name = Pin::for_digest(digest).to_string();
        let is_there = alive.iter().any(|row| row.name == name);
        let (start, immutable) = (now.as_millisecond(), repository.locks_pins);
        (!is_there).then(|| Row { name, digest: digest.clone(), start, end: None, immutable })
    });
    let mut rows: Vec<Row> = pins.collect();
    rows.extend(alive);
    rows
}
