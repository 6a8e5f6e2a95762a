//! GitLab's container registry with its API: the contract, whole runs under cleanup policies that then run, and an API that does
//! not tell the truth.

mod contract;
mod lies;
mod runs;

use jiff::{SignedDuration, Timestamp};
use prodpin::model::{NamePatterns, Order};
use prodpin::policy::{OciConfig, RegistryInterface, Secret};
use prodpin::sources::memory::image;
use prodpin::sources::oci::HttpEnvironment;
use prodpin::sources::{OpenOptions, Source, gitlab};
use serde_json::Value;

use crate::engines::gitlab as engine;
use crate::estate::{Estate, tags};
use crate::support::gitlab::{GitLab, Role, Token};
use crate::support::push::Pusher;

const USER: (&str, &str) = ("bot", "glpat-0123456789");

async fn started() -> GitLab {
    GitLab::start(vec![Token::of(Role::Maintainer, USER.1)]).await
}

/// With a login for the registry, and a token for the API where that is another one.
fn opened_with(
    gitlab: &GitLab,
    patterns: &[&str],
    user: Option<(&str, &str)>,
    token: Option<&str>,
    write: bool,
) -> Source {
    let api: url::Url = format!("{}/api/", gitlab.gitlab()).parse().unwrap();
    let config = OciConfig {
        url: gitlab.url().parse().unwrap(),
        repositories: NamePatterns::new(patterns).unwrap(),
        username: user.map(|(name, _)| name.to_owned()),
        password: user.map(|(_, secret)| Secret::new(secret)),
        token_realms: vec![gitlab.realm()],
        private: false,
        ca_file: None,
        max_concurrency: None,
        cleanup: None,
        interface: RegistryInterface::GitLab { api: api.clone(), token: token.map(Secret::new) },
    };
    let options = OpenOptions { write, rehearse: false, tried: false, concurrency: 8, deadline: None };
    gitlab::open_in(&"shop".parse().unwrap(), (&config, &api), &options, &HttpEnvironment::default()).unwrap()
}

fn opened_as(gitlab: &GitLab, patterns: &[&str], user: Option<(&str, &str)>, write: bool) -> Source {
    opened_with(gitlab, patterns, user, None, write)
}

fn opened(gitlab: &GitLab, write: bool) -> Source {
    opened_as(gitlab, &["shop/*"], Some(USER), write)
}

fn pusher(gitlab: &GitLab) -> Pusher {
    Pusher::with_credentials(&gitlab.url(), USER.0, USER.1)
}

/// Releases `v1.0.0` onwards of `shop/api`, each an image of its own, in an estate that calls them `release-0` onwards.
async fn with_releases(gitlab: &GitLab, count: usize) -> Estate {
    let mut estate = Estate::new(vec![tags(&["v*"], Order::Semver)]);
    let pusher = pusher(gitlab);
    for minor in 0..count {
        let name = format!("release-{minor}");
        let artifact = pusher.push("shop/api", &format!("v1.{minor}.0"), &image(&name)).await;
        estate.name(&artifact, &name);
    }
    gitlab.forget_requests();
    estate
}

/// Runs the cleanup policy of `shop/api` now, as the second reading of the guide carries it out. How many tags go.
fn clean_up(gitlab: &GitLab) -> usize {
    let mut world = gitlab.world();
    let policy = world.project("shop/api").policy.clone().unwrap();
    let rules = world.project("shop/api").protected.clone();
    let immutable = world.project("shop/api").immutable.clone();
    let text = |key: &str| policy[key].as_str().map(str::to_owned);
    let covers_pins = |pattern: &Value| pattern.as_str().is_some_and(|pattern| pattern == "^prod-pinned-");
    let policy = engine::Policy {
        delete: text("name_regex").unwrap_or_default(),
        keep: text("name_regex_keep"),
        keep_number: policy["keep_n"].as_u64().and_then(|keep| usize::try_from(keep).ok()).unwrap_or(0),
        older_than: text("older_than").map_or(-1, |text| text.trim_end_matches('d').parse::<i64>().unwrap() * 86_400),
        protects_pins: rules.iter().any(|rule| covers_pins(&rule["tag_name_pattern"]))
            || immutable.iter().any(|pattern| pattern == "^prod-pinned-"),
    };
    let now = Timestamp::now() + SignedDuration::from_mins(1);
    let repository = &world.repositories["shop/api"];
    let tags = repository.tags.iter();
    let tags: Vec<engine::Tag> = tags
        .map(|(name, (_, at))| engine::Tag { name: name.clone(), age: now.duration_since(*at).as_secs() })
        .collect();
    let going = policy.going(&tags);
    for tag in &going {
        world.delete_tag("shop/api", tag);
    }
    going.len()
}

/// The tags of `shop/api`.
fn left(gitlab: &GitLab) -> Vec<String> {
    gitlab.world().repositories["shop/api"].tags.keys().cloned().collect()
}
