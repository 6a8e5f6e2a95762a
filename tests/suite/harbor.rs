//! Harbor by its own interface: the contract, whole runs, and a server that does not tell the truth.

mod captures;
mod confirm;
mod contract;
mod described;
mod habits;
mod lies;
mod members;
mod movers;
mod pins;
mod releases;
mod replication;
mod robots;
mod runs;

use prodpin::model::{NamePatterns, Order};
use prodpin::policy::{OciConfig, Secret};
use prodpin::sources::memory::image;
use prodpin::sources::oci::HttpEnvironment;
use prodpin::sources::{OpenOptions, Source, harbor};

use crate::estate::{Estate, tags};
use crate::support::harbor::{Account, Harbor};
use crate::support::push::Pusher;

const USER: (&str, &str) = ("admin", "Harbor12345");

async fn started() -> Harbor {
    Harbor::start(vec![Account::admin(USER.0, USER.1)]).await
}

fn config(harbor: &Harbor, patterns: &[&str], user: Option<(&str, &str)>) -> OciConfig {
    OciConfig {
        url: harbor.url().parse().unwrap(),
        repositories: NamePatterns::new(patterns).unwrap(),
        username: user.map(|(name, _)| name.to_owned()),
        password: user.map(|(_, secret)| Secret::new(secret)),
        token_realms: Vec::new(),
        private: false,
        ca_file: None,
        max_concurrency: None,
        cleanup: None,
        interface: prodpin::policy::RegistryInterface::Harbor,
    }
}

fn opened_as(harbor: &Harbor, patterns: &[&str], user: Option<(&str, &str)>, write: bool) -> Source {
    let options = OpenOptions { write, rehearse: false, tried: false, concurrency: 8, deadline: None };
    let config = config(harbor, patterns, user);
    harbor::open_in(&"shop".parse().unwrap(), &config, &options, &HttpEnvironment::default()).unwrap()
}

fn opened(harbor: &Harbor, write: bool) -> Source {
    opened_as(harbor, &["shop/*"], Some(USER), write)
}

fn pusher(harbor: &Harbor) -> Pusher {
    Pusher::with_credentials(&harbor.url(), USER.0, USER.1)
}

/// Releases `v1.0.0` onwards of `shop/api`, each an image of its own, in an estate that calls them `release-0` onwards.
async fn with_releases(harbor: &Harbor, count: usize) -> Estate {
    let mut estate = Estate::new(vec![tags(&["v*"], Order::Semver)]);
    let pusher = pusher(harbor);
    for minor in 0..count {
        let name = format!("release-{minor}");
        let artifact = pusher.push("shop/api", &format!("v1.{minor}.0"), &image(&name)).await;
        estate.name(&artifact, &name);
    }
    harbor.forget_requests();
    estate
}
