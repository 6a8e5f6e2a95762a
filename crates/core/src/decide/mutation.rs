//! Findings about tags that moved, vanished, came back.

use std::collections::{BTreeMap, BTreeSet};

use crate::model::{
    ArtifactId, Code, Content, Event, Finding, Inspection, ObservedTag, RepositoryKind, RepositoryState, Severity, Tag,
    TagChange, TagHistory, TagStatus,
};

use super::attribution::{self, Unnamed};
use super::charts;
use super::commands;
use super::draft::Draft;
use super::rules::{Rules, looks_like_release};

/// What this run's events and the state they led to mean.
pub(super) struct Mutation<'a> {
    pub(super) draft: Draft<'a>,
    pub(super) kind: RepositoryKind,
    pub(super) inspections: &'a BTreeMap<ArtifactId, Inspection>,
    pub(super) rules: &'a Rules,
    /// What was listed, sorted by name.
    pub(super) listed: &'a [&'a ObservedTag],
    pub(super) state: &'a RepositoryState,
    /// What audit trails answered without naming anybody.
    pub(super) unnamed: &'a Unnamed,
    pub(super) labels: &'a BTreeMap<Tag, Box<str>>,
    /// Tags by which production runs or ran a rollback target.
    pub(super) production_tags: &'a BTreeSet<&'a Tag>,
    /// The upstream that this repository caches: its tags move when upstream's do (A46).
    pub(super) cached_from: Option<&'a str>,
    /// Whether it drops what upstream deletes, and what nobody pulls: nobody here deleted it (J31).
    pub(super) forgets: bool,
}

/// A tag's move within this run, from first to last.
struct Moved<'a> {
    tag: &'a Tag,
    from: &'a ArtifactId,
    to: &'a ArtifactId,
    steps: usize,
}

/// So many tags moved in one run are a story of their own: releases, and tags of any kind.
const RELEASES_TOGETHER: usize = 3;
const TAGS_TOGETHER: usize = 5;

/// What to do about tags that are somebody else's to move.
pub(super) const DEPLOY_BY_DIGEST: &str = "deploy by digest from a cache: its tags are upstream's to move";

