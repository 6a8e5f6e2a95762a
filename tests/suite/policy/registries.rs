//! What a policy says of registries, buckets and chart repositories, and when two of them are one place.

use prodpin::model::{Loss, ProductionRule, StatedCleanup};
use prodpin::policy::{LedgerLocation, Policy, RegistryInterface, S3Config, SourceConfig, ad_hoc};

use super::{SECRET, good, oci, read, reported, with_lines, with_production, with_source};

pub(super) fn s3(policy: &Policy) -> &S3Config {
    match policy.sources.values().next() {
        Some(SourceConfig::S3(config)) => config,
        other => panic!("{other:?}"),
    }
}

#[test]
fn what_cleans_up_is_stated_where_it_cannot_be_read_and_nowhere_else_f123() {
    let stated = |cleanup: &str| {
        let policy = good(&with_source(&format!("{{ oci: https://r.example, repositories: [a]{cleanup} }}")));
        oci(&policy).cleanup
    };
    assert_eq!(stated(""), None);
    assert_eq!(stated(", cleanup: none"), Some(StatedCleanup::None));
    assert_eq!(stated(", cleanup: untagged"), Some(StatedCleanup::Untagged));
    assert_eq!(stated(", cleanup: \"unknown\""), Some(StatedCleanup::Unknown));
    for wrong in ["everything", "true", "[none]"] {
        let text = with_source(&format!("{{ oci: https://r.example, repositories: [a], cleanup: {wrong} }}"));
        let reported = reported([text]);
        assert!(reported.contains("expected one of none, untagged, unknown"), "{wrong}: {reported}");
    }
    // What is read is not loosened by what is said.
    for source in [
        "ecr: { region: eu-west-1 }",
        "harbor: https://h.example",
        "s3: acme, layout: \"{repository}/{version}\"",
        "helm: https://c.example",
    ] {
        let reported = reported([with_source(&format!("{{ {source}, repositories: [a], cleanup: none }}"))]);
        assert!(reported.contains("the rules of this source are read where they are: take cleanup out"), "{reported}");
    }
}

#[test]
fn a_zot_is_an_oci_registry_whose_rules_stand_in_a_file_or_are_stated_k55() {
    let policy =
        good(&with_source("{ zot: https://z.example, repositories: [\"shop/*\"], config: zot.json, private: true }"));
    let config = oci(&policy);
    let RegistryInterface::Zot { config: Some(file) } = &config.interface else { panic!("{config:?}") };
    assert!(file.ends_with("zot.json") && config.private && config.cleanup.is_none());
    let stated = good(&with_source("{ zot: https://z.example, repositories: [a], cleanup: untagged }"));
    assert_eq!(oci(&stated).interface, RegistryInterface::Zot { config: None });
    assert_eq!(oci(&stated).cleanup, Some(StatedCleanup::Untagged));
    for (wrong, said) in [
        ("zot: https://z.example, repositories: [a], config: z.json, cleanup: none", "take cleanup out, or config"),
        ("zot: https://z.example/v2, repositories: [a]", "the address must end after host and port"),
        (
            "zot: https://z.example, repositories: [a], configuration: z.json",
            "unknown key \"configuration\" in a zot source",
        ),
        ("oci: https://z.example, repositories: [a], config: z.json", "unknown key \"config\" in an oci source"),
    ] {
        let reported = reported([with_source(&format!("{{ {wrong} }}"))]);
        assert!(reported.contains(said), "{wrong}: {reported}");
    }
}

