//! What the policy says about pins, for each source or for all of them.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::Deserialize;

use super::check::Checker;
use super::raw::RawSource;
use super::require::{RawRequire, required};
use super::spanned::{Entries, Spanned};
use prodpin_core::model::{PinCover, PinTerms, SourceName};

/// What is allowed about pins.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields, rename = "pins")]
#[schemars(rename = "Pins", default)]
pub(super) struct RawPins {
    /// Whether a pin may take the place of artifacts that no production rule names, where a cleanup rule keeps a number
    /// of them. Default false: such a pin is refused, with a finding that names them.
    may_displace: Spanned<bool>,
    /// What of a target is pinned in a registry: `closure` (it, every manifest below it, and what is attached to them),
    /// `index` (it alone), or `auto` (the default: `closure`, except where the registry is known to keep what a tagged index
    /// names, and where rules that cannot be read may count tags).
    cover: Spanned<PinCover>,
}

/// Who keeps the lifecycle policies of a source's repositories.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
#[schemars(rename = "Lifecycle")]
pub(super) enum RawLifecycle {
    /// Somebody else: prodpin reads them only.
    #[default]
    Read,
    /// `enforce` puts a rule in front of each that keeps the pins. Not where Terraform or CDK owns the policy: each would
    /// undo the other's work.
    Manage,
}

/// What the policy says about pins.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct PinPolicy {
    /// Where a source says nothing.
    pub usual: PinTerms,
    /// Where it does.
    pub of: BTreeMap<SourceName, PinTerms>,
}

impl PinPolicy {
    /// What holds for a source.
    #[must_use]
    pub fn for_source(&self, source: &SourceName) -> PinTerms {
        self.of.get(source).copied().unwrap_or(self.usual)
    }
}

impl Checker<'_> {
    /// The policy's own word, and that of each source, which may say the opposite of it.
    pub(super) fn pins(
        &self,
        usual: &Spanned<RawPins>,
        require: &Spanned<RawRequire>,
        sources: &Spanned<Entries<RawSource>>,
        has_vault: bool,
    ) -> PinPolicy {
        let usual = terms(usual, require, PinTerms { has_vault, ..PinTerms::default() });
        let entries = sources.value().map_or(&[][..], |entries| &entries.0);
        let of = entries.iter().filter_map(|(name, source)| {
            let (pins, require) = match source.value()? {
                RawSource::Oci(raw) => (&raw.pins, &raw.require),
                RawSource::Acr(raw) => (&raw.pins, &raw.require),
                RawSource::DockerHub(raw) => (&raw.pins, &raw.require),
                RawSource::Gar(raw) => (&raw.pins, &raw.require),
                RawSource::Ghcr(raw) => (&raw.pins, &raw.require),
                RawSource::GitLab(raw) => (&raw.pins, &raw.require),
                RawSource::Harbor(raw) => (&raw.pins, &raw.require),
                RawSource::S3(raw) => (&raw.pins, &raw.require),
                RawSource::Ecr(raw) => (&raw.pins, &raw.require),
                RawSource::Helm(raw) => (&raw.pins, &raw.require),
                RawSource::Quay(raw) => (&raw.pins, &raw.require),
                RawSource::Zot(raw) => (&raw.pins, &raw.require),
            };
            pins.span().or(require.span())?;
            Some((name.value()?.parse().ok()?, terms(pins, require, usual)))
        });
        PinPolicy { usual, of: of.collect() }
    }
}

fn terms(spanned: &Spanned<RawPins>, require: &Spanned<RawRequire>, usual: PinTerms) -> PinTerms {
    let may_displace = spanned.value().and_then(|pins| pins.may_displace.value().copied());
    let require = required(require).unwrap_or(usual.require);
    let cover = spanned.value().and_then(|pins| pins.cover.value().copied());
    PinTerms {
        may_displace: may_displace.unwrap_or(usual.may_displace),
        cover: cover.unwrap_or(usual.cover),
        require,
        ..usual
    }
}
