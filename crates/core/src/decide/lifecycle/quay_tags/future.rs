//! What comes of a repository with its pins.

use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;

use super::super::Situation;
use super::super::quay::doubt::{Run, run};
use super::super::quay::immutability::ImmutabilityPolicy;
use super::super::quay::policy::PruneRule;
use super::super::quay::signature::is_signature;
use super::super::quay::world::{Features, Manifest, Millis, Repository, Signatures, State, TagRow, Task, World};
use super::CLAIM;
use super::rules::{DEFAULT, ORGANIZATION, REPOSITORY, Rule, order_is_open, readable};
use crate::model::{
    Advice, AdviceKind, ArtifactId, Certainty, Digest, Due, Effect, Pin, QuayImmutability, QuayRepository, QuayRow,
    QuayState, Tag, Threat,
};

/// A row that is a tag now.
pub(super) struct Row {
    name: String,
    digest: Digest,
    start: Millis,
    pub(super) end: Option<Millis>,
    immutable: bool,
    /// Whether it is a pin to come that is a tag like others between its push and the call that makes it immutable. Where that
    /// call fails it stays so.
    is_open_at_first: bool,
}

/// What comes of the repository with its pins.
pub(super) struct Future {
    now: Millis,
    pub(super) rules: Vec<Rule>,
    /// The latest first.
    pub(super) rows: Vec<Row>,
    /// For each rule and each row: how many tags that it counts come before that; none where it does not look at the row.
    before: Vec<Vec<Option<u64>>>,
    /// Where the rows of each digest stand.
    places: BTreeMap<Digest, Vec<usize>>,
    /// What the next run takes, in each way in which signatures may be treated, by place, with the policy's name.
    taken: [BTreeMap<usize, String>; 2],
    /// What a run would take that came while the pins to come are not immutable yet.
    taken_at_first: BTreeMap<usize, String>,
    /// Rows of one second between which a count decides.
    tied: BTreeSet<usize>,
    /// Whether the order of policies may decide what a count takes.
    order_is_open: bool,
    is_normal: bool,
}

impl Future {
    pub(super) fn of(situation: &Situation<'_>, repository: &QuayRepository) -> Result<Self, String> {
        let rows = rows(situation, repository);
        let rules = readable(situation, repository, rows.iter().map(|row| row.name.as_str()))?;
        let mut places: BTreeMap<Digest, Vec<usize>> = BTreeMap::new();
        for (at, row) in rows.iter().enumerate() {
            places.entry(row.digest.clone()).or_default().push(at);
        }
        let mut future = Self {
            now: situation.now.as_millisecond(),
            before: rules.iter().map(|rule| before(rule, &rows)).collect(),
            places,
            taken: Default::default(),
            taken_at_first: BTreeMap::new(),
            tied: BTreeSet::new(),
            order_is_open: order_is_open(&rules),
            is_normal: repository.state.as_ref().is_none_or(|state| *state == QuayState::Normal),
            rules,
            rows,
        };
        future.taken = [Signatures::Ordinary, Signatures::FollowImage].map(|signatures| {
            let (taken, tied) = future.taken_in(&future.world(repository, signatures));
            future.tied.extend(tied);
            taken
        });
        if future.rows.iter().any(|row| row.is_open_at_first) && future.rules.iter().any(Rule::counts) {
            for signatures in [Signatures::Ordinary, Signatures::FollowImage] {
                let mut world = future.world(repository, signatures);
                let tags = world.repositories.iter_mut().flat_map(|repository| &mut repository.tags);
                tags.zip(&future.rows).for_each(|(tag, row)| tag.immutable &= !row.is_open_at_first);
                let (taken, _) = future.taken_in(&world);
                future.taken_at_first.extend(taken);
            }
        }
        Ok(future)
    }