impl Mutation<'_> {
    pub(super) fn findings(&self, events: &[Event]) -> Vec<Finding> {
        let mut findings = Vec::new();
        let moves = moves(events);
        for moved in moves.values() {
            findings.extend(self.moved(moved));
        }
        for event in events {
            match event {
                Event::TagDeleted { .. } if self.forgets => {}
                Event::TagDeleted { tag } => findings.push(self.deleted(tag)),
                Event::TagRecreated { tag, artifact } => findings.push(self.recreated(tag, artifact)),
                Event::TagAttributed { tag, change, .. } => findings.extend(self.attributed(tag, *change, events)),
                _ => {}
            }
        }
        findings.extend(self.together(&moves, events));
        // A move of a production tag stays a finding for as long as it names other bytes than the release.
        let reported: BTreeSet<&Tag> = events
            .iter()
            .filter_map(|event| match event {
                Event::TagMoved { tag, .. } | Event::TagRecreated { tag, .. } => Some(tag),
                _ => None,
            })
            .collect();
        let still = self.production_tags.iter().filter(|tag| !reported.contains(*tag));
        findings.extend(still.filter_map(|tag| self.still_moved(tag)));
        findings
    }

    fn moved(&self, moved: &Moved<'_>) -> Option<Finding> {
        if self.is_same_content(moved) {
            return None;
        }
        let history = self.state.tags.get(moved.tag)?;
        let before = history.sightings().len().saturating_sub(moved.steps + 1);
        let flapped = history.sightings()[..before].iter().any(|sighting| sighting.artifact == *moved.to);
        let severity = self.severity(moved.tag);
        let mut finding = if flapped {
            let message = format!(
                "{} left {} and is back at {}, which it had named before",
                moved.tag,
                moved.from.short(),
                moved.to.short()
            );
            let remedy = match severity {
                Severity::Info => "nothing to do",
                _ if self.cached_from.is_some() => DEPLOY_BY_DIGEST,
                _ => "find out who moves it: two pipelines may push the same tag",
            };
            self.draft.finding(Code::TagFlapped, severity, message, remedy)
        } else {
            self.move_finding(moved.tag, moved.from, moved.to, severity)
        };
        finding.reference = Some(moved.tag.to_string());
        finding.artifact = Some(moved.to.to_string());
        finding.previous = Some(moved.from.to_string());
        // Whoever tells it, it has one date, and so one name: a run may tell what another one recorded.
        finding.first_seen = history.latest().map_or(finding.first_seen, |latest| latest.since().at);
        self.name(&mut finding, moved.tag, TagChange::Moved);
        Some(finding)
    }

    /// Says who did it, as far as an audit trail does.
    fn name(&self, finding: &mut Finding, tag: &Tag, change: TagChange) {
        let said = match self.state.attribution(tag, change) {
            Some(by) => {
                finding.moved_by = Some(by.clone());
                attribution::says(change, by)
            }
            None => match self.unnamed.get(&(tag.clone(), change)) {
                Some(answer) => attribution::says_not(change, answer),
                None => return,
            },
        };
        finding.message = format!("{}; {said}", finding.message);
    }

    /// A name that came after the change was reported: a finding of its own, so that alerts tell it.
    fn attributed(&self, tag: &Tag, change: TagChange, events: &[Event]) -> Option<Finding> {
        let is_told = events.iter().any(|event| match event {
            Event::TagMoved { tag: other, .. } | Event::TagRecreated { tag: other, .. } => {
                change == TagChange::Moved && other == tag
            }
            Event::TagDeleted { tag: other } => change == TagChange::Deleted && other == tag && !self.forgets,
            _ => false,
        });
        let (since, by) = self.state.attributed.get(tag)?.get(&change).filter(|_| !is_told)?;
        let severity = match change {
            TagChange::Moved => self.severity(tag),
            TagChange::Deleted => self.severity_of_deletion(tag),
        };
        let message = format!("{tag} was {}", attribution::says(change, by));
        let remedy = format!(
            "ask who holds these credentials whether it was meant; `{}` shows all that is known of the tag",
            commands::history(self.draft.repository(), tag)
        );
        let mut finding = self.draft.finding(Code::TagAttributed, severity, message, remedy);
        let latest = self.state.tags.get(tag).and_then(TagHistory::latest);
        finding.reference = Some(tag.to_string());
        finding.artifact = latest.filter(|_| change == TagChange::Moved).map(|latest| latest.artifact.to_string());
        finding.previous = latest.filter(|_| change == TagChange::Deleted).map(|latest| latest.artifact.to_string());
        finding.moved_by = Some(by.clone());
        finding.first_seen = since.at;
        Some(finding)
    }

    fn move_finding(&self, tag: &Tag, from: &ArtifactId, to: &ArtifactId, severity: Severity) -> Finding {
        let looked_at = |artifact| charts::is_chart(self.inspections.get(artifact));
        let chart = self.kind == RepositoryKind::Charts || looked_at(from) || looked_at(to);
        let (code, verb) = charts::moved(chart, to);
        let what = match (severity, self.cached_from) {
            (Severity::Info, _) => ", as the policy allows".to_owned(),
            (_, Some(upstream)) => format!("; this repository caches {upstream}, and follows it"),
            (Severity::Critical, None) if self.ran(tag, from) => ", and production runs or ran it".to_owned(),
            (Severity::Critical, None) => {
                ", and it is a release by a production rule; nothing says whether production ran it".to_owned()
            }
            _ => String::new(),
        };
        let remedy = match severity {
            Severity::Info => "nothing to do".to_owned(),
            _ if self.cached_from.is_some() => DEPLOY_BY_DIGEST.to_owned(),
            Severity::Critical => format!(
                "deploy by digest, find out who pushed it, and point {tag} back at {from}; the earlier bytes keep their place"
            ),
            _ => "push releases under new tags; if this tag moves by design, name it in tags.may_move".to_owned(),
        };
        // What a cache holds is published upstream, charts too.
        let published = self.cached_from.is_none().then(|| charts::after_move(chart, severity, from)).flatten();
        let remedy = published.unwrap_or(remedy);
        self.draft.finding(
            code,
            severity,
            format!("{tag} {verb} from {} to {}{what}", from.short(), to.short()),
            remedy,
        )
    }

    /// Whether anything says that production runs or ran these bytes, or something by that tag.
    fn ran(&self, tag: &Tag, artifact: &ArtifactId) -> bool {
        let state = self.state;
        state.deployments.get(artifact).is_some_and(|spans| !spans.is_empty())
            || state.claims.values().any(|claims| claims.contains_key(tag))
            || state.former.values().any(|former| former.contains_key(tag))
    }

    fn still_moved(&self, tag: &Tag) -> Option<Finding> {
        let history = self.state.tags.get(tag)?;
        let (original, latest) = (history.original()?, history.latest()?);
        let severity = self.severity(tag);
        let there = !matches!(history.status(), TagStatus::Deleted(_));
        if !there || original.artifact == latest.artifact || severity == Severity::Info {
            return None;
        }
        let moved = Moved { tag, from: &original.artifact, to: &latest.artifact, steps: 1 };
        if self.is_same_content(&moved) {
            return None;
        }
        let mut finding = self.move_finding(tag, &original.artifact, &latest.artifact, severity);
        finding.reference = Some(tag.to_string());
        finding.artifact = Some(latest.artifact.to_string());
        finding.previous = Some(original.artifact.to_string());
        finding.first_seen = latest.since().at;
        finding.ledger_sequence = Some(latest.since().sequence);
        self.name(&mut finding, tag, TagChange::Moved);
        Some(finding)
    }

    fn severity_of_deletion(&self, tag: &Tag) -> Severity {
        match self.severity(tag) {
            Severity::Critical => Severity::High,
            Severity::High => Severity::Medium,
            Severity::Info => Severity::Info,
            _ => Severity::Low,
        }
    }

    fn deleted(&self, tag: &Tag) -> Finding {
        let severity = self.severity_of_deletion(tag);
        let latest = self.state.tags.get(tag).and_then(TagHistory::latest);
        let mut message = match latest {
            Some(latest) => format!("{tag} is gone; it named {}", latest.artifact.short()),
            None => format!("{tag} is gone"),
        };
        if self.kind == RepositoryKind::Charts {
            let present = self.listed.iter().filter(|other| other.target.artifact().is_some());
            message += &charts::after_loss(charts::stand_in(tag.as_str(), present.map(|other| other.name.as_str())));
        }
        let remedy = "its artifact keeps its place among the rollback targets; if a cleanup job removed it, exclude releases from that job";
        let mut finding = self.draft.finding(Code::TagDeleted, severity, message, remedy);
        finding.reference = Some(tag.to_string());
        finding.previous = latest.map(|latest| latest.artifact.to_string());
        if let Some(TagStatus::Deleted(since)) = self.state.tags.get(tag).map(|history| history.status()) {
            finding.first_seen = since.at;
        }
        self.name(&mut finding, tag, TagChange::Deleted);
        finding
    }

    fn recreated(&self, tag: &Tag, artifact: &ArtifactId) -> Finding {
        let sightings = self.state.tags.get(tag).map_or(&[][..], TagHistory::sightings);
        let back = sightings.iter().rposition(|sighting| sighting.artifact == *artifact);
        let previous = back.and_then(|at| at.checked_sub(1)).map(|at| &sightings[at].artifact);
        let same = previous == Some(artifact);
        let (severity, what) = if same {
            (Severity::Low.min(self.severity(tag)), "the same bytes as before")
        } else {
            (self.severity(tag), "other bytes than before")
        };
        let message = format!("{tag} had been deleted and is back with {what}");
        let remedy = "immutable tags can be deleted and pushed again: compare the digests before deploying by tag";
        let mut finding = self.draft.finding(Code::TagRecreated, severity, message, remedy);
        finding.reference = Some(tag.to_string());
        finding.artifact = Some(artifact.to_string());
        finding.previous = previous.map(ToString::to_string);
        finding.first_seen = sightings.last().map_or(finding.first_seen, |latest| latest.since().at);
        self.name(&mut finding, tag, TagChange::Moved);
        finding
    }

    fn together(&self, moves: &BTreeMap<&Tag, Moved<'_>>, events: &[Event]) -> Option<Finding> {
        // What a bucket tells of the years before the first look did not happen together.
        let past: BTreeSet<&Tag> = events
            .iter()
            .filter_map(|event| match event {
                Event::TagSeen { tag, .. } => Some(tag),
                _ => None,
            })
            .collect();
        let unexpected: Vec<&Moved<'_>> = moves
            .values()
            .filter(|moved| !past.contains(moved.tag))
            .filter(|moved| self.severity(moved.tag) > Severity::Info && !self.is_same_content(moved))
            .collect();
        let releases = unexpected.iter().filter(|moved| self.severity(moved.tag) >= Severity::High).count();
        // Upstream may well release several things in one day.
        let few = releases < RELEASES_TOGETHER && unexpected.len() < TAGS_TOGETHER;
        if few || self.cached_from.is_some() {
            return None;
        }
        let severity = if releases >= RELEASES_TOGETHER { Severity::Critical } else { Severity::High };
        let goals: BTreeSet<&ArtifactId> = unexpected.iter().map(|moved| moved.to).collect();
        let goal = match goals.first() {
            Some(only) if goals.len() == 1 => format!("all to {}", only.short()),
            _ => format!("to {} different artifacts", goals.len()),
        };
        let message = format!("{} tags moved in one run, {goal}; {releases} of them name releases", unexpected.len());
        let remedy =
            "treat it as a compromise until a person explains it: stop deploying by tag, and check who can push here";
        let mut finding = self.draft.finding(Code::TagsMovedTogether, severity, message, remedy);
        finding.artifact = (goals.len() == 1).then(|| goals.first().map(ToString::to_string)).flatten();
        let names: Vec<&str> = unexpected.iter().take(10).map(|moved| moved.tag.as_str()).collect();
        finding.reference = Some(names.join(", "));
        let moved_at = |moved: &&Moved<'_>| Some(self.state.tags.get(moved.tag)?.latest()?.since().at);
        finding.first_seen = unexpected.iter().filter_map(moved_at).max().unwrap_or(finding.first_seen);
        Some(finding)
    }

    /// DESIGN part 4: critical when production runs or ran it, high for any other release tag, medium for `latest`
    /// and the rest, info where the policy says that it may move.
    fn severity(&self, tag: &Tag) -> Severity {
        let label = self.label(tag);
        if self.rules.may_move(tag, label) {
            Severity::Info
        } else if self.cached_from.is_some() {
            Severity::Low
        } else if self.production_tags.contains(tag) || self.named_what_ran(tag, label) {
            Severity::Critical
        } else if self.rules.is_release(label) || looks_like_release(label) {
            Severity::High
        } else {
            Severity::Medium
        }
    }

    /// Whether the tag named bytes that a signal says ran. `latest` names whatever was built last, which is often what
    /// runs, and says nothing by moving on.
    fn named_what_ran(&self, tag: &Tag, label: &str) -> bool {
        let before = self.state.tags.get(tag).and_then(|history| history.sightings().split_last());
        let ran = |artifact: &ArtifactId| self.state.deployments.contains_key(artifact);
        label != "latest" && before.is_some_and(|(_, before)| before.iter().any(|sighting| ran(&sighting.artifact)))
    }

    fn label<'t>(&'t self, tag: &'t Tag) -> &'t str {
        if let Some(label) = self.labels.get(tag) {
            return label;
        }
        match self.state.tags.get(tag).and_then(TagHistory::latest).map(|latest| &latest.artifact) {
            Some(ArtifactId::ObjectVersion { .. }) => {
                self.observed(tag).map_or(tag.as_str(), |observed| observed.label())
            }
            _ => tag.as_str(),
        }
    }

    fn observed(&self, tag: &Tag) -> Option<&ObservedTag> {
        self.listed.binary_search_by(|observed| observed.name.cmp(tag)).ok().map(|at| self.listed[at])
    }

    /// Whether an object was written again with what looks like the same bytes: no mutation.
    fn is_same_content(&self, moved: &Moved<'_>) -> bool {
        let ArtifactId::ObjectVersion { .. } = moved.to else { return false };
        let Some(object) = self.observed(moved.tag).and_then(|observed| observed.object.as_ref()) else { return false };
        let content = |artifact: &ArtifactId| -> Option<&Content> {
            object.versions.iter().find(|version| version.artifact == *artifact).map(|version| &version.content)
        };
        matches!((content(moved.from), content(moved.to)), (Some(from), Some(to)) if from == to)
    }
}

/// Each tag that moved in this run, from where it was to where it is.
fn moves(events: &[Event]) -> BTreeMap<&Tag, Moved<'_>> {
    let mut moves: BTreeMap<&Tag, Moved<'_>> = BTreeMap::new();
    for event in events {
        if let Event::TagMoved { tag, from, to } = event {
            moves
                .entry(tag)
                .and_modify(|moved| {
                    moved.to = to;
                    moved.steps += 1;
                })
                .or_insert(Moved { tag, from, to, steps: 1 });
        }
    }
    moves
}
