//! GitHub's registry with its Packages API: the contract, whole runs, what was deleted, and an API that does not tell the truth.

mod contract;
mod deleted;
mod lies;
mod runs;

use prodpin::model::{NamePatterns, Order};
use prodpin::policy::{OciConfig, RegistryInterface, Secret};
use prodpin::sources::memory::image;
use prodpin::sources::oci::HttpEnvironment;
use prodpin::sources::{OpenOptions, Source, ghcr};

use crate::estate::{Estate, tags};
use crate::support::github::{GitHub, Token};
use crate::support::push::Pusher;

const USER: (&str, &str) = ("octocat", "ghp_0123456789");

/// With an organisation `acme` and the user `octocat`.
async fn started() -> GitHub {
    let github = GitHub::start(vec![Token::of(USER.0, USER.1)]).await;
    github.world().owner("acme", true);
    github.world().owner("shop", true);
    github.world().owner("octocat", false);
    github
}

fn opened_as(github: &GitHub, patterns: &[&str], user: Option<(&str, &str)>, write: bool) -> Source {
    let api: url::Url = github.api().parse().unwrap();
    let config = OciConfig {
        url: github.url().parse().unwrap(),
        repositories: NamePatterns::new(patterns).unwrap(),
        username: user.map(|(name, _)| name.to_owned()),
        password: user.map(|(_, secret)| Secret::new(secret)),
        token_realms: Vec::new(),
        private: false,
        ca_file: None,
        max_concurrency: None,
        cleanup: None,
        interface: RegistryInterface::Ghcr { api: api.clone() },
    };
    let options = OpenOptions { write, rehearse: false, tried: false, concurrency: 8, deadline: None };
    ghcr::open_in(&"shop".parse().unwrap(), (&config, &api), &options, &HttpEnvironment::default()).unwrap()
}

fn opened(github: &GitHub, write: bool) -> Source {
    opened_as(github, &["shop/*"], Some(USER), write)
}

fn pusher(github: &GitHub) -> Pusher {
    Pusher::with_credentials(&github.url(), USER.0, USER.1)
}

/// Releases `v1.0.0` onwards of `shop/api`, each an image of its own, in an estate that calls them `release-0` onwards.
async fn with_releases(github: &GitHub, count: usize) -> Estate {
    let mut estate = Estate::new(vec![tags(&["v*"], Order::Semver)]);
    let pusher = pusher(github);
    for minor in 0..count {
        let name = format!("release-{minor}");
        let artifact = pusher.push("shop/api", &format!("v1.{minor}.0"), &image(&name)).await;
        estate.name(&artifact, &name);
    }
    github.forget_requests();
    estate
}