#[test]
fn a_harbor_is_an_oci_registry_whose_repositories_have_a_project_in_front() {
    let policy = good(&with_source(
        "{ harbor: https://h.example, repositories: [\"shop/*\", pay/team/api], username: \"robot$$shop+pin\", \
         password: hunter2, private: true, max_concurrency: 4, pins: { may_displace: true } }",
    ));
    let config = oci(&policy);
    assert!(config.interface == RegistryInterface::Harbor && config.private && config.cleanup.is_none());
    assert_eq!(config.username.as_deref(), Some("robot$shop+pin"));
    assert!(policy.pins.for_source(&"shop".parse().unwrap()).may_displace);
    let plain = good(&with_source("{ oci: https://h.example, repositories: [a] }"));
    assert_eq!(oci(&plain).interface, RegistryInterface::None);
    let harbor = good(&with_source("{ harbor: https://h.example, all: true }"));
    assert_eq!(oci(&harbor).interface, RegistryInterface::Harbor);
    for (wrong, said) in [
        ("harbor: https://h.example, repositories: [api]", "Harbor has no repository \"api\""),
        ("harbor: https://h.example, repositories: [shop/*, \"!old-*\"]", "Harbor has no repository \"old-*\""),
        ("harbor: https://h.example, repositories: [\"**\"]", "this pattern selects every repository"),
        ("harbor: https://h.example/api/v2.0, repositories: [shop/*]", "the address must end after host and port"),
        ("harbor: h.example, repositories: [shop/*]", "the address has no scheme"),
        ("harbor: https://h.example, repositories: [shop/*], username: x", "username without password"),
        (
            "harbor: https://h.example, repositories: [shop/*], projects: [shop]",
            "unknown key \"projects\" in a harbor source",
        ),
        ("harbor: https://h.example, oci: https://h.example, repositories: [shop/*]", "a source is one of"),
    ] {
        let reported = reported([with_source(&format!("{{ {wrong} }}"))]);
        assert!(reported.contains(said), "{wrong}: {reported}");
    }
    // One place, whatever it is called.
    let twice = "{ harbor: https://h.example, repositories: [shop/*] }\n  again: { oci: https://h.example, repositories: [shop/*] }";
    assert!(reported([with_source(twice)]).contains("is the same source as"));
}

#[test]
fn a_ghcr_is_an_oci_registry_whose_owners_are_named_and_whose_api_is_known_k58() {
    let api = |source: &str| match &oci(&good(&with_source(source))).interface {
        RegistryInterface::Ghcr { api } => api.to_string(),
        other => panic!("{other:?}"),
    };
    for (source, expected) in [
        (
            "{ ghcr: https://ghcr.io, repositories: [acme/api, \"acme/team/*\", \"!acme/ci-*\"] }",
            "https://api.github.com/",
        ),
        (
            "{ ghcr: https://containers.github.example.com, repositories: [acme/api] }",
            "https://github.example.com/api/v3/",
        ),
        (
            "{ ghcr: https://registry.example.com, api: https://github.example.com/api/v3, repositories: [acme/api] }",
            "https://github.example.com/api/v3/",
        ),
    ] {
        assert_eq!(api(source), expected, "{source}");
    }
    for (wrong, said) in [
        ("ghcr: https://ghcr.io, repositories: [api]", "\"api\" names none"),
        ("ghcr: https://ghcr.io, repositories: [\"*/api\"]", "GitHub lists the packages of one owner at a time"),
        ("ghcr: https://ghcr.io, repositories: [acme/api], cleanup: none", "it has no such rules: take cleanup out"),
        (
            "ghcr: https://registry.example.com, repositories: [acme/api]",
            "the address of this server's API is not known",
        ),
        ("ghcr: https://ghcr.io, api: api.github.com, repositories: [acme/api]", "the address has no scheme"),
        (
            "ghcr: https://ghcr.io, api: \"https://bot:x@api.github.com\", repositories: [acme/api]",
            "must not hold a user name",
        ),
        ("ghcr: https://ghcr.io/v2, repositories: [acme/api]", "the address must end after host and port"),
        ("ghcr: https://ghcr.io, owner: acme, repositories: [acme/api]", "unknown key \"owner\" in a ghcr source"),
    ] {
        let reported = reported([with_source(&format!("{{ {wrong} }}"))]);
        assert!(reported.contains(said), "{wrong}: {reported}");
    }
}

