//! Images as pods name them, and as nodes report them.

use crate::{Named, Use};
use prodpin_core::model::Tenure;
use prodpin_core::model::{Digest, Evidence, NodeDigest, Reference, ReferenceError, Tag};

/// A node's word for an image (E125).
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Reported {
    pub(super) digest: Digest,
    pub(super) node: NodeDigest,
}

/// Reads `repo@sha256:…`, `docker-pullable://repo@sha256:…`, and the bare forms, which may be an image's configuration.
/// The repository in it is of no use: identical content pulled under another name is reported under that one.
pub(super) fn reported(image_id: &str) -> Option<Reported> {
    let rest = image_id.split_once("://").map_or(image_id, |(_, rest)| rest);
    let (digest, node) = match rest.rsplit_once('@') {
        Some((_, digest)) => (digest.to_owned(), NodeDigest::Manifest),
        None if rest.starts_with("sha256:") || rest.starts_with("sha512:") => {
            (rest.to_owned(), NodeDigest::PerhapsConfig)
        }
        None => (format!("sha256:{rest}"), NodeDigest::PerhapsConfig),
    };
    Some(Reported { digest: digest.parse().ok()?, node })
}

/// What a container of this image runs: what its workload names by digest, else what the node reports, else its tag.
pub(super) fn named(image: &str, reported: Option<Reported>, tenure: Tenure) -> Result<Use, ReferenceError> {
    let reference: Reference = image.parse()?;
    let runs = reported.is_some();
    let now = matches!(tenure, Tenure::Now { .. } | Tenure::Wanted { .. });
    let (reference, node, evidence) = match (reference, reported) {
        (reference @ Reference::Image { digest: Some(_), .. }, _) => {
            (reference, None, if runs { Evidence::RunningDigest } else { Evidence::ServiceRevision })
        }
        (Reference::Image { host, repository, tag, digest: None }, Some(Reported { digest, node })) => {
            let tag = tag.or_else(latest);
            (Reference::Image { host, repository, tag, digest: Some(digest) }, Some(node), Evidence::RunningDigest)
        }
        (reference, _) => (reference, None, if now { Evidence::StablePointer } else { Evidence::HistoryReference }),
    };
    Ok(Use { node, ..Use::new(Named::Reference(reference), evidence, tenure) })
}

/// What a node pulls where no tag is written.
fn latest() -> Option<Tag> {
    "latest".parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_form_of_an_image_id_is_read_e125() {
        let digest = Digest::sha256(b"x");
        let manifest = Some(Reported { digest: digest.clone(), node: NodeDigest::Manifest });
        let config = Some(Reported { digest: digest.clone(), node: NodeDigest::PerhapsConfig });
        for (text, expected) in [
            (format!("registry.example.com/shop/api@{digest}"), &manifest),
            (format!("registry.example.com:5000/shop/api@{digest}"), &manifest),
            (format!("docker-pullable://registry.example.com/shop/api@{digest}"), &manifest),
            (format!("docker://{digest}"), &config),
            (digest.to_string(), &config),
            (digest.hex().clone(), &config),
            (String::new(), &None),
            ("registry.example.com/shop/api:1".to_owned(), &None),
            ("registry.example.com/shop/api@sha256:../..".to_owned(), &None),
        ] {
            assert_eq!(reported(&text), *expected, "{text}");
        }
    }

    #[test]
    fn the_repository_is_the_one_of_the_spec_and_its_digest_decides_e125() {
        let (pinned, seen) = (Digest::sha256(b"index"), Digest::sha256(b"platform"));
        let node = || Some(Reported { digest: seen.clone(), node: NodeDigest::Manifest });
        let now = Tenure::Now { since: None };
        let shown = |used: &Use| match &used.named {
            Named::Reference(reference) => reference.to_string(),
            Named::Chart(_) => unreachable!("an image"),
        };
        let by_tag = named("r.example/a:1", node(), now).unwrap();
        assert_eq!((shown(&by_tag), by_tag.node), (format!("r.example/a:1@{seen}"), Some(NodeDigest::Manifest)));
        let by_digest = named(&format!("r.example/a:1@{pinned}"), node(), now).unwrap();
        assert_eq!((shown(&by_digest), by_digest.node), (format!("r.example/a:1@{pinned}"), None));
        assert_eq!(by_digest.evidence, Evidence::RunningDigest);
        assert_eq!(shown(&named("r.example/a", node(), now).unwrap()), format!("r.example/a:latest@{seen}"));
        assert_eq!(named("r.example/a:1", None, now).unwrap().evidence, Evidence::StablePointer);
        let before = Tenure::Before { last: None };
        assert_eq!(named("r.example/a:1", None, before).unwrap().evidence, Evidence::HistoryReference);
    }
}
