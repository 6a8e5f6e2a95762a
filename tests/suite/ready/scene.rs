//! A repository, what signals say of it, and the page that the pure decision makes of that. No server, no file.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use jiff::Timestamp;
use prodpin::decide::{self, Attempts, Input, Labels, Rules, forecast, ready};
use prodpin::model::{
    ArtifactId, Closure, Commit, Control, DatabaseRule, DeployedReference, Deployment, Digest, Event, Evidence, Gap,
    Inspection, Mark, Mode, NamePatterns, ObservedTag, PinState, Platform, Presence, ProductionRule, Provenance,
    RepositoryKey, RepositoryState, Resolution, SchemaChange, SchemaStatement, Snapshot, Tenure, Waiting, Workload,
    claimant,
};
use prodpin::outcome::ready::{ReadySection, RepositoryReady};
use prodpin::outcome::report::{RepositoryReport, Row};
use prodpin::report::ready::ReadyWriter;

/// A moment of the day before the night on which everything is asked.
pub(crate) fn at(hour: i8) -> Timestamp {
    format!("2026-03-01T{hour:02}:00:00Z").parse().unwrap()
}

pub(crate) fn artifact(text: &str) -> ArtifactId {
    Digest::sha256(text.as_bytes()).into()
}

/// What a signal says, in the making.
#[derive(Clone)]
pub(crate) struct Said {
    running: Deployment,
    signal: &'static str,
}

pub(crate) fn workload(platform: Platform, namespace: Option<&str>, kind: &str, name: &str) -> Workload {
    Workload { platform, namespace: namespace.map(Arc::from), kind: kind.into(), name: name.into() }
}

pub(crate) fn kubernetes(kind: &str, name: &str) -> Workload {
    workload(Platform::Kubernetes { context: Some("prod-eu".into()) }, Some("shop"), kind, name)
}

impl Said {
    fn new(workload: &Workload, reference: DeployedReference, tenure: Tenure) -> Self {
        let signal = match workload.platform {
            Platform::Kubernetes { .. } | Platform::Helm { .. } => "kubernetes prod-eu",
            Platform::ArgoCd { .. } => "argocd prod-eu",
            Platform::Flux { .. } => "flux prod-eu",
            Platform::Ecs { .. } => "ecs eu-west-1",
            Platform::Lambda { .. } => "lambda eu-west-1",
            Platform::AppRunner { .. } => "app_runner eu-west-1",
        };
        let evidence = match tenure {
            Tenure::Now { .. } => Evidence::RunningDigest,
            Tenure::Wanted { .. } => Evidence::StablePointer,
            Tenure::Before { .. } => Evidence::HistoryReference,
        };
        let running = Deployment {
            tenure,
            workload: Some(Arc::new(workload.clone())),
            container: Some("api".into()),
            ..Deployment::now(reference, evidence, claimant(signal, workload))
        };
        Self { running, signal }
    }

    /// It runs these bytes now, under this tag.
    pub(crate) fn now(workload: &Workload, tag: &str, text: &str, since: i8) -> Self {
        let reference = DeployedReference::Artifact(artifact(text));
        let mut said = Self::new(workload, reference, Tenure::Now { since: Some(at(since)) });
        said.running.named_as = Some(tag.parse().unwrap());
        said
    }

    /// It runs these bytes now, by digest.
    pub(crate) fn now_exactly(workload: &Workload, text: &str, since: i8) -> Self {
        let reference = DeployedReference::Artifact(artifact(text));
        Self::new(workload, reference, Tenure::Now { since: Some(at(since)) })
    }

    /// It runs what this tag names, and no node says which bytes those are.
    pub(crate) fn tagged_now(workload: &Workload, tag: &str) -> Self {
        Self::new(workload, DeployedReference::Tag(tag.parse().unwrap()), Tenure::Now { since: None })
    }

    /// It ran what this tag named.
    pub(crate) fn before(workload: &Workload, tag: &str, until: i8) -> Self {
        let reference = DeployedReference::Tag(tag.parse().unwrap());
        Self::new(workload, reference, Tenure::Before { last: Some(at(until)) })
    }

    /// It ran these bytes, by digest.
    pub(crate) fn before_exactly(workload: &Workload, text: &str, until: i8) -> Self {
        Self::new(workload, DeployedReference::Artifact(artifact(text)), Tenure::Before { last: Some(at(until)) })
    }

    /// It would start what this tag names, and does not run it.
    pub(crate) fn wanted(workload: &Workload, tag: &str, why: Waiting) -> Self {
        Self::new(workload, DeployedReference::Tag(tag.parse().unwrap()), Tenure::Wanted { why })
    }

    /// The place of this state in the order in which the workload's states first came.
    pub(crate) fn introduced(mut self, place: u64) -> Self {
        self.running.introduced = Some(place);
        self
    }