#[test]
fn a_gar_is_an_oci_registry_whose_projects_are_named_and_whose_location_is_known_k45() {
    let interface = |source: &str| match &oci(&good(&with_source(source))).interface {
        RegistryInterface::Gar { api, location } => (api.to_string(), location.to_string()),
        other => panic!("{other:?}"),
    };
    let usual = interface(
        "{ gar: https://europe-west1-docker.pkg.dev, repositories: [acme-prod/shop/api, \"acme-prod/pay/*\"] }",
    );
    assert_eq!(usual, ("https://artifactregistry.googleapis.com/".to_owned(), "europe-west1".to_owned()));
    let other = interface(
        "{ gar: https://registry.example.com, api: https://ar.example.com/gar, location: us, repositories: [acme-prod/shop/api] }",
    );
    assert_eq!(other, ("https://ar.example.com/gar/".to_owned(), "us".to_owned()));
    for (wrong, said) in [
        ("gar: https://us-docker.pkg.dev, repositories: [acme/api]", "\"acme/api\" names none"),
        ("gar: https://us-docker.pkg.dev, repositories: [\"*/shop/api\"]", "in repositories of projects"),
        (
            "gar: https://gcr.io, repositories: [acme/shop/api]",
            "the location of this registry's repositories is not known",
        ),
        (
            "gar: https://us-docker.pkg.dev, location: US, repositories: [acme/shop/api]",
            "this is no location of Google's",
        ),
        ("gar: https://us-docker.pkg.dev, location: \"\", repositories: [acme/shop/api]", "this value is empty"),
        (
            "gar: https://us-docker.pkg.dev, api: ar.example.com, repositories: [acme/shop/api]",
            "the address has no scheme",
        ),
        ("gar: https://us-docker.pkg.dev, cleanup: none, repositories: [acme/shop/api]", "take cleanup out"),
        (
            "gar: https://us-docker.pkg.dev, project: acme, repositories: [acme/shop/api]",
            "unknown key \"project\" in a gar source",
        ),
    ] {
        let reported = reported([with_source(&format!("{{ {wrong} }}"))]);
        assert!(reported.contains(said), "{wrong}: {reported}");
    }
}

#[test]
fn a_dockerhub_is_an_oci_registry_whose_namespaces_are_named_k59() {
    let policy = good(&with_source("{ dockerhub: https://hub.docker.com, repositories: [acme/api, \"acme/web-*\"] }"));
    let config = oci(&policy);
    assert_eq!(config.url.as_str(), "https://registry-1.docker.io/");
    let api = "https://hub.docker.com/".parse().unwrap();
    assert_eq!(config.interface, RegistryInterface::DockerHub { api });
    let other = "{ dockerhub: https://hub.docker.com, registry: https://mirror.example.com, repositories: [acme/api] }";
    assert_eq!(oci(&good(&with_source(other))).url.as_str(), "https://mirror.example.com/");
    for (wrong, said) in [
        ("dockerhub: https://hub.docker.com, repositories: [postgres]", "\"postgres\" names none"),
        (
            "dockerhub: https://hub.docker.com, repositories: [\"*/api\"]",
            "Docker Hub lists the repositories of one namespace",
        ),
        (
            "dockerhub: https://hub.docker.com, repositories: [acme/api], cleanup: none",
            "it has no such rules: take cleanup out",
        ),
        ("dockerhub: acme, repositories: [acme/api]", "the address has no scheme"),
    ] {
        let reported = reported([with_source(&format!("{{ {wrong} }}"))]);
        assert!(reported.contains(said), "{wrong}: {reported}");
    }
    // One place, whatever it is called.
    let twice = "{ dockerhub: https://hub.docker.com, repositories: [acme/api] }\n  again: { oci: https://registry-1.docker.io, repositories: [acme/api] }";
    assert!(reported([with_source(twice)]).contains("is the same source as"));
}

