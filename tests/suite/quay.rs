//! Quay by its own interface: the contract, whole runs, and a server that does not tell the truth.

mod contract;
mod runs;

use prodpin::model::{NamePatterns, Order};
use prodpin::policy::{OciConfig, RegistryInterface, Secret};
use prodpin::sources::memory::image;
use prodpin::sources::oci::HttpEnvironment;
use prodpin::sources::{OpenOptions, Source, quay};

use crate::estate::{Estate, tags};
use crate::support::push::Pusher;
use crate::support::quay::{Quay, TOKEN};

fn opened_as(quay: &Quay, patterns: &[&str], token: Option<&str>, write: bool) -> Source {
    let options = OpenOptions { write, rehearse: false, tried: false, concurrency: 8, deadline: None };
    let token = token.map(Secret::new);
    let config = OciConfig {
        url: quay.url().parse().unwrap(),
        repositories: NamePatterns::new(patterns).unwrap(),
        username: None,
        password: None,
        token_realms: Vec::new(),
        private: false,
        ca_file: None,
        max_concurrency: None,
        cleanup: None,
        interface: RegistryInterface::Quay { token: token.clone() },
    };
    let name = "shop".parse().unwrap();
    quay::open_in(&name, &config, token.as_ref(), &options, &HttpEnvironment::default()).unwrap()
}

fn opened(quay: &Quay, write: bool) -> Source {
    opened_as(quay, &["acme/*"], Some(TOKEN), write)
}

fn pusher(quay: &Quay) -> Pusher {
    Pusher::new(&quay.url())
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
