//! The JSON Schemas of what is written as JSON: the contracts that `prodpin schema` prints.

use schemars::generate::SchemaSettings;
use schemars::{JsonSchema, Schema};

use prodpin_core::outcome::forecast::ForecastDocument;
use prodpin_core::outcome::ready::ReadyDocument;
use prodpin_core::outcome::report::Document;

/// The schema of what `--format json` writes.
#[must_use]
pub fn schema() -> Schema {
    schema_for::<Document>("prodpin report", "What prodpin writes with --format json.")
}

/// The schema of what `prodpin forecast --format json` writes.
#[must_use]
pub fn forecast_schema() -> Schema {
    schema_for::<ForecastDocument>("prodpin forecast", "What prodpin forecast writes with --format json.")
}

/// The schema of what `prodpin ready --format json` writes.
#[must_use]
pub fn ready_schema() -> Schema {
    schema_for::<ReadyDocument>("prodpin ready", "What prodpin ready writes with --format json.")
}

fn schema_for<T: JsonSchema>(title: &str, description: &str) -> Schema {
    // Of what is written, not of what could be read: a field that is always there is required.
    let mut schema = SchemaSettings::draft2020_12().for_serialize().into_generator().into_root_schema_for::<T>();
    schema.insert("title".to_owned(), title.into());
    schema.insert("description".to_owned(), description.into());
    schema
}

/// The report's schema as text, as it is published.
#[must_use]
pub fn text() -> String {
    format!("{:#}\n", schema().as_value())
}

/// The forecast's schema as text, as it is published.
#[must_use]
pub fn forecast_text() -> String {
    format!("{:#}\n", forecast_schema().as_value())
}

/// The schema of `prodpin ready` as text, as it is published.
#[must_use]
pub fn ready_text() -> String {
    format!("{:#}\n", ready_schema().as_value())
}
