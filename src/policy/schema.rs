//! The policy's JSON Schema, for editors.

use super::raw::RawPolicy;

/// The schema of a policy file, as `policies/prodpin.schema.json` publishes it.
#[must_use]
pub fn schema_text() -> String {
    format!("{:#}\n", schemars::schema_for!(RawPolicy).as_value())
}
