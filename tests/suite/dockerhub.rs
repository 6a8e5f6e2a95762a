//! Docker Hub with its own interface: the contract, whole runs, and an interface that does not tell the truth.

mod contract;
mod lies;
mod runs;

use prodpin::model::{NamePatterns, Order};
use prodpin::policy::{OciConfig, RegistryInterface, Secret};
use prodpin::sources::memory::image;
use prodpin::sources::oci::HttpEnvironment;
use prodpin::sources::{OpenOptions, Source, dockerhub};

use crate::estate::{Estate, tags};
use crate::support::hub::Hub;
use crate::support::push::Pusher;

const USER: (&str, &str) = ("moby", "dckr_pat_0123456789");

async fn started() -> Hub {
    Hub::start(USER.0, USER.1).await
}

fn opened_as(hub: &Hub, patterns: &[&str], user: Option<(&str, &str)>, write: bool) -> Source {
    let api: url::Url = hub.api().parse().unwrap();
    let config = OciConfig {
        url: hub.url().parse().unwrap(),
        repositories: NamePatterns::new(patterns).unwrap(),
        username: user.map(|(name, _)| name.to_owned()),
        password: user.map(|(_, secret)| Secret::new(secret)),
        token_realms: Vec::new(),
        private: false,
        ca_file: None,
        max_concurrency: None,
        cleanup: None,
        interface: RegistryInterface::DockerHub { api: api.clone() },
    };
    let options = OpenOptions { write, rehearse: false, tried: false, concurrency: 8, deadline: None };
    dockerhub::open_in(&"shop".parse().unwrap(), (&config, &api), &options, &HttpEnvironment::default()).unwrap()
}

fn opened(hub: &Hub, write: bool) -> Source {
    opened_as(hub, &["shop/*"], Some(USER), write)
}

fn pusher(hub: &Hub) -> Pusher {
    Pusher::with_credentials(&hub.url(), USER.0, USER.1)
}

/// Releases `v1.0.0` onwards of `shop/api`, each an image of its own, in an estate that calls them `release-0` onwards.
async fn with_releases(hub: &Hub, count: usize) -> Estate {
    let mut estate = Estate::new(vec![tags(&["v*"], Order::Semver)]);
    let pusher = pusher(hub);
    for minor in 0..count {
        let name = format!("release-{minor}");
        let artifact = pusher.push("shop/api", &format!("v1.{minor}.0"), &image(&name)).await;
        estate.name(&artifact, &name);
    }
    hub.forget_requests();
    estate
}