#[test]
fn what_targets_must_survive_is_required_of_all_sources_or_of_one() {
    let policy = good(&format!(
        "{}require: [deletion-by-digest]\n",
        with_source("{ oci: https://r.example, repositories: [a], require: [loss-of-registry, tag-cleanup] }")
    ));
    assert!(policy.pins.usual.require.iter().eq([Loss::DeletionByDigest]));
    assert!(
        policy.pins.for_source(&"shop".parse().unwrap()).require.iter().eq([Loss::TagCleanup, Loss::LossOfRegistry])
    );
    assert!(policy.pins.for_source(&"other".parse().unwrap()).require.iter().eq([Loss::DeletionByDigest]));
    // What a source says of pins leaves what is required as it is, and the other way round.
    let source = "{ oci: https://r.example, repositories: [a], pins: { may_displace: true } }";
    let of = good(&format!("{}require: [loss-of-registry]\n", with_source(source)))
        .pins
        .for_source(&"shop".parse().unwrap());
    assert!(of.may_displace && of.require.iter().eq([Loss::LossOfRegistry]));
    let none = good(&with_source("{ oci: https://r.example, repositories: [a], require: [] }"));
    assert!(none.pins.for_source(&"shop".parse().unwrap()).require.is_empty());
    for wrong in ["[theft]", "[Deletion-By-Digest]", "[1]"] {
        let reported = reported([with_lines(&format!("production: [{{ tags: [\"v*\"] }}]\nrequire: {wrong}"))]);
        let listed = "one of tag-cleanup, untagged-cleanup, lifecycle-rules, deletion-by-digest, loss-of-registry";
        assert!(reported.contains(listed), "{wrong}: {reported}");
    }
    let alone = reported([with_lines("production: [{ tags: [\"v*\"] }]\nrequire: deletion-by-digest")]);
    assert!(alone.contains("write [\"deletion-by-digest\"]"), "{alone}");
}

#[test]
fn an_ecr_registry_is_an_account_and_a_region() {
    let policy = good(&with_source(
        "{ ecr: { region: eu-west-1, assume_role: \"arn:aws:iam::111122223333:role/team/prodpin\", external_id: hunter2, \
         may_delete: [\"arn:aws:iam::*:role/cleanup-*\"], max_concurrency: 4 }, repositories: [\"a/**\", \"!a/x\"] }",
    ));
    let Some(SourceConfig::Ecr(config)) = policy.sources.values().next() else { panic!("{policy:?}") };
    assert_eq!((config.region.as_deref(), config.account()), (Some("eu-west-1"), Some("111122223333")));
    assert_eq!((config.may_delete.len(), config.max_concurrency), (1, Some(4)));
    assert!(!format!("{policy:?}").contains(SECRET), "an external id is shown to nobody");
    good(&with_source("{ ecr: {}, all: true }"));
    let policy = good(&with_source(
        "{ ecr: { registry: \"999999999999\", assume_role: \"arn:aws:iam::111122223333:role/x\" }, repositories: [a] }",
    ));
    assert_eq!(policy.warnings.len(), 1, "{:?}", policy.warnings);

    let registries = [
        "region: Ireland",
        "region: eu-west-1/x",
        "region: \"\"",
        "registry: 1234",
        "registry: \"11112222333a\"",
        "assume_role: prodpin",
        "assume_role: \"arn:aws:iam::111122223333:user/me\"",
        "assume_role: \"arn:aws:iam::111122223333:role/\"",
        "external_id: abc",
        "endpoint: ecr.example.com",
        "endpoint: https://bot:hunter2@ecr.example.com",
        "may_delete: [\"*\"]",
        "may_delete: [cleanup, \"arn:aws:iam::*:*\"]",
        "max_concurrency: 0",
        "regoin: eu-west-1",
    ];
    let registries =
        registries.iter().map(|registry| with_source(&format!("{{ ecr: {{ {registry} }}, repositories: [a] }}")));
    let sources = [
        "{ ecr: {} }",
        "{ ecr: {}, repositories: [\"**\"] }",
        "{ ecr: eu-west-1, repositories: [a] }",
        "{ ecr: {}, repositories: [\"a:1\"] }",
    ];
    insta::assert_snapshot!(reported(registries.chain(sources.iter().map(|source| with_source(source)))));
}