    pub(crate) fn revision(mut self, revision: &str) -> Self {
        self.running.revision = Some(revision.into());
        self
    }

    pub(crate) fn part(mut self, container: Option<&str>) -> Self {
        self.running.container = container.map(Arc::from);
        self
    }

    /// How the workload can be changed by hand.
    pub(crate) fn controlled(mut self, control: Control) -> Self {
        self.running.control = Some(Arc::new(control));
        self
    }

    /// What is joined with what another signal said.
    pub(crate) fn deployment(&mut self) -> &mut Deployment {
        &mut self.running
    }

    pub(crate) fn schema(mut self, schema: SchemaChange) -> Self {
        self.running.schema = Some(schema);
        self
    }
}

#[derive(Clone)]
pub(crate) struct Scene {
    pub(crate) tags: Vec<(String, ArtifactId)>,
    /// What signals said in each run, the last one now.
    pub(crate) runs: Vec<Vec<Said>>,
    /// Tags as they were in the runs before, where they differ.
    pub(crate) former: Vec<(String, ArtifactId)>,
    pub(crate) said: BTreeMap<ArtifactId, Result<Provenance, Gap>>,
    pub(crate) looks: BTreeMap<ArtifactId, Inspection>,
    pub(crate) database: Vec<DatabaseRule>,
    pub(crate) production: Vec<ProductionRule>,
    pub(crate) gaps: Vec<Gap>,
    /// What the ledger has beside what runs recorded.
    pub(crate) recorded: Vec<Event>,
    pub(crate) host: String,
    pub(crate) keep: u32,
}

/// An artifact that is whole and pinned.
pub(crate) fn whole(artifact: &ArtifactId) -> Inspection {
    Inspection {
        artifact: artifact.clone(),
        kind: None,
        presence: Presence::Present,
        created: None,
        children: Vec::new(),
        object: None,
        closure: Closure::Complete,
        pin: PinState::Present,
        obstacles: Vec::new(),
        lost_attestations: Vec::new(),
        gaps: Vec::new(),
        parts: Default::default(),
        pin_is_immutable: None,
        undeletable: None,
    }
}

impl Scene {
    /// Releases by tag, whose bytes are called like their tags.
    pub(crate) fn new(tags: &[&str]) -> Self {
        let tags: Vec<(String, ArtifactId)> = tags.iter().map(|tag| ((*tag).to_owned(), artifact(tag))).collect();
        Self {
            looks: tags.iter().map(|(_, artifact)| (artifact.clone(), whole(artifact))).collect(),
            said: tags.iter().map(|(_, artifact)| (artifact.clone(), Ok(Provenance::default()))).collect(),
            tags,
            runs: vec![Vec::new()],
            former: Vec::new(),
            database: Vec::new(),
            production: vec![ProductionRule::InUse],
            gaps: Vec::new(),
            recorded: Vec::new(),
            host: "registry.example.com".to_owned(),
            keep: 5,
        }
    }

    pub(crate) fn saying(mut self, said: impl IntoIterator<Item = Said>) -> Self {
        self.runs.last_mut().unwrap().extend(said);
        self
    }

    /// What an image says of itself.
    pub(crate) fn built(mut self, text: &str, commit: &str, schema: Option<SchemaChange>) -> Self {
        let provenance = Provenance {
            commit: Commit::read(commit),
            revision: Commit::read(commit).is_none().then(|| commit.into()),
            source: Some("https://git.example.com/shop/api".into()),
            schema,
            statement: None,
            irreversible: None,
        };
        self.said.insert(artifact(text), Ok(provenance));
        self
    }

    /// An image of this commit that says what lies between it and another one.
    pub(crate) fn stated(mut self, text: &str, commit: &str, statement: &str) -> Self {
        let provenance = Provenance {
            commit: Commit::read(commit),
            statement: SchemaStatement::read(statement),
            ..Provenance::default()
        };
        self.said.insert(artifact(text), Ok(provenance));
        self
    }

    /// No signal: tags that look like releases are all there is.
    pub(crate) fn by_tags(mut self) -> Self {
        let patterns = NamePatterns::new(["v*"]).unwrap();
        self.production = vec![ProductionRule::Tags { patterns, order: prodpin::model::Order::Semver }];
        self
    }

    /// No release does anything to the database.
    pub(crate) fn without_database(mut self) -> Self {
        let repositories = NamePatterns::new(["shop/*"]).unwrap();
        let schema = Some(SchemaChange::None);
        self.database.push(DatabaseRule { repositories, tags: None, schema, irreversible: None });
        self
    }

    pub(crate) fn look(mut self, text: &str, change: impl FnOnce(&mut Inspection)) -> Self {
        let artifact = artifact(text);
        change(self.looks.entry(artifact.clone()).or_insert_with(|| whole(&artifact)));
        self
    }

