//! Whether a registry serves an image to a pod with its pull Secrets, as a node would ask (P74).

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use prodpin::model::{Pull, RepositoryName};
use prodpin::policy::Secret;
use prodpin::sources::OpenOptions;
use prodpin::sources::memory::image;
use prodpin::sources::oci::{HttpEnvironment, pulls};

use crate::support::oci::OciServer;
use crate::support::push::Pusher;
use crate::support::registry::{Options, Registry};

/// A registry's address, and whether it asks for a login.
struct Asked {
    registry: Registry,
    host: String,
}

impl Asked {
    async fn start(credentials: Option<(&str, &str)>) -> Self {
        let credentials = credentials.map(|(user, word)| (user.to_owned(), word.to_owned()));
        let registry = Registry::start_with(Options { credentials: credentials.clone(), ..Options::default() }).await;
        let pusher = match &credentials {
            Some((user, word)) => Pusher::with_credentials(&registry.url(), user, word),
            None => Pusher::new(&registry.url()),
        };
        pusher.push("shop/api", "v1", &image("one")).await;
        let host = registry.url().trim_start_matches("http://").trim_end_matches('/').to_owned();
        Self { registry, host }
    }

    /// What it says to a pod whose Secrets hold these documents.
    async fn says(&self, documents: &[&str]) -> String {
        self.registry.forget_requests();
        let config = OciServer::anonymous("registry", &self.registry.url()).config(&["shop/*"], None);
        let options = OpenOptions { write: false, rehearse: false, tried: false, concurrency: 1, deadline: None };
        let documents: Vec<Secret> = documents.iter().map(|text| Secret::new(*text)).collect();
        let secrets: Vec<(&str, &Secret)> = documents.iter().map(|text| ("regcred", text)).collect();
        let repository: RepositoryName = "shop/api".parse().unwrap();
        let said =
            pulls(&config, &options, &HttpEnvironment::default(), &secrets, &repository, &image("one").digest()).await;
        let requests = self.registry.requests();
        assert!(requests.iter().all(|request| request.method == "GET"), "{requests:?}");
        match said {
            Pull::Served => "served".to_owned(),
            Pull::Refused { by, words } => format!("{by} refuses: {words}"),
            Pull::Unknown(why) => format!("unknown: {why}"),
        }
    }
}

/// A pull Secret's document with one entry.
fn entry(key: &str, user: &str, word: &str) -> String {
    let auth = BASE64_STANDARD.encode(format!("{user}:{word}"));
    serde_json::json!({ "auths": { key: { "auth": auth } } }).to_string()
}

#[tokio::test]
async fn the_registry_is_asked_with_what_the_pods_secrets_hold_for_it_p74() {
    let asked = Asked::start(Some(("pull", "right"))).await;
    let host = asked.host.clone();
    let right = entry(&host, "pull", "right");
    let wrong = entry(&host, "pull", "stale");
    assert_eq!(asked.says(&[&right]).await, "served");
    // A node tries each that fits.
    assert_eq!(asked.says(&[&wrong, &right]).await, "served");
    assert_eq!(asked.says(&[&entry(&format!("{host}/shop"), "pull", "right")]).await, "served");
    let refused = asked.says(&[&wrong]).await;
    assert!(refused.starts_with(&format!("{host} refuses: ")) && refused.contains("401"), "{refused}");
    assert!(refused.ends_with("with image pull Secret regcred") && !refused.contains("stale"), "{refused}");
    // What is for other registries, or for another part of this one, is no credential here.
    for other in [entry("other.example", "pull", "right"), entry(&format!("{host}/pay"), "pull", "right")] {
        let unknown = asked.says(&[&other]).await;
        assert!(unknown.contains("no pull Secret of its pod is for") && unknown.starts_with("unknown"), "{unknown}");
    }
    assert!(asked.says(&[]).await.starts_with("unknown: no pull Secret"));
    for broken in ["<html>", r#"{"auths":[1]}"#] {
        let refused = asked.says(&[&right, broken]).await;
        assert!(refused.starts_with("a node refuses: image pull Secret regcred"), "{broken}: {refused}");
    }
}

#[tokio::test]
async fn what_anyone_may_pull_needs_no_secret_and_what_is_gone_is_refused_p74() {
    let asked = Asked::start(None).await;
    assert_eq!(asked.says(&[]).await, "served");
    assert_eq!(asked.says(&[&entry("other.example", "a", "b")]).await, "served");
    Pusher::new(&asked.registry.url()).delete_manifest("shop/api", &image("one").id()).await;
    assert!(asked.says(&[]).await.starts_with("unknown: no pull Secret"), "it may be hidden");
    let known = entry(&asked.host, "a", "b");
    assert!(asked.says(&[&known]).await.contains("404, as for what is not there or may not be seen"));
}
