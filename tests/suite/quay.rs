//! Quay by its own interface: the contract, whole runs, and a server that does not tell the truth.

mod contract;
mod lies;
mod pins;
mod runs;

use std::time::Duration;

use prodpin::model::{ArtifactId, Code, Finding, NamePatterns, Order, Pin};
use prodpin::policy::{OciConfig, RegistryInterface, Secret};
use prodpin::sources::memory::image;
use prodpin::sources::oci::{HttpEnvironment, Timing};
use prodpin::sources::{OpenOptions, Source, quay};
use serde_json::{Value, json};

use crate::estate::{Estate, RunResult, tags};
use crate::support::push::Pusher;
use crate::support::quay::{Quay, ROBOT, TOKEN};

/// Who asks: the login of the registry, and the token of the API.
#[derive(Clone, Copy)]
struct Who {
    login: Option<(&'static str, &'static str)>,
    token: Option<&'static str>,
}

const PRODPIN: Who = Who { login: Some(ROBOT), token: Some(TOKEN) };

fn opened_as(quay: &Quay, patterns: &[&str], who: Who, write: bool) -> Source {
    let options = OpenOptions { write, rehearse: false, tried: false, concurrency: 8, deadline: None };
    let token = who.token.map(Secret::new);
    let config = OciConfig {
        url: quay.url().parse().unwrap(),
        repositories: NamePatterns::new(patterns).unwrap(),
        username: who.login.map(|(name, _)| name.to_owned()),
        password: who.login.map(|(_, secret)| Secret::new(secret)),
        token_realms: Vec::new(),
        private: false,
        ca_file: None,
        max_concurrency: None,
        cleanup: None,
        interface: RegistryInterface::Quay { token: token.clone() },
    };
    let timing = Timing { backoff: Duration::from_millis(1), ..Timing::default() };
    let environment = HttpEnvironment { timing, ..HttpEnvironment::default() };
    let name = "shop".parse().unwrap();
    quay::open_in(&name, (&config, token.as_ref()), &options, &environment).unwrap()
}

fn opened(quay: &Quay, write: bool) -> Source {
    opened_as(quay, &["acme/*"], PRODPIN, write)
}

fn pusher(quay: &Quay) -> Pusher {
    Pusher::with_credentials(&quay.url(), ROBOT.0, ROBOT.1)
}

/// Releases `v1.0.0` onwards of `acme/shop`, each an image of its own and a day after the one before, in an estate that calls
/// them `release-0` onwards.
async fn with_releases(quay: &Quay, count: usize) -> Estate {
    let mut estate = Estate::new(vec![tags(&["v*"], Order::Semver)]);
    let pusher = pusher(quay);
    for minor in 0..count {
        let name = format!("release-{minor}");
        let artifact = pusher.push("acme/shop", &format!("v1.{minor}.0"), &image(&name)).await;
        estate.name(&artifact, &name);
    }
    let mut world = quay.world();
    let rows = world.rows.get_mut("acme/shop").unwrap();
    for (ago, row) in rows.iter_mut().rev().enumerate() {
        row.start -= 86_400 * i64::try_from(ago + 1).unwrap();
    }
    drop(world);
    quay.forget_requests();
    estate
}

fn policy(method: &str, value: &Value, pattern: Option<&str>) -> Value {
    json!({ "uuid": "u", "method": method, "value": value, "tagPattern": pattern, "tagPatternMatches": true })
}

/// The organization keeps so many tags of each repository.
fn keeps(quay: &Quay, count: u64) {
    quay.world().policies.insert("acme".to_owned(), vec![policy("number_of_tags", &json!(count), None)]);
}

fn with_code(reported: &RunResult, code: Code) -> Vec<&Finding> {
    reported.findings.iter().filter(|finding| finding.code == code).collect()
}

fn pin_of(artifact: &ArtifactId) -> String {
    Pin::for_digest(artifact.digest().unwrap()).to_string()
}
