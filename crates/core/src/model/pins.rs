//! What the policy says about the pins of one source, and what kind of thing a pin is there.

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
}

/// What a pin is, to rules that clean up.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PinKind {
    /// One more name or mark, which a rule may match or count.
    Tag,
    /// A legal hold: no rule looks at it, and it keeps what it is on from being deleted.
    Hold,
}
