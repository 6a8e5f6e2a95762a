//! Tags of signatures (`data/model/oci/tag.py` on the main branch after 3.18.0, K53a).

use super::world::{Ending, Millis, Repository};

const SUFFIXES: [&str; 3] = [".sig", ".att", ".sbom"];

/// Whether a tag of the name is one of a signature.
#[must_use]
pub fn is_signature(name: &str) -> bool {
    name.strip_prefix("sha256-")
        .and_then(|rest| SUFFIXES.iter().find_map(|suffix| rest.strip_suffix(suffix)))
        .is_some_and(|hex| hex.len() == 64 && hex.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f')))
}

/// Ends the signatures of a manifest unless another tag, not that row, still names it. Immutable ones stay, whether
/// the feature is on or not. Each ends at a time of its own, since no two rows of a name may have one.
pub fn end_with_image(repository: &mut Repository, manifest: usize, but: Option<usize>, now: Millis, by: Option<&str>) {
    let named = repository.tags.iter().enumerate().any(|(index, row)| {
        Some(index) != but && row.manifest == manifest && row.is_shown(now) && !is_signature(&row.name)
    });
    if named {
        return;
    }
    let base = repository.manifests[manifest].digest.replace(':', "-");
    let names = SUFFIXES.map(|suffix| format!("{base}{suffix}"));
    let mut back = 0;
    for index in 0..repository.tags.len() {
        let row = &repository.tags[index];
        if !names.contains(&row.name) || row.immutable || !row.is_alive(now) {
            continue;
        }
        let taken = |end| {
            let same = |(other, row): (usize, &super::world::TagRow)| {
                other != index && row.name == repository.tags[index].name && row.end == Some(end)
            };
            repository.tags.iter().enumerate().any(same)
        };
        while taken(now - back) {
            back += 1;
        }
        let row = &mut repository.tags[index];
        row.end = Some(now - back);
        row.ended_by = by.map(|policy| Ending { policy: policy.to_owned(), with_image: true });
        back += 1;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn k53a_quay_names_near_those_of_signatures_are_ordinary() {
        let hex = "0123456789abcdef".repeat(4);
        for suffix in SUFFIXES {
            assert!(is_signature(&format!("sha256-{hex}{suffix}")), "{suffix}");
        }
        for name in [
            format!("sha256-{hex}"),
            format!("sha256-{hex}.cosign"),
            format!("sha256-{}.sig", hex.to_uppercase()),
            format!("sha256-{}.sig", &hex[1..]),
            format!("sha256-{hex}0.sig"),
            format!("sha512-{hex}.sig"),
            format!("xsha256-{hex}.sig"),
        ] {
            assert!(!is_signature(&name), "{name}");
        }
    }
}
