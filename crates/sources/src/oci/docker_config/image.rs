//! Which entries of a document are for one image, as a node reads a pull Secret.

use std::path::Path;

use serde_json::Value;

use super::{File, in_entry, means};
use crate::oci::OciError;
use crate::oci::credentials::Credentials;
use crate::oci::host::RegistryHost;

/// What a document says of one image, as a node reads it: every entry whose key is the image's registry, or the registry and a part of
/// its path, the longest first. A label of a host's name may be a pattern (`*.example.com`). An error says what is wrong with the
/// document, and nothing of what is in it.
pub(in crate::oci) fn for_image(
    document: &str,
    host: &RegistryHost,
    repository: &str,
) -> Result<Vec<Credentials>, String> {
    let file = File::read(document.as_bytes()).map_err(|place| format!("is no configuration of Docker ({place})"))?;
    if let Some(member) = file.odd.first() {
        return Err(format!("is no configuration of Docker (`{member}` is no object)"));
    }
    let mut keys: Vec<&(String, Value)> = file.auths.iter().filter(|(key, _)| covers(key, host, repository)).collect();
    keys.sort_by(|(one, _), (other, _)| other.cmp(one));
    let place = Path::new("it");
    let entries = keys.into_iter().map(|(key, entry)| in_entry(key, entry, place));
    let found: Result<Vec<Option<Credentials>>, OciError> = entries.collect();
    match found {
        Ok(found) => Ok(found.into_iter().flatten().collect()),
        Err(OciError::Credentials { reason, .. }) => Err(reason),
        Err(other) => Err(other.to_string()),
    }
}

/// Whether a key is for this image.
fn covers(key: &str, host: &RegistryHost, repository: &str) -> bool {
    if means(key, host) {
        return true;
    }
    let bare = key.trim();
    let bare = bare.strip_prefix("https://").or_else(|| bare.strip_prefix("http://")).unwrap_or(bare);
    let (name, path) = bare.split_once('/').unwrap_or((bare, ""));
    let path = path.trim_end_matches('/');
    let path = ["v1", "v2"].into_iter().find(|version| *version == path).map_or(path, |_| "");
    fits(name, host.shown()) && (path.is_empty() || repository.strip_prefix(path).is_some_and(ends_a_part))
}

fn ends_a_part(rest: &str) -> bool {
    rest.is_empty() || rest.starts_with('/')
}

/// Label by label, and port by port.
fn fits(pattern: &str, name: &str) -> bool {
    let (pattern, pattern_port) = pattern.split_once(':').unwrap_or((pattern, ""));
    let (name, port) = name.split_once(':').unwrap_or((name, ""));
    let (mut patterns, mut labels) = (pattern.split('.'), name.split('.'));
    let same = |pattern: &str, label: &str| match pattern.split_once('*') {
        None => pattern.eq_ignore_ascii_case(label),
        Some((before, after)) => {
            label.len() >= before.len() + after.len() && label.starts_with(before) && label.ends_with(after)
        }
    };
    pattern_port == port
        && loop {
            match (patterns.next(), labels.next()) {
                (None, None) => break true,
                (Some(pattern), Some(label)) if same(pattern, label) => {}
                _ => break false,
            }
        }
}
