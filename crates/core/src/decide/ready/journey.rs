//! A workload's way from what it runs to the release to go back to: what every platform's commands are made from.

use std::collections::BTreeSet;

use crate::model::{ArtifactId, Automation, Control, Workload};

use super::shell::Unsafe;

/// Commands, and what to know about them.
pub(super) type CommandsAndNotes = (Vec<Result<String, Unsafe>>, Vec<String>);

/// What a platform's commands are made from.
pub(super) struct Journey<'a> {
    pub(super) workload: &'a Workload,
    /// What is called what.
    pub(super) from: String,
    pub(super) to: String,
    /// What the platform calls its state now.
    pub(super) from_revision: Option<&'a str>,
    /// What it calls the state to go back to, if it still has that, and starting it brings those bytes.
    pub(super) to_revision: Result<&'a str, Dead>,
    /// Why the cluster would not start that state, where a rehearsal found that.
    pub(super) refused: Option<String>,
    /// What decides how the workload can be changed by hand.
    pub(super) control: Option<&'a Control>,
    /// What watches the registry and writes the workloads that this applies from Git.
    pub(super) beside: BTreeSet<Automation>,
    /// Whether the old state names the bytes to go back to by a tag.
    pub(super) by_tag: bool,
    /// Whether what is to be left is named by a tag.
    pub(super) left_by_tag: bool,
    /// Whether what is to be left is being started, and no pod of it is ready.
    pub(super) is_stuck: bool,
    /// Containers, or of a function aliases, that run what is to be left.
    pub(super) parts: BTreeSet<&'a str>,
    /// Whether something of it runs what is to be left under no alias.
    pub(super) bare: bool,
    /// How a client names the bytes to go back to.
    pub(super) address: Option<&'a str>,
    /// The bytes to go back to.
    pub(super) artifact: &'a ArtifactId,
    pub(super) pinned: bool,
    /// What the manifests name today: a tag, or a digest.
    pub(super) needle: String,
    /// Whether something deploys this repository from Git, and will do so again.
    pub(super) from_git: bool,
    /// Whether Helm has a release of it.
    pub(super) from_helm: bool,
    /// Whether production went back from a newer release, and may still be on its way.
    pub(super) goes_back: bool,
    /// The commit that what is to be left was built from.
    pub(super) source_commit: Option<String>,
}

/// Why the platform's own old state is no way back.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Dead {
    /// It does not have it, or not any more.
    Unknown,
    /// It names a tag that names other bytes now: going back to it would start those.
    TagMoved,
    /// It names a tag, and what that names now is not known.
    TagUnknown,
    /// The cluster would not start it, as its rehearsal showed.
    Refused,
}

/// Why the platform's own old state is not gone back to.
pub(super) fn dead(journey: &Journey<'_>, dead: Dead) -> String {
    let Journey { to, refused, .. } = journey;
    match dead {
        Dead::Refused => refused.clone().unwrap_or_else(|| "the cluster would not start its own old state".to_owned()),
        Dead::Unknown => format!("it has no state of its own left that holds {to}: the bytes are named instead"),
        Dead::TagMoved => {
            format!(
                "its own old state names {to} by a tag that names other bytes now: going back to it would start those"
            )
        }
        Dead::TagUnknown => {
            format!("its own old state names {to} by a tag, and what that names now could not be told")
        }
    }
}
