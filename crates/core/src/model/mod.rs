//! What prodpin talks about, as types. Nothing here reads, writes, waits or asks for the time.
//!
//! Names, digests and references are parsed here, once; past this boundary no bare string stands for one.

mod account;
mod acr;
mod acr_command;
mod advice;
mod artifact;
mod attribution;
mod automation;
mod bucket;
mod chart;
mod cleanup;
mod compliance;
mod control;
mod digest;
mod drill;
mod ecr;
mod event;
mod evidence;
mod fail_on;
mod finding;
mod gap;
mod gar;
mod gitlab;
mod harbor;
mod history;
mod intent;
mod layout;
mod marks;
mod name;
mod obstacle;
mod open_findings;
mod parts;
mod pattern;
mod pins;
mod production;
mod provenance;
mod quay;
mod reach;
mod rebase;
mod reference;
mod rehearsal;
mod restored;
mod retention;
mod setting;
mod short_text;
mod sightings;
mod signed;
mod snapshot;
mod survival;
mod tag_table;
mod text;
mod threat;
mod undelete;
mod waiver;
mod workload;
mod zot;

pub use account::AwsAccount;
pub use acr::{
    AcrCommand, AcrLocks, AcrManifest, AcrOwnRules, AcrPurge, AcrPurges, AcrRepository, AcrRetention, AcrTag,
};
pub use advice::{Advice, AdviceKind};
pub use artifact::{ArtifactId, ArtifactIdError, Pin};
pub use attribution::{Attribution, Confidence, TagChange, TrailAct, TrailAnswer, TrailEntry, UnnamedChange};
pub use automation::{Analysis, AnalysisOutcome, AutomatedSync, Automation, Delivery, Stage};
pub use bucket::{
    BucketExpiration, BucketLifecycle, BucketRetention, BucketRule, BucketTransition, Checksum, Lock, LockMode,
    NoncurrentLimit, ObjectState, Replication, Retained, RuleFilter, StorageClass, TagSet, TransitionMinimum, Trigger,
};
pub use chart::ChartVersion;
pub use cleanup::{Cleanup, Recognised, RegistryKind, StatedCleanup};
pub use compliance::{ComplianceControl, ControlArea};
pub use control::{Control, Manager, Updates, Writer};
pub use digest::{Digest, DigestError};
pub use drill::{BrokenPart, Drill, DrillOutcome, DrilledFrom};
pub use ecr::{
    EcrHost, EcrImage, EcrRepository, ImageStatus, LifecycleChange, Mutability, RepositorySettings, Setting,
    SettingDigest, Unclaimed, is_account, is_region,
};
pub use event::{
    Answers, Counts, DeploymentState, Entry, Event, FindingKey, Mode, RunId, RunRecord, RunScope, SourceRecord,
};
pub use evidence::{
    Disagreement, ListStep, NotFoundWord, PageFacts, PartAnswer, PartProof, Served, Sought, is_blocked,
    judge_not_found, judge_page, judge_part,
};
pub use fail_on::FailOn;
pub use finding::{Code, Finding, Severity, Waived};
pub use gap::{Cause, Gap, GapTally, PinFailure, Scope};
pub use gar::{GarImage, GarRepository};
pub use gitlab::{GitLabRepository, GitLabTag};
pub use harbor::{
    HarborArtifact, HarborCollection, HarborReplication, HarborReplicationDirection, HarborReplicationFilter,
    HarborReplicationPolicy, HarborReplicationTrigger, HarborRepository, HarborTag,
};
pub use history::{Mark, RepositoryState, Span, Wanting};
pub use intent::{Intent, Speaker, is_overtaken};
pub use layout::{Layout, LayoutError};
pub use marks::{Marks, WellKnown};
pub use name::{NameError, RepositoryKey, RepositoryName, SourceName, Tag};
pub use obstacle::Obstacle;
pub use open_findings::OpenFindings;
pub use parts::{Attached, LostAttachment, Part, Parts, attaching_tag};
pub use pattern::{NamePatterns, PatternError};
pub use pins::{PinCover, PinKind, PinRemoval, PinTerms};
pub use production::{DeployedReference, Deployment, Evidence, NodeDigest, Order, ProductionRule};
pub use provenance::{Commit, DatabaseRule, Effects, Provenance, SchemaChange, SchemaStatement};
pub use quay::{QuayCache, QuayImmutability, QuayPolicies, QuayPolicy, QuayRepository, QuayRow, QuayServer, QuayState};
pub use reach::{ObjectName, Reach};
pub use rebase::{rebase, seen};
pub use reference::without_credentials;
pub use reference::{Reference, ReferenceError};
pub use rehearsal::{
    DryRun, Found, Need, NeededKind, NeededObject, Pull, Refusal, Rehearsal, RehearsalFacts, RehearsalOutcome, Sent,
};
pub use restored::PutBack;
pub use retention::Retention;
pub use setting::{SettingFacts, Versioning};
#[cfg(test)]
use sightings::SIGHTINGS_KEPT;
pub use sightings::{Sighting, TagHistory, TagStatus};
pub use signed::{SignatureCheck, SignatureVerdict, UnverifiedSignature};
pub use snapshot::{
    ArtifactKind, Closure, Content, DeleteMarker, Inspection, ObjectFacts, ObjectVersion, ObservedTag, PinState,
    Presence, RepositoryKind, Resolution, Snapshot,
};
pub use survival::{Answer, Loss, Required, Survival, Survives};
pub use tag_table::{KnownTag, TagTable};
pub use threat::{Certainty, Due, Effect, Threat, Toll};
pub use undelete::{DeletedManifest, Undeletable, Undelete};
pub use waiver::Waiver;
pub use workload::{ChartReference, Concern, Platform, Shortcoming, Tenure, Waiting, Workload, claimant, signal_of};
pub use zot::{ZotKeep, ZotManifest, ZotPolicy, ZotRepository, ZotSettings, ZotUse};
