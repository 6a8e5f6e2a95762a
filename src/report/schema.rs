//! The JSON Schema of the JSON report: the contract that `prodpin schema report` prints.

use schemars::Schema;
use schemars::generate::SchemaSettings;

use super::document::Document;

/// The schema of what `--format json` writes.
#[must_use]
pub fn schema() -> Schema {
    // Of what is written, not of what could be read: a field that is always there is required.
    let mut schema = SchemaSettings::draft2020_12().for_serialize().into_generator().into_root_schema_for::<Document>();
    schema.insert("title".to_owned(), "prodpin report".into());
    schema.insert("description".to_owned(), "What prodpin writes with --format json.".into());
    schema
}

/// The schema as text, as it is published.
#[must_use]
pub fn text() -> String {
    format!("{:#}\n", schema().as_value())
}
