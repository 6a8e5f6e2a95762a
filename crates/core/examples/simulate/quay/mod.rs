//! Quay: whole runs of its worker from lines of JSON, and expressions over the names that the file's lines are about.

mod case;
mod expect;
mod pattern;

use std::path::Path;

use serde_json::{Value, json};

/// The answer to one line: of a case, or of an expression. The names that expressions are tried on may stand in a file beside
/// theirs.
pub(crate) fn answer(file: &Path, line: &str) -> Result<Value, String> {
    let value: Value = serde_json::from_str(line).map_err(|error| error.to_string())?;
    if value.get("now_ms").is_none() && value.get("pattern").is_some() {
        return pattern::answer(file, &value);
    }
    let case: case::Case = serde_json::from_value(value).map_err(|error| error.to_string())?;
    let [main, release] = expect::both(&case)?;
    Ok(json!({ "id": case.id, "expect": main, "expect_3_18_0": release }))
}