#[test]
fn two_sources_of_one_ecr_registry_are_one_place_f72() {
    let two = |region: &str| {
        format!(
            "version: 1\nsources:\n  a: {{ ecr: {{ region: eu-west-1, registry: \"111122223333\" }}, repositories: [x] }}\n  \
             b: {{ ecr: {{ region: {region}, assume_role: \"arn:aws:iam::111122223333:role/r\" }}, repositories: [x] }}\n\
             production: [{{ tags: [\"v*\"] }}]\n"
        )
    };
    let error = read(&two("eu-west-1")).unwrap_err().to_string();
    assert!(error.contains("\"b\" is the same source as \"a\""), "{error}");
    good(&two("eu-west-2"));
}

#[test]
fn the_same_place_twice_is_told_f72() {
    let two = |one: &str, other: &str| {
        format!("version: 1\nsources:\n  a: {one}\n  b: {other}\nproduction: [{{ tags: [v*] }}]\n")
    };
    let bucket = "{ s3: acme, layout: \"{repository}/{version}\" }";
    insta::assert_snapshot!(reported([
        two(
            "{ oci: https://r.example, repositories: [x, y] }",
            "{ oci: \"https://R.example:443/\", repositories: [y, x] }"
        ),
        two(bucket, bucket),
    ]));
    let policy = good(&two(
        "{ oci: https://r.example, repositories: [x/*] }",
        "{ oci: https://r.example, repositories: [x/a] }",
    ));
    assert_eq!(policy.warnings, ["prodpin.yaml:4:3: \"a\" and \"b\" are the same place, and both select \"x/a\""]);
    let apart = good(&two(
        "{ oci: https://r.example, repositories: [x/*] }",
        "{ oci: https://r.example, repositories: [y/a] }",
    ));
    assert_eq!(apart.warnings, [""; 0]);
}

#[test]
fn addresses_names_and_places_are_checked() {
    let source = |address: &str| with_source(&format!("{{ oci: \"{address}\", repositories: [a] }}"));
    let addresses = [
        "registry.example.com",
        "localhost:5000",
        "oci://r.example",
        "https://r.example/v2/",
        "https://r.example?x",
        "https://",
        "",
    ];
    let repositories = ["Shop", "shop/api:1.2", "https://r.example/shop", "a//b"];
    let buckets = ["s3://acme/x", "arn:aws:s3:::acme", "x", "a b"];
    let others = [
        with_source("{ oci: https://r.example, repositories: [a], username: u }"),
        with_source("{ oci: https://r.example, repositories: [a], password: \"${PASSWORD}\" }"),
        with_source(
            "{ oci: https://r.example, repositories: [a], token_realms: [\"https://auth.example\", \"*\", a.example] }",
        ),
        with_source("{ oci: https://r.example, repositories: [a], max_concurrency: 0 }"),
        with_source("{ s3: acme }"),
        with_source("{ s3: acme, layout: \"{repository}/{version}\", owner: 123, region: EU }"),
        with_source("{ s3: acme, layout: \"no placeholders\" }"),
        with_source("{ s3: acme, layout: \"{env}-{repository}/{version}\" }"),
        with_source("{ s3: acme, layout: \"{repository}/{version}\", inventory: \"https://acme/manifest.json\" }"),
        with_lines("production: [{ tags: [v*] }]\nledger: gcs://bucket"),
        with_lines("production: [{ tags: [v*] }]\nledger: azure://bucket"),
        with_lines("production: [{ tags: [v*] }]\nledger: https://x"),
        with_lines("production: [{ tags: [v*] }]\nledger: file:///x"),
        with_lines("production: [{ tags: [v*] }]\nledger: s3://"),
        with_lines("production: [{ tags: [v*] }]\nledger: \"\""),
        with_lines("production: [{ tags: [v*] }]\nschedule: \"* * * *\""),
        with_lines("production: [{ tags: [v*] }]\nschedule: rate(0 minutes)"),
        with_lines("production: [{ tags: [v*] }]\nschedule: \"@often\""),
        with_production("[{ moving_tag: \"a b\" }, { moving_tag: \"*\" }, { file: \"\" }]"),
        "version: 1\nsources: { \"-x\": { oci: https://r.example, repositories: [a] } }\nproduction: [{ tags: [v*] }]"
            .to_owned(),
    ];
    let cases = addresses
        .map(source)
        .into_iter()
        .chain(
            repositories.map(|name| with_source(&format!("{{ oci: https://r.example, repositories: [\"{name}\"] }}"))),
        )
        .chain(
            buckets.map(|name| with_source(&format!("{{ s3: \"{name}\", layout: \"{{repository}}/{{version}}\" }}"))),
        )
        .chain(others);
    insta::assert_snapshot!(reported(cases));

    for ledger in ["none", "s3://bucket/prefix", "./x", "/var/lib/x"] {
        good(&with_lines(&format!("production: [{{ tags: [v*] }}]\nledger: {ledger}")));
    }
    for schedule in ["*/15 * * * *", "@hourly", "cron(0/15 * * * ? *)", "rate(15 minutes)", "0 3 * * MON-FRI"] {
        good(&with_lines(&format!("production: [{{ tags: [v*] }}]\nschedule: \"{schedule}\"")));
    }
}

