//! One expression in both dialects.

use std::fs;
use std::path::Path;

use prodpin_core::decide::lifecycle::quay::immutability::ImmutabilityPolicy;
use prodpin_core::decide::lifecycle::quay::pattern::TagPattern;
use serde_json::{Value, json};

/// The names that expressions are tried on where no others are given.
const NAMES: [&str; 33] = [
    "v1",
    "V1",
    "v1.2.3",
    "v1.2.3-rc.1",
    "v10",
    "xv1",
    "rc-v1",
    "latest",
    "Latest",
    "latest2",
    "prod-pinned-0123456789ab",
    "prod-pinned-0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef",
    "PROD-PINNED-0123456789AB",
    "pr-12",
    "pr-",
    "sha-0a1b2c3",
    "release-2026.11.1",
    "1.0",
    "a",
    "aa",
    "aab",
    "abab",
    "_x",
    "a.b_c-d",
    "main",
    "xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx",
    "sha256-abababababababababababababababababababababababababababababababab",
    "0",
    "00",
    "2026-11-29",
    "feature_x",
    "snapshot",
    "SNAPSHOT-3",
];

/// The names that stand in a file beside the expressions', else those above.
fn names(file: &Path) -> Result<Vec<String>, String> {
    match fs::read_to_string(file.with_file_name("patterns-names.json")) {
        Ok(text) => serde_json::from_str(&text).map_err(|error| format!("patterns-names.json: {error}")),
        Err(_) => Ok(NAMES.map(str::to_owned).to_vec()),
    }
}

pub(crate) fn answer(file: &Path, line: &Value) -> Result<Value, String> {
    let text = line["pattern"].as_str().ok_or("`pattern` is no text")?;
    let names = names(file)?;
    let prune = TagPattern::postgres(text).ok();
    let immutability = ImmutabilityPolicy::read("", text, true).ok();
    let of =
        |fits: &dyn Fn(&str) -> bool| names.iter().map(String::as_str).filter(|name| fits(name)).collect::<Vec<_>>();
    let mut answer = json!({
        "pattern": text,
        "autoprune_error": prune.is_none(),
        "autoprune_matches": prune.as_ref().map(|pattern| of(&|name| pattern.fits(name).matches)),
        "immutability_refused": immutability.is_none(),
        "immutability_matches": immutability.as_ref().map(|policy| of(&|name| policy.covers(name).0)),
    });
    if let Some(id) = line.get("id") {
        answer["id"] = id.clone();
    }
    Ok(answer)
}
