//! Whether a service can be rolled back, and to what: as it is written, and as it is read from a program before.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::status::ServiceStatus;
use crate::model::ArtifactId;

/// Whether a repository can be rolled back now.
#[derive(Debug, Clone, PartialEq, JsonSchema)]
pub struct Rollback {
    /// In one word. Always there in what is written now; a report of a program before gets it when it is read.
    pub status: Option<ServiceStatus>,
    /// Whether the release to go back to is intact: every part of it is proven to be there. `null`: could not be told, or
    /// there is no earlier release.
    pub intact: Option<bool>,
    /// Whether every rollback target is protected. `null`: could not be told, or there is no earlier release.
    pub protected: Option<bool>,
    /// As documents have had it from their first version on, for programs that read it. `true`: the release before is
    /// intact, and neither the policy nor a workload says that the database has left it behind. `false`: no earlier release
    /// is intact, there is none yet, or none works on today's database. `null`: could not be told. Only `status` says whether
    /// a service is protected or ready: what images say of the database only `prodpin ready` asks.
    pub ready: Option<bool>,
    /// What production runs, as far as known; where nothing says what runs, the latest release.
    #[schemars(with = "Option<String>")]
    pub current: Option<ArtifactId>,
    /// What to go back from: what is being brought in, else what runs, else what is wanted.
    #[schemars(with = "Option<String>")]
    pub from: Option<ArtifactId>,
    /// A newer release that production went back from: it is no way back.
    #[schemars(with = "Option<String>")]
    pub went_back_from: Option<ArtifactId>,
    /// What to roll back to: the most recent intact release before the current one.
    #[schemars(with = "Option<String>")]
    pub to: Option<ArtifactId>,
    /// How many releases before the current one are intact.
    pub depth: u32,
    /// How many releases before the current one are known, intact or not.
    pub earlier: Option<u32>,
    /// How many the policy keeps.
    pub keep: u32,
    /// Why it could not be told, and how to make it known, where one sentence says that.
    #[schemars(skip_serializing_if = "Option::is_none")]
    pub unknown: Option<String>,
    /// The release that took from the database what every earlier one needs, by what the policy and workloads say: there
    /// is no going back. What images say of the database only `prodpin ready` asks.
    #[schemars(skip_serializing_if = "Option::is_none", with = "Option<String>")]
    pub contracted: Option<ArtifactId>,
}

/// As it is written.
#[derive(Serialize)]
struct WrittenRollback<'a> {
    status: Option<ServiceStatus>,
    intact: Option<bool>,
    protected: Option<bool>,
    ready: Option<bool>,
    current: &'a Option<ArtifactId>,
    from: &'a Option<ArtifactId>,
    went_back_from: &'a Option<ArtifactId>,
    to: &'a Option<ArtifactId>,
    depth: u32,
    earlier: Option<u32>,
    keep: u32,
    #[serde(skip_serializing_if = "Option::is_none")]
    unknown: &'a Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    contracted: &'a Option<ArtifactId>,
}

impl Serialize for Rollback {
    fn serialize<S: serde::Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        let intact = self.intact.filter(|intact| *intact && self.contracted.is_none());
        WrittenRollback {
            status: self.status,
            intact: self.intact,
            protected: self.protected,
            ready: self.ready.or(intact),
            current: &self.current,
            from: &self.from,
            went_back_from: &self.went_back_from,
            to: &self.to,
            depth: self.depth,
            earlier: self.earlier,
            keep: self.keep,
            unknown: &self.unknown,
            contracted: &self.contracted,
        }
        .serialize(to)
    }
}

/// As it is read, from a program before, too: what that called ready is what is intact.
#[derive(Deserialize)]
struct ReadRollback {
    #[serde(default)]
    status: Option<ServiceStatus>,
    #[serde(default, deserialize_with = "stated")]
    intact: Option<Option<bool>>,
    #[serde(default)]
    protected: Option<bool>,
    ready: Option<bool>,
    current: Option<ArtifactId>,
    from: Option<ArtifactId>,
    went_back_from: Option<ArtifactId>,
    to: Option<ArtifactId>,
    depth: u32,
    earlier: Option<u32>,
    keep: u32,
    #[serde(default)]
    unknown: Option<String>,
    #[serde(default)]
    contracted: Option<ArtifactId>,
}

/// What stands there, `null` included.
fn stated<'de, D: serde::Deserializer<'de>>(from: D) -> Result<Option<Option<bool>>, D::Error> {
    Option::<bool>::deserialize(from).map(Some)
}

impl<'de> Deserialize<'de> for Rollback {
    fn deserialize<D: serde::Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        ReadRollback::deserialize(from).map(Self::from)
    }
}

impl From<ReadRollback> for Rollback {
    fn from(read: ReadRollback) -> Self {
        let (intact, ready) = match (read.intact, read.ready) {
            (Some(intact), ready) => (intact, ready.filter(|ready| !ready)),
            (None, Some(true)) => (Some(true), None),
            // What the database has left behind may be whole all the same.
            (None, Some(false)) if read.contracted.is_some() => ((read.depth > 0).then_some(true), Some(false)),
            (None, Some(false)) if read.earlier == Some(0) => (None, Some(false)),
            (None, ready) => (ready, ready),
        };
        Self {
            status: read.status,
            intact,
            protected: read.protected,
            ready,
            current: read.current,
            from: read.from,
            went_back_from: read.went_back_from,
            to: read.to,
            depth: read.depth,
            earlier: read.earlier,
            keep: read.keep,
            unknown: read.unknown,
            contracted: read.contracted,
        }
    }
}