    /// What the runs of now take, by place, with the policy's name; and the rows of one second between which a count decides.
    fn taken_in(&self, world: &World) -> (BTreeMap<usize, String>, BTreeSet<usize>) {
        let outcome = run(world, &[Run::Namespace, Run::Registry], self.now);
        let tied = outcome.trace.tied.iter().map(|(_, row)| *row).collect();
        let rows = outcome.world.repositories.iter().flat_map(|repository| repository.tags.iter().enumerate());
        let ended = rows.filter_map(|(place, row)| Some((place, row.ended_by.as_ref()?.policy.clone())));
        (ended.collect(), tied)
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
            let of_scope = self.rules.iter().filter(|rule| rule.scope == scope);
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
            prune: of(ORGANIZATION),
            immutability: Vec::new(),
            default_policy: of(DEFAULT).into_iter().next(),
            task: Some(Task { last_ran: None }),
            repositories: vec![Repository {
                name: repository.name.to_string(),
                state: if self.is_normal { State::Normal } else { State::Other },
                prune: of(REPOSITORY),
                immutability: Vec::new(),
                manifests: digests.iter().map(manifest).collect(),
                tags: self.rows.iter().enumerate().map(row).collect(),
            }],
            own_order: None,
        }
    }

    /// Everything that a tag names, in order.
    pub(super) fn digests(&self) -> impl Iterator<Item = &Digest> {
        self.places.keys()
    }

    /// What takes the last tag of it; none inside where nothing does, none at all where no tag names it.
    pub(super) fn threats(&self, artifact: &ArtifactId) -> Option<Vec<Threat>> {
        let places = self.places.get(artifact.digest()?)?;
        let ends: Vec<Ends> = places.iter().map(|at| self.ends_of(*at)).collect();
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
        if let Some(now) = self.now_of(at) {
            return Ends { dated: Some(now), counted: None };
        }
        // Of a signature it is open whether rules look at it.
        let certainty = if is_signature(&row.name) { Certainty::Possible } else { Certainty::Certain };
        let end = |at: i64, rule: &Rule| End { at, certainty, rule: rule.name.clone() };
        let dated = self.looking(at).filter_map(|(rule, _)| match rule.policy.rule {
            PruneRule::CreationDate(age) => Some(end(row.start.saturating_add(age).saturating_add(1), rule)),
            PruneRule::NumberOfTags(_) => None,
        });
        let counted = self.looking(at).filter_map(|(rule, before)| match rule.policy.rule {
            PruneRule::CreationDate(_) => None,
            PruneRule::NumberOfTags(number) => {
                let pushes = number.saturating_sub(before).max(1);
                Some(end(i64::try_from(pushes).unwrap_or(i64::MAX), rule))
            }
        });
        Ends { dated: dated.chain(expiry).min(), counted: counted.min() }
    }

    /// Whether the next run takes a tag: surely where it does in every way in which that is open, and else perhaps.
    fn now_of(&self, at: usize) -> Option<End> {
        let [ordinary, with_image] = self.taken.each_ref().map(|taken| taken.get(&at));
        let is_tied = self.tied.contains(&at);
        let end = |certainty, rule: &str| End { at: self.now, certainty, rule: rule.to_owned() };
        if let Some(policy) = ordinary.or(with_image) {
            let rule = self.rules.iter().find(|rule| rule.policy.id == *policy);
            let is_in_order = !self.order_is_open || rule.is_some_and(|rule| !rule.counts());
            let certain = ordinary.is_some() && with_image.is_some() && !is_tied && is_in_order;
            let certainty = if certain { Certainty::Certain } else { Certainty::Possible };
            return Some(end(certainty, rule.map_or(policy, |rule| &rule.name)));
        }
        // In another order of policies a count would have come before what spared the tag.
        let takes = |(rule, before): &(&Rule, u64)| match rule.policy.rule {
            PruneRule::NumberOfTags(number) => is_tied || (self.order_is_open && *before >= number),
            PruneRule::CreationDate(_) => false,
        };
        if let Some((rule, _)) = self.looking(at).find(takes) {
            return Some(end(Certainty::Possible, &rule.name));
        }
        let policy = self.taken_at_first.get(&at)?;
        let rule = self.rules.iter().find(|rule| rule.policy.id == *policy);
        Some(end(Certainty::Possible, rule.map_or(policy, |rule| &rule.name)))
    }

    /// The rules that look at a row, with how many tags they count before it.
    fn looking(&self, at: usize) -> impl Iterator<Item = (&Rule, u64)> {
        self.rules.iter().zip(&self.before).filter_map(move |(rule, before)| Some((rule, before[at]?)))
    }

    pub(super) fn advice(&self) -> Vec<Advice> {
        let is_open_pin =
            |row: &Row| !row.immutable && row.name.parse::<Tag>().is_ok_and(|tag| Pin::read(&tag).is_some());
        let pins: Vec<usize> = (0..self.rows.len()).filter(|at| is_open_pin(&self.rows[*at])).collect();
        let rules = self.rules.iter().zip(&self.before);
        let looking = rules.filter(|(_, before)| pins.iter().any(|at| before[*at].is_some()));
        let advise = |(rule, _): (&Rule, _)| Advice {
            rule: None,
            kind: AdviceKind::PinsIneffective,
            message: format!("the auto-prune policy \"{}\" looks at pins, which are not immutable", rule.name),
            remedy: CLAIM.to_owned(),
        };
        looking.map(advise).collect()
    }
}

