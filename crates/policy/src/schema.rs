//! The policy's JSON Schema, for editors.

use super::raw::RawPolicy;

/// The schema of a policy file, as `policies/prodpin.schema.json` publishes it.
#[must_use]
pub fn schema_text() -> String {
    // Through serde, which puts the title first and the definitions last.
    let schema = schemars::schema_for!(RawPolicy);
    serde_json::to_string_pretty(&schema).map_or_else(|_| format!("{:#}\n", schema.as_value()), |text| text + "\n")
}
