//! What the policy says about the pins of one source, and what kind of thing a pin is there.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::Required;

/// What the policy says about the pins of one source.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct PinTerms {
    /// Whether a pin may take the place of artifacts that no production rule names (I22).
    pub may_displace: bool,
    /// Whether pins are made where the rules that clean up are not known.
    pub blind: bool,
    /// What rollback targets are to survive beyond what protected means.
    pub require: Required,
    /// What of a target is pinned.
    pub cover: PinCover,
    /// Whether the policy names a vault. What that holds is reported once the run has looked, and not by the plan.
    pub has_vault: bool,
}

/// What of a target is pinned.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum PinCover {
    /// What its registry's cleanup asks for, as far as that is known.
    #[default]
    Auto,
    /// The target, every manifest below it, and what is attached to them.
    Closure,
    /// The target alone.
    Index,
}

/// What a pin is, to rules that clean up.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PinKind {
    /// One more name or mark, which a rule may match or count.
    Tag,
    /// A legal hold: no rule looks at it, and it keeps what it is on from being deleted.
    Hold,
}

/// How a pin is removed in a source, as far as that is known to remove nothing else.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum PinRemoval {
    /// The pin is a tag, and a tag can be removed alone.
    Untag {
        /// Whether a manifest stays that has no tag any more.
        leaves_untagged: bool,
    },
    /// The pin is a tag, and the registry's own interface removes it by its name, where no rule holds it immutable (J24).
    ByName,
    /// The pin is a hold or a mark on an object version, and is taken off.
    TakeOff,
    /// Not at all.
    Unsupported {
        /// Why not, as a clause.
        detail: String,
    },
}