#[test]
fn repositories_on_the_command_line_make_a_policy() {
    let arguments = |list: &[&str]| list.iter().map(|text| (*text).to_owned()).collect::<Vec<_>>();
    let policy = ad_hoc(
        &arguments(&[
            "r.example/shop/api",
            "localhost:5000/web",
            "r.example/shop/web",
            "docker.io/library/nginx",
            "r.example/pay/*",
            "127.0.0.1:1/x",
            "[::1]:5000/y",
            "111122223333.dkr.ecr.eu-west-1.amazonaws.com/shop/api",
            "111122223333.dkr.ecr.cn-north-1.amazonaws.com.cn/shop/api",
            "111122223333.dkr.ecr.eu-west-1.amazonaws.com:5000/shop/api",
        ]),
        LedgerLocation::None,
    )
    .unwrap();
    let sources: Vec<String> = policy
        .sources
        .iter()
        .map(|(name, config)| match config {
            SourceConfig::Oci(config) => format!("{name} = {} {:?}", config.url, config.repositories),
            SourceConfig::Ecr(config) => {
                format!("{name} = ECR {:?} {:?} {:?}", config.registry, config.region, config.repositories)
            }
            SourceConfig::S3(_) | SourceConfig::Helm(_) => unreachable!(),
        })
        .collect();
    insta::assert_snapshot!(sources.join("\n"));
    let ProductionRule::Tags { patterns, .. } = &policy.production[0] else { panic!("{:?}", policy.production) };
    assert!(
        patterns.matches("v1.2")
            && patterns.matches("2026-11-23")
            && !patterns.matches("latest")
            && !patterns.matches("vnext")
    );

    let refused = [
        "nginx",
        "shop/api",
        "r.example/a:1.2",
        "r.example/a@sha256:00",
        "r.example/**",
        "r.example/*",
        "s3://bucket/x",
        "oci://r.example/a",
        "bot:hunter2@r.example/a",
        "https://bot:hunter2@r.example/a",
        "r.example/A",
        "r.example/",
        "r.example:x/a",
        "r.example/../a",
        "r.example/!a",
    ];
    let page: Vec<String> = refused
        .iter()
        .map(|argument| ad_hoc(&arguments(&[argument]), LedgerLocation::None).unwrap_err().to_string())
        .collect();
    assert!(!page.concat().contains(SECRET));
    insta::assert_snapshot!(page.join("\n"));
}
