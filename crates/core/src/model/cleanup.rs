//! What cleans up in a registry, where no rules can be read: which kind of registry it is, and what the policy says
//! about it (F123).

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::SettingFacts;

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

/// A kind of registry: most have cleanup rules of their own that an `oci` source cannot read.
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
    /// Docker Hub, which has no cleanup rules (K59).
    DockerHub,
    /// GitHub's registry, which has no cleanup rules (K58).
    GitHub,
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
    /// No mark of any kind now, and this kind's in an earlier run: what hides the marks of a registry is more common than
    /// another registry under its name.
    Before(RegistryKind),
    /// A question about it was not answered.
    Unknown {
        /// Which, and how it failed.
        detail: String,
    },
}

/// What cleans up in a source, as far as it can be reported.
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
            Self::DockerHub => "Docker Hub",
            Self::GitHub => "GitHub's registry",
            Self::Ecr => "Amazon ECR",
            Self::Hosted(name) => name,
        }
    }

    /// Whether a GET of a manifest counts there: as a pull that keeps what was pulled, or against a quota (J9, K55, C94).
    #[must_use]
    pub const fn counts_pulls(self) -> bool {
        // Of those not named it is not known.
        !matches!(self, Self::GitLab | Self::Gitea | Self::GitHub)
    }

    /// Whether it has cleanup rules of its own at all: where it has none, nothing is unknown of them (K58, K59).
    #[must_use]
    pub const fn has_rules(self) -> bool {
        !matches!(self, Self::DockerHub | Self::GitHub)
    }

    /// Whether its rules can count tags, so that each further one may cost a release its place (K49, K53, K55, K57, K60,
    /// K61). Google counts digests, the platforms of an index among them, tagged or not (K43); Nexus keeps no number (K62).
    #[must_use]
    pub const fn may_count_tags(self) -> bool {
        self.has_rules() && !matches!(self, Self::Google | Self::Nexus)
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
            Recognised::NotAsked | Recognised::Plain | Recognised::Before(_) | Recognised::Unknown { .. } => None,
        }
    }

    /// The same with what an earlier run recognised: a mark that is gone is not believed.
    #[must_use]
    pub fn remembering(self, before: Option<&SettingFacts>) -> Self {
        let Some(SettingFacts::Registry { recognised: Some(name) }) = before else { return self };
        if self.registry != Recognised::Plain {
            return self;
        }
        let registry = RegistryKind::called(name).map_or_else(
            || Recognised::Unknown {
                detail: format!("an earlier run recognised it as {name}, and it shows no mark now"),
            },
            Recognised::Before,
        );
        Self { registry, ..self }
    }

    /// What is to be remembered of it, where that is not on record.
    #[must_use]
    pub fn to_remember(&self, before: Option<&SettingFacts>) -> Option<SettingFacts> {
        let facts = SettingFacts::Registry { recognised: Some(self.kind()?.name().to_owned()) };
        (before != Some(&facts)).then_some(facts)
    }

    /// Whether no new pin is made here: rules that nobody read may count tags, and then a pin pushes another release
    /// out (I22). What the policy states has the last word.
    #[must_use]
    pub fn withholds_pins(&self) -> bool {
        self.stated.is_none() && !self.is_known_without_rules()
    }

    /// Whether there are no cleanup rules that could be unread.
    #[must_use]
    pub fn is_known_without_rules(&self) -> bool {
        match self.registry {
            Recognised::NotAsked | Recognised::Plain => true,
            Recognised::Kind(kind) | Recognised::Before(kind) => !kind.has_rules(),
            Recognised::Unknown { .. } => false,
        }
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
            (Recognised::Kind(RegistryKind::GitHub), None, false),
            (Recognised::Before(RegistryKind::GitHub), None, false),
            (Recognised::Before(RegistryKind::Harbor), None, true),
            (Recognised::Before(RegistryKind::Harbor), Some(StatedCleanup::None), false),
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

    #[test]
    fn a_mark_that_is_gone_is_not_believed_i22_f123() {
        let known = |name: &str| SettingFacts::Registry { recognised: Some(name.to_owned()) };
        let (harbor, nothing) = (known("Harbor"), SettingFacts::Registry { recognised: None });
        let zot = || Recognised::Kind(RegistryKind::Zot);
        let was = Recognised::Before(RegistryKind::Harbor);
        for (registry, before, then) in [
            (Recognised::Plain, Some(&harbor), Some(was)),
            (Recognised::Plain, Some(&nothing), None),
            (Recognised::Plain, None, None),
            (zot(), Some(&harbor), None),
            (Recognised::NotAsked, Some(&harbor), None),
            (Recognised::Unknown { detail: String::new() }, Some(&harbor), None),
        ] {
            let cleanup = Cleanup { registry: registry.clone(), stated: None };
            assert_eq!(cleanup.remembering(before).registry, then.unwrap_or(registry));
        }
        // Of a kind that this release does not know, it is known at least that it was one.
        let strange = Cleanup { registry: Recognised::Plain, stated: None }.remembering(Some(&known("Tinydock")));
        assert!(strange.withholds_pins() && matches!(strange.registry, Recognised::Unknown { .. }), "{strange:?}");

        let cleanup = |registry| Cleanup { registry, stated: None };
        assert_eq!(cleanup(zot()).to_remember(None), Some(known("zot")));
        assert_eq!(cleanup(zot()).to_remember(Some(&harbor)), Some(known("zot")));
        assert_eq!(cleanup(zot()).to_remember(Some(&known("zot"))), None, "once (I13)");
        assert_eq!(cleanup(Recognised::Plain).to_remember(Some(&harbor)), None, "what was known stays");
    }
}
