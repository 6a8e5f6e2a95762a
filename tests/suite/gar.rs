//! Google Artifact Registry by its own interface: the contract, whole runs, who asks, and servers that do not tell the truth.

mod contract;
mod identity;
mod lies;
mod policies;
mod runs;

use std::time::Duration;

use prodpin::model::{NamePatterns, Order};
use prodpin::policy::{OciConfig, RegistryInterface, Secret};
use prodpin::sources::memory::image;
use prodpin::sources::oci::{HttpEnvironment, Timing, Variables};
use prodpin::sources::{OpenOptions, Source, gar};

use crate::estate::{Estate, tags};
use crate::support::gar::{Gar, LOCATION};
use crate::support::push::Pusher;

const TOKEN: &str = "ya29.token-of-prodpin";
const USER: (&str, &str) = ("oauth2accesstoken", TOKEN);
const IMAGE: &str = "acme-prod/shop/api";

async fn started() -> Gar {
    Gar::start(TOKEN).await
}

fn opened_in(
    gar: &Gar,
    patterns: &[&str],
    user: Option<(&str, &str)>,
    (write, variables): (bool, &[(&str, &str)]),
) -> Source {
    let api: url::Url = gar.api().parse().unwrap();
    let config = OciConfig {
        url: gar.url().parse().unwrap(),
        repositories: NamePatterns::new(patterns).unwrap(),
        username: user.map(|(name, _)| name.to_owned()),
        password: user.map(|(_, secret)| Secret::new(secret)),
        token_realms: Vec::new(),
        private: false,
        ca_file: None,
        max_concurrency: None,
        cleanup: None,
        interface: RegistryInterface::Gar { api: api.clone(), location: LOCATION.into() },
    };
    let options = OpenOptions { write, rehearse: false, tried: false, concurrency: 8, deadline: None };
    let timing = Timing { backoff: Duration::from_millis(1), ..Timing::default() };
    let variables = Variables::from_pairs(variables.iter().copied());
    let environment = HttpEnvironment { timing, variables, ..HttpEnvironment::default() };
    gar::open_in(&"shop".parse().unwrap(), (&config, &api, LOCATION), &options, &environment).unwrap()
}

fn opened_as(gar: &Gar, patterns: &[&str], user: Option<(&str, &str)>, write: bool) -> Source {
    opened_in(gar, patterns, user, (write, &[]))
}

fn opened(gar: &Gar, write: bool) -> Source {
    opened_as(gar, &["acme-prod/shop/*"], Some(USER), write)
}

fn pusher(gar: &Gar) -> Pusher {
    Pusher::with_credentials(&gar.url(), USER.0, USER.1)
}

/// Releases `v1.0.0` onwards of the image, each of its own bytes, in an estate that calls them `release-0` onwards.
async fn with_releases(gar: &Gar, count: usize) -> Estate {
    let mut estate = Estate::new(vec![tags(&["v*"], Order::Semver)]);
    let pusher = pusher(gar);
    for minor in 0..count {
        let name = format!("release-{minor}");
        let artifact = pusher.push(IMAGE, &format!("v1.{minor}.0"), &image(&name)).await;
        estate.name(&artifact, &name);
    }
    gar.forget_requests();
    estate
}
