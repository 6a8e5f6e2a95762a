//! Chart repositories on a server that may lie.

mod archives;
mod bytes;
mod indexes;
mod runs;
mod shop;

use prodpin::model::DeployedReference;
use prodpin::policy::SourceConfig;
use prodpin::sources::oci::Variables;

use self::shop::{open_at, shop, stocked};

#[test]
fn a_policy_about_charts_is_checked_f71_f72() {
    let check = |source: &str| {
        let text = format!("version: 1\nsources:\n  c: {{ {source} }}\nproduction: [{{ tags: [\"1*\"] }}]\n");
        prodpin::policy::parse(&text, "prodpin.yaml", &|name| (name == "SECRET").then(|| "hunter2".to_owned()))
    };
    for (source, reported) in [
        ("helm: \"\"", "no address"),
        ("helm: charts.example.com", "no address"),
        ("helm: ftp://charts.example.com", "must start with https://"),
        ("helm: \"https://u:hunter2@charts.example.com\"", "must not hold a user name or password"),
        ("helm: https://charts.example.com/index.yaml", "leave out index.yaml"),
        ("helm: \"https://charts.example.com/?a=b\"", "must end after its path"),
        ("helm: \"oci://charts.example.com\"", "write an oci: source"),
        ("helm: https://c.example.com, username: u", "username without password"),
        ("helm: https://c.example.com, password: \"${SECRET}\"", "password without username"),
        ("helm: https://c.example.com, username: u, password: \"${SECRET}\", token: \"${SECRET}\"", "not both"),
        ("helm: http://c.example.com, token: \"${SECRET}\"", "without TLS"),
        ("helm: https://c.example.com, credentials_for: [cdn.example.com]", "name it under foreign_hosts too"),
        ("helm: https://c.example.com, foreign_hosts: [\"https://x/\"]", "a host of archives is a host"),
        ("helm: https://c.example.com, repositories: [\"a/b\"]", "no chart has a '/' in its name"),
        ("helm: https://c.example.com, region: eu-west-1", "has no region"),
        ("helm: \"s3://bucket/p\", token: \"${SECRET}\"", "has no token"),
        ("helm: \"s3://b\"", "no bucket name"),
        ("helm: \"s3://bucket/a?b\"", "no prefix"),
    ] {
        let said = check(source).unwrap_err().to_string();
        assert!(said.contains(reported), "{source}: {said}");
        assert!(!said.contains("hunter2"), "I18: {said}");
    }
    for (source, address) in [
        ("helm: https://c.example.com", "https://c.example.com/"),
        ("helm: https://c.example.com/a/b, token: \"${SECRET}\"", "https://c.example.com/a/b/"),
        ("helm: http://127.0.0.1:1, token: \"${SECRET}\"", "http://127.0.0.1:1/"),
        ("helm: \"s3://bucket/a/b/\", owner: \"111122223333\"", "s3://bucket/a/b/"),
        ("helm: \"s3://bucket\"", "s3://bucket/"),
    ] {
        let policy = check(source).unwrap();
        let Some(SourceConfig::Helm(config)) = policy.sources.values().next() else { panic!("{source}") };
        assert_eq!(config.address(), address);
        assert!(!format!("{config:?}").contains("hunter2"), "I18");
    }
    let twice = "version: 1\nsources:\n  a: { helm: https://c.example.com }\n  b: { helm: https://c.example.com/ }\n\
                 production: [{ tags: [\"1*\"] }]\n";
    let said = prodpin::policy::parse(twice, "prodpin.yaml", &|_| None).unwrap_err().to_string();
    assert!(said.contains("the same source"), "{said}");
}

#[tokio::test]
async fn references_find_their_chart() {
    let server = stocked(&["1.2.3"]).await;
    let source =
        open_at(&format!("{}/stable", server.url()), &["repositories: [\"shop*\"]"], Variables::default()).await;
    let here = format!("{}/stable/charts/shop-1.2.3.tgz", server.url());
    let beside = format!("{}/stable-2/shop-1.2.3.tgz", server.url());
    for (reference, found) in [
        (here.as_str(), true),
        ("chart:shop:1.2.3", true),
        ("chart:other:1.2.3", false),
        (beside.as_str(), false),
        ("https://elsewhere.example.com/shop-1.2.3.tgz", false),
        ("registry.example.com/shop:1.2.3", false),
    ] {
        let located = source.inventory.locate(&reference.parse().unwrap());
        let expected = (shop(), DeployedReference::Tag("1.2.3".parse().unwrap()));
        assert_eq!(located, found.then_some(expected), "{reference}");
    }
}
