//! Azure container registries by their own interface: the contract, whole runs, and a server that does not tell the truth.

mod contract;
mod lies;
mod pins;
mod runs;

use std::sync::Arc;
use std::time::Duration;

use prodpin::model::{AcrCommand, AcrPurges, NamePatterns, Order};
use prodpin::policy::{OciConfig, RegistryInterface, Secret};
use prodpin::sources::memory::image;
use prodpin::sources::oci::{HttpEnvironment, Timing};
use prodpin::sources::{OpenOptions, Source, acr};

use crate::estate::{Estate, tags};
use crate::support::acr::{Account, Acr};
use crate::support::push::Pusher;

const USER: (&str, &str) = ("principal", "s3cret/Words");

/// Nobody runs any.
fn none() -> AcrPurges {
    stated(&[])
}

fn stated(lines: &[&str]) -> AcrPurges {
    let commands: Arc<[AcrCommand]> = lines.iter().map(|line| AcrCommand::parse(line).unwrap()).collect();
    AcrPurges::Stated { commands, others: false }
}

async fn started() -> Acr {
    Acr::start(vec![Account::admin(USER.0, USER.1)]).await
}

fn config(acr: &Acr, patterns: &[&str], user: Option<(&str, &str)>, purges: AcrPurges) -> OciConfig {
    OciConfig {
        url: acr.url().parse().unwrap(),
        repositories: NamePatterns::new(patterns).unwrap(),
        username: user.map(|(name, _)| name.to_owned()),
        password: user.map(|(_, secret)| Secret::new(secret)),
        token_realms: Vec::new(),
        private: false,
        ca_file: None,
        max_concurrency: None,
        cleanup: None,
        interface: RegistryInterface::Acr { purges },
    }
}

fn opened_as(acr: &Acr, patterns: &[&str], user: Option<(&str, &str)>, write: bool) -> Source {
    opened_under(acr, patterns, user, (write, none()))
}

fn opened_under(
    acr: &Acr,
    patterns: &[&str],
    user: Option<(&str, &str)>,
    (write, purges): (bool, AcrPurges),
) -> Source {
    let options = OpenOptions { write, rehearse: false, tried: false, concurrency: 8, deadline: None };
    let config = config(acr, patterns, user, purges);
    let timing = Timing { backoff: Duration::from_millis(1), ..Timing::default() };
    let environment = HttpEnvironment { timing, ..HttpEnvironment::default() };
    acr::open_in(&"shop".parse().unwrap(), &config, &options, &environment).unwrap()
}

fn opened(acr: &Acr, write: bool) -> Source {
    opened_as(acr, &["shop/*"], Some(USER), write)
}

/// The same where these purges are run.
fn purged(acr: &Acr, write: bool, lines: &[&str]) -> Source {
    opened_under(acr, &["shop/*"], Some(USER), (write, stated(lines)))
}

fn pusher(acr: &Acr) -> Pusher {
    Pusher::with_credentials(&acr.url(), USER.0, USER.1)
}

/// Releases `v1.0.0` onwards of `shop/api`, each an image of its own, in an estate that calls them `release-0` onwards.
async fn with_releases(acr: &Acr, count: usize) -> Estate {
    let mut estate = Estate::new(vec![tags(&["v*"], Order::Semver)]);
    let pusher = pusher(acr);
    for minor in 0..count {
        let name = format!("release-{minor}");
        let artifact = pusher.push("shop/api", &format!("v1.{minor}.0"), &image(&name)).await;
        estate.name(&artifact, &name);
    }
    acr.forget_requests();
    estate
}
