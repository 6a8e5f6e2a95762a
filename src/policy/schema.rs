//! The policy's JSON Schema, for editors.

use super::raw::RawPolicy;

/// The schema of a policy file.
#[must_use]
pub fn schema() -> schemars::Schema {
    schemars::schema_for!(RawPolicy)
}