/// How many tags that the rule counts come before each row that it looks at. Immutable ones are not counted.
fn before(rule: &Rule, rows: &[Row]) -> Vec<Option<u64>> {
    let mut counted = 0;
    let place = |row: &Row| {
        rule.looks_at(&row.name).then(|| {
            let before = counted;
            counted += u64::from(!row.immutable);
            before
        })
    };
    rows.iter().map(place).collect()
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

/// Whether a tag of the name is immutable from its push on, by a policy that is known and whose pattern is surely read.
pub(super) fn is_born_immutable(repository: &QuayRepository, name: &str) -> bool {
    let has_feature = repository.server.as_ref().is_some_and(|server| server.immutable_tags);
    let covers = |policy: &QuayImmutability| {
        let read = ImmutabilityPolicy::read("", &policy.pattern, policy.matches);
        read.is_ok_and(|policy| policy.covers(name) == (true, true))
    };
    has_feature && repository.immutability.iter().any(covers)
}

/// The tags, and pins on what is pinned and has none. A pin begins now; one that is there is made immutable where that can be
/// done, and loses an expiry.
fn rows(situation: &Situation<'_>, repository: &QuayRepository) -> Vec<Row> {
    let now = situation.now;
    let pinned = situation.pinned.iter().filter_map(ArtifactId::digest);
    let mut pins: BTreeMap<String, &Digest> =
        pinned.map(|digest| (Pin::for_digest(digest).to_string(), digest)).collect();
    let mut row = |row: &QuayRow| {
        let is_pin = pins.get(row.name.as_str()) == Some(&&row.digest);
        if is_pin {
            pins.remove(row.name.as_str());
        }
        Row {
            name: row.name.to_string(),
            digest: row.digest.clone(),
            start: row.start.as_millisecond(),
            end: row.end.filter(|_| !is_pin).map(|end| end.as_millisecond()),
            immutable: row.immutable || (is_pin && repository.locks_pins),
            is_open_at_first: false,
        }
    };
    let living: Vec<Row> = repository.living(now).into_iter().map(&mut row).collect();
    // A name that is taken by something else is no pin, and gets none.
    pins.retain(|name, _| !living.iter().any(|row| row.name == *name));
    let (start, immutable) = (now.as_millisecond(), repository.locks_pins);
    let new = pins.into_iter().map(|(name, digest)| {
        let is_open_at_first = immutable && !is_born_immutable(repository, &name);
        Row { name, digest: digest.clone(), start, end: None, immutable, is_open_at_first }
    });
    new.chain(living).collect()
}
