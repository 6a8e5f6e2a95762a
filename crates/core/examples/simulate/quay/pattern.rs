//! One expression in both dialects.

use prodpin_core::decide::lifecycle::quay::immutability::{ImmutabilityPolicy, ImmutabilityRefused};
use prodpin_core::decide::lifecycle::quay::pattern::TagPattern;
use serde_json::{Value, json};

/// The names that the file's answers list, of those that a line does not bring itself.
pub(crate) const NAMES: [&str; 32] = [
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
];

const LAST: &str = "SNAPSHOT-3";

pub(crate) fn answer(line: &Value) -> Result<Value, String> {
    let text = line["pattern"].as_str().ok_or("`pattern` is no text")?;
    let own: Option<Vec<&str>> =
        line.get("names").and_then(Value::as_array).map(|names| names.iter().filter_map(Value::as_str).collect());
    let names = own.unwrap_or_else(|| NAMES.into_iter().chain([LAST]).collect());
    let prune = TagPattern::postgres(text).ok();
    let immutability = match ImmutabilityPolicy::read("", text, true) {
        Ok(policy) => Some(policy),
        Err(ImmutabilityRefused::Invalid | ImmutabilityRefused::Duplicate) => None,
    };
    let of = |fits: &dyn Fn(&str) -> bool| names.iter().copied().filter(|name| fits(name)).collect::<Vec<_>>();
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
