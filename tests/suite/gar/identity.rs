//! Who asks: an access token, a service account by its key, a token of the source's own, and the machine itself.

use std::process::{Command, Stdio};

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use futures::StreamExt as _;
use prodpin::model::Gap;
use prodpin::sources::Source;

use super::{IMAGE, opened_as, opened_in, started, with_releases};
use crate::support::gar::{Gar, LOCATION};

async fn gaps(source: &Source) -> Vec<Gap> {
    let found: Vec<_> = source.inventory.repositories().collect().await;
    let mut gaps: Vec<Gap> = found.into_iter().filter_map(Result::err).collect();
    gaps.extend(source.inventory.observe(&IMAGE.parse().unwrap()).await.gaps);
    gaps
}

/// The key stays here: what it signs goes to the API, and to nobody else.
#[tokio::test]
async fn a_service_accounts_key_signs_its_own_tokens_i18() {
    let gar = started().await;
    with_releases(&gar, 1).await;
    let key = gar.callers().account("prodpin@acme-prod.iam.gserviceaccount.com");
    let encoded = BASE64_STANDARD.encode(&key);
    for user in [("_json_key", &*key), ("_json_key_base64", &*encoded)] {
        let source = opened_as(&gar, &["acme-prod/shop/*"], Some(user), false);
        assert_eq!(gaps(&source).await, [], "{}", user.0);
    }
    // One that the registry does not know, and one that signs with another key.
    let stranger = key.replace("prodpin@", "stranger@");
    let other = gar.callers().account("other@acme-prod.iam.gserviceaccount.com");
    let forged = other.replace("other@", "prodpin@");
    for wrong in [stranger.as_str(), forged.as_str()] {
        let source = opened_as(&gar, &["acme-prod/shop/*"], Some(("_json_key", wrong)), false);
        let gaps = gaps(&source).await;
        assert!(gaps.iter().any(|gap| gap.detail.contains("invalid authentication credentials")), "{gaps:?}");
        assert!(!format!("{gaps:?}").contains("PRIVATE KEY"));
    }
}

/// What Google's own tools find is asked for tokens, which open the registry and the API; the key itself opens nothing here.
#[tokio::test]
async fn a_key_that_googles_own_tools_find_is_handed_to_nobody_i18() {
    let gar = started().await;
    with_releases(&gar, 1).await;
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("key.json");
    let key = gar.callers().account("prodpin@acme-prod.iam.gserviceaccount.com");
    std::fs::write(&path, key).unwrap();
    let variables = [("GOOGLE_APPLICATION_CREDENTIALS", path.to_str().unwrap())];
    let source = opened_in(&gar, &["acme-prod/shop/*"], None, (false, &variables));
    assert_eq!(gaps(&source).await, []);
}

/// For whoever logs in at the registry with something that is no token.
#[tokio::test]
async fn a_token_of_the_sources_own_goes_to_the_api_alone() {
    let gar = started().await;
    with_releases(&gar, 1).await;
    gar.callers().take("ya29.for-the-api");
    let variables = [("PRODPIN_SHOP_TOKEN", "ya29.for-the-api")];
    let source = opened_in(&gar, &["acme-prod/shop/*"], Some(super::USER), (false, &variables));
    assert_eq!(gaps(&source).await, []);
    let wrong = [("PRODPIN_SHOP_TOKEN", "ya29.of-yesterday")];
    let source = opened_in(&gar, &["acme-prod/shop/*"], Some(super::USER), (false, &wrong));
    let gaps = gaps(&source).await;
    assert!(gaps.iter().any(|gap| gap.detail.contains("invalid authentication credentials")), "{gaps:?}");
    assert!(!format!("{gaps:?}").contains("ya29"), "{gaps:?}");
}

/// The program itself, in an environment that has nothing but a metadata server.
async fn audit(gar: &Gar, directory: &std::path::Path, metadata: &str) -> (i32, String) {
    let mut command = Command::new(env!("CARGO_BIN_EXE_prodpin"));
    command.args(["audit", "--format", "json"]).current_dir(directory).env_clear().stdin(Stdio::null());
    command.env("GCE_METADATA_HOST", metadata).env("GCE_METADATA_IP", metadata).env("NO_PROXY", "*");
    let policy = format!(
        "version: 1\nsources:\n  images: {{ gar: \"{}\", api: \"{}\", location: {LOCATION}, repositories: [\"acme-prod/shop/*\"] }}\n\
         production:\n  - {{ tags: [\"v*\"], order: semver }}\n",
        gar.url(),
        gar.api()
    );
    std::fs::write(directory.join("prodpin.yaml"), policy).unwrap();
    let output = tokio::task::spawn_blocking(move || command.output().unwrap()).await.unwrap();
    (output.status.code().unwrap(), String::from_utf8(output.stdout).unwrap())
}

#[tokio::test]
async fn a_machine_in_googles_cloud_needs_no_credentials_in_the_policy() {
    let gar = started().await;
    with_releases(&gar, 2).await;
    gar.callers().machine = Some("ya29.of-the-machine".to_owned());
    gar.callers().take("ya29.of-the-machine");
    let directory = tempfile::tempdir().unwrap();
    let (status, report) = audit(&gar, directory.path(), &gar.metadata()).await;
    let report: serde_json::Value = serde_json::from_str(&report).unwrap_or_else(|_| panic!("{status}: {report}"));
    assert_eq!(report["run"]["complete"], true, "{status}: {report}");
    assert_eq!(report["repositories"][0]["name"], IMAGE, "{report}");
    assert_eq!(report["repositories"][0]["targets"].as_array().map(Vec::len), Some(2), "{report}");
    assert!(gar.requests().iter().any(|request| request.path.starts_with("metadata:")));
    assert!(!report.to_string().contains("ya29"));
    // Elsewhere there is no such server: that is nobody, and not nothing.
    gar.callers().machine = None;
    let (status, report) = audit(&gar, directory.path(), &gar.metadata()).await;
    assert_eq!(status, 1, "{report}");
    assert!(report.contains("there are no credentials for it"), "{report}");
}
