//! The files that the policy names for a source, as far as their own text can be judged before anything is asked.

use prodpin_net::http::client::{ClientError, certificates};
use prodpin_policy::{HelmConfig, HelmPlace, RegistryInterface, SourceConfig};

use crate::zot;

/// What of a source's own files cannot be used, each in a sentence.
#[must_use]
pub fn unusable_files(config: &SourceConfig) -> Vec<String> {
    let (ca_file, rules) = match config {
        SourceConfig::Oci(oci) => {
            let rules = match &oci.interface {
                RegistryInterface::Zot { config: Some(path) } => zot::unreadable(path),
                _ => None,
            };
            (oci.ca_file.as_deref(), rules)
        }
        SourceConfig::Helm(HelmConfig { place: HelmPlace::Http(server), .. }) => (server.ca_file.as_deref(), None),
        SourceConfig::Helm(_) | SourceConfig::S3(_) | SourceConfig::Ecr(_) => (None, None),
    };
    let distrusted = ca_file.and_then(|path| certificates(path).err()).map(|error| match error {
        ClientError::Certificates { path, reason } => {
            format!("certificates in {}: {reason}; `ca_file` takes certificates in PEM", path.display())
        }
        ClientError::Client { reason } => reason,
    });
    distrusted.into_iter().chain(rules).collect()
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;

    fn problems(source: &str, place: &Path) -> Vec<String> {
        let text =
            format!("version: 1\nledger: none\nsources:\n  shop: {{ {source} }}\nproduction: [{{ tags: [\"v*\"] }}]\n");
        let origin = place.join("prodpin.yaml").display().to_string();
        let policy = prodpin_policy::parse(&text, &origin, &|_| None).unwrap();
        policy.sources.values().flat_map(unusable_files).collect()
    }

    #[test]
    fn a_file_that_a_source_is_read_by_must_be_there_and_be_what_it_is_named_for_k55() {
        let directory = tempfile::tempdir().unwrap();
        let here = directory.path();
        let zot = "zot: https://zot.example.com, repositories: [shop/*]";
        assert_eq!(problems(zot, here), Vec::<String>::new());
        let named = format!("{zot}, config: zot.json");
        let [missing] = &problems(&named, here)[..] else { panic!("one") };
        assert!(missing.contains("zot.json: cannot be read") && missing.contains("`cleanup:`"), "{missing}");
        std::fs::write(here.join("zot.json"), "{").unwrap();
        let [broken] = &problems(&named, here)[..] else { panic!("one") };
        assert!(broken.contains("is no JSON, at line 1"), "{broken}");
        std::fs::write(here.join("zot.json"), r#"{"http":{"port":"5000"}}"#).unwrap();
        let [other] = &problems(&named, here)[..] else { panic!("one") };
        assert!(other.contains("has no `storage`"), "{other}");
        std::fs::write(here.join("zot.json"), r#"{"storage":{"rootDirectory":"/var/lib/zot"}}"#).unwrap();
        assert_eq!(problems(&named, here), Vec::<String>::new());

        for source in [
            "oci: https://r.example.com, repositories: [shop/*], ca_file: ca.pem",
            "helm: https://charts.example.com, ca_file: ca.pem",
        ] {
            let [missing] = &problems(source, here)[..] else { panic!("{source}") };
            assert!(missing.contains("ca.pem: cannot be read"), "{missing}");
        }
        std::fs::write(here.join("ca.pem"), "no certificate").unwrap();
        assert_eq!(problems("oci: https://r.example.com, repositories: [shop/*], ca_file: ca.pem", here).len(), 1);
    }
}
