//! What cleans up in a registry, where no rules can be read: which kind of registry it is, and what the policy says
//! about it (F123).

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// What the policy says removes artifacts in a source whose cleanup rules cannot be read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum StatedCleanup {
    /// Nothing.
    None,
    /// Only what has no tag.
    Untagged,
    /// Not known.
    Unknown,
}

/// A kind of registry whose own cleanup rules an `oci` source cannot read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum RegistryKind {
    /// Harbor.
    Harbor,
    /// zot.
    Zot,
    /// Quay, and quay.io.
    Quay,
    /// GitLab's container registry.
    GitLab,
    /// Azure Container Registry.
    Azure,
    /// Google Artifact Registry, and gcr.io, which it serves.
    Google,
    /// JFrog Artifactory.
    Artifactory,
    /// Sonatype Nexus Repository.
    Nexus,
    /// Gitea or Forgejo.
    Gitea,
    /// Amazon ECR, read as any registry and not by its own interface.
    Ecr,
    /// Another service that offers cleanup rules, known by its address.
    Hosted(&'static str),
}

/// What is known of a registry's kind.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub enum Recognised {
    /// Not asked: the source reads its rules itself, or the policy makes the question idle.
    #[default]
    NotAsked,
    /// Every mark was looked for, and none of a kind with cleanup rules was there.
    Plain,
    /// This kind.
    Kind(RegistryKind),
    /// A question about it was not answered.
    Unknown {
        /// Which, and how it failed.
        detail: String,
    },
}

/// What cleans up in a source, as far as it can be told.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Cleanup {
    /// What the registry is.
    pub registry: Recognised,
    /// What the policy says.
    pub stated: Option<StatedCleanup>,
}

impl RegistryKind {
    /// What people call it.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Harbor => "Harbor",
            Self::Zot => "zot",
            Self::Quay => "Quay",
            Self::GitLab => "GitLab's container registry",
            Self::Azure => "Azure Container Registry",
            Self::Google => "Google Artifact Registry",
            Self::Artifactory => "JFrog Artifactory",
            Self::Nexus => "Sonatype Nexus",
            Self::Gitea => "Gitea or Forgejo",
            Self::Ecr => "Amazon ECR",
            Self::Hosted(name) => name,
        }
    }

    /// Whether a GET of a manifest counts there: as a pull that keeps what was pulled, or against a quota (J9, K55, C94).
    #[must_use]
    pub const fn counts_pulls(self) -> bool {
        // Of those not named it is not known.
        !matches!(self, Self::GitLab | Self::Gitea)
    }

    /// Whether its cleanup of untagged manifests is known to spare those that a tagged index names (J5, K52, K55).
    #[must_use]
    pub const fn spares_children(self) -> bool {
        matches!(self, Self::Harbor | Self::Quay | Self::Zot)
    }
}

impl std::fmt::Display for RegistryKind {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.pad(self.name())
    }
}

impl Cleanup {
    /// The kind, if one with cleanup rules was recognised.
    #[must_use]
    pub fn kind(&self) -> Option<RegistryKind> {
        match self.registry {
            Recognised::Kind(kind) => Some(kind),
            Recognised::NotAsked | Recognised::Plain | Recognised::Unknown { .. } => None,
        }
    }

    /// Whether no new pin is made here: rules that nobody read may count tags, and then a pin pushes another release
    /// out (I22). What the policy states has the last word.
    #[must_use]
    pub fn withholds_pins(&self) -> bool {
        self.stated.is_none() && matches!(self.registry, Recognised::Kind(_) | Recognised::Unknown { .. })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pins_are_withheld_where_rules_are_unread_and_the_policy_is_silent_i22_f123() {
        let unknown = Recognised::Unknown { detail: String::new() };
        for (registry, stated, withheld) in [
            (Recognised::NotAsked, None, false),
            (Recognised::Plain, None, false),
            (Recognised::Kind(RegistryKind::Harbor), None, true),
            (unknown.clone(), None, true),
            (unknown, Some(StatedCleanup::Unknown), false),
            (Recognised::Kind(RegistryKind::Zot), Some(StatedCleanup::None), false),
            (Recognised::Kind(RegistryKind::Zot), Some(StatedCleanup::Untagged), false),
            (Recognised::Kind(RegistryKind::Zot), Some(StatedCleanup::Unknown), false),
        ] {
            let cleanup = Cleanup { registry, stated };
            assert_eq!(cleanup.withholds_pins(), withheld, "{cleanup:?}");
        }
    }
}