    fn snapshot(&self, tags: &[(String, ArtifactId)]) -> Snapshot {
        let mut tags: Vec<ObservedTag> = tags
            .iter()
            .map(|(tag, artifact)| ObservedTag {
                name: tag.parse().unwrap(),
                target: Resolution::Artifact(artifact.clone()),
                pushed: None,
                object: None,
            })
            .collect();
        tags.sort_by(|a, b| a.name.cmp(&b.name));
        Snapshot { tags, ..Snapshot::default() }
    }

    pub(crate) fn page(&self) -> RepositoryReady {
        self.decided().1
    }

    /// What was recorded at eleven in the evening.
    pub(crate) fn recorded(mut self, events: impl IntoIterator<Item = Event>) -> Self {
        self.recorded.extend(events);
        self
    }

    /// What the report says, and the page.
    pub(crate) fn decided(&self) -> (RepositoryReport, RepositoryReady) {
        self.planned(|input, plan| {
            let addresses = self
                .looks
                .keys()
                .map(|artifact| (artifact.clone(), format!("{}/shop/api@{artifact}", self.host)))
                .collect();
            let page = ready::page(&ready::Facts {
                input,
                plan: &plan,
                row: forecast::row(input, &plan, None, false),
                said: &self.said,
                addresses: &addresses,
                has_history: true,
            });
            let mut row = Row { repository: Some(plan.report), findings: plan.findings };
            row.judge();
            (row.repository.unwrap(), page)
        })
    }

    /// What follows from its plan.
    pub(crate) fn planned<T>(&self, then: impl FnOnce(&Input<'_>, decide::Plan) -> T) -> T {
        let key = RepositoryKey { source: "shop".parse().unwrap(), name: "shop/api".parse().unwrap() };
        let rules = Rules { keep: self.keep, production: self.production.clone(), may_move: NamePatterns::none() };
        let signals: BTreeSet<Arc<str>> = self.runs.iter().flatten().map(|said| said.signal.into()).collect();
        let mut state = RepositoryState::default();
        let mut events = Vec::new();
        let mut snapshot = Snapshot::default();
        let mut running: Vec<Deployment> = Vec::new();
        let last = self.runs.len() - 1;
        for (n, run) in self.runs.iter().enumerate() {
            let hour = i8::try_from(24 - self.runs.len() + n).unwrap();
            let mark = Mark { sequence: n as u64 + 1, at: at(hour) };
            snapshot = match n < last && !self.former.is_empty() {
                true => self.snapshot(&self.former),
                false => self.snapshot(&self.tags),
            };
            events = decide::changes(&snapshot, &decide::Asked::default(), &state);
            decide::fold(&mut state, mark, &events);
            running = run.iter().map(|said| said.running.clone()).collect();
            running.sort();
            decide::yield_to_pods(&mut running, &state, &rules, &Labels::default());
            let deployed = decide::deployments(&running, &signals, &state, &rules, &Labels::default(), mark.at);
            decide::fold(&mut state, mark, &deployed);
        }
        let mark = Mark { sequence: self.runs.len() as u64 + 1, at: at(23) };
        decide::fold(&mut state, mark, &self.recorded);
        let labels = BTreeMap::new();
        let selection = decide::select(&rules, &snapshot, &state, &labels, &running, &signals, at(23));
        let input = Input {
            key: &key,
            mode: Mode::Audit,
            now: "2026-03-02T03:00:00Z".parse().unwrap(),
            rules: &rules,
            snapshot: &snapshot,
            state: &state,
            events: &events,
            unnamed: &decide::attribution::Unnamed::new(),
            labels: &labels,
            running: &running,
            selection: &selection,
            inspections: &self.looks,
            attempts: &Attempts::new(),
            gaps: &self.gaps,
            pins: Default::default(),
            database: &self.database,
            claim: None,
        };
        let plan = decide::plan(&input);
        then(&input, plan)
    }

    /// The page as a terminal shows it, with digests under the names of what they are of.
    pub(crate) fn shown(&self) -> String {
        let page = self.page();
        let mut writer = ReadyWriter::default();
        writer.push(&page).unwrap();
        let section = ReadySection {
            at: "2026-03-02T03:00:00Z".parse().unwrap(),
            policy_sha256: Digest::sha256(b"policy"),
            complete: true,
            gaps: Vec::new(),
            only: Vec::new(),
        };
        let mut text = super::shown(&writer.finish(section), 120);
        let odd = ["implant", "v0"].map(|name| (name.to_owned(), artifact(name)));
        for (name, artifact) in odd.iter().chain(&self.former).chain(&self.tags) {
            text = text.replace(&artifact.to_string(), &format!("sha256:<{name}>"));
            text = text.replace(artifact.digest().unwrap().hex().as_str(), &format!("<{name}>"));
            text = text.replace(&artifact.short(), &format!("<{name}>"));
        }
        text
    }
}
