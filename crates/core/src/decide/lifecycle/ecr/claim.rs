//! The claim rule: the one that keeps the pins from all others, by looking at them first (A51).

use super::rule::{Rule, StorageClass, TagRule};

/// A claim rule keeps enough while it keeps ten times as many as there are pins.
pub(super) const SPARE_FACTOR: u64 = 10;
/// And a hundred more: whoever pins a service for the first time adds a few at once.
const SPARE_PINS: u64 = 100;

/// The rule of a storage class that claims the pins.
#[derive(Debug, Clone, Copy)]
pub(super) struct Claim<'a> {
    /// The first rule that is there for the pins' sake and looks at every one.
    pub(super) rule: Option<&'a Rule>,
    /// The first rule before it, or of all, that can act on an image with a pin. A rule for untagged images cannot.
    pub(super) rival: Option<&'a Rule>,
}

impl<'a> Claim<'a> {
    pub(super) fn find(rules: &'a [Rule], class: StorageClass) -> Self {
        let mut own = rules.iter().filter(|rule| rule.class == class);
        let rule = own.clone().find(|rule| is_claim(rule));
        let rival = own.find(|rule| rule.tags != TagRule::Untagged).filter(|first| !is_claim(first));
        Self { rule, rival }
    }
}

/// Whether the rule is there for the pins' sake and looks at every one.
pub(super) fn is_claim(rule: &Rule) -> bool {
    rule.is_for_pins() && rule.claims_every_pin()
}

/// A claim rule of the archive cannot count; ten years on nobody rolls back to what was archived.
pub(super) const LASTING_DAYS: u64 = 3_650;

/// Whether a rule that keeps so many is far from full with so many pins.
pub(super) fn is_ample(keep: u64, pins: u64) -> bool {
    keep >= pins.saturating_mul(SPARE_FACTOR) && keep.saturating_sub(pins) >= SPARE_PINS
}
