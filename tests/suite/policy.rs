//! The policy file: what it means, and how it tells what is wrong.

use std::fmt::Write as _;
use std::path::PathBuf;

use prodpin::model::{Order, ProductionRule, Severity, StatedCleanup};
use prodpin::policy::{LedgerLocation, OciConfig, Policy, PolicyErrors, S3Config, SourceConfig, ad_hoc, load, parse};
use proptest::prelude::*;

const SECRET: &str = "hunter2";

fn environment(name: &str) -> Option<String> {
    match name {
        "PASSWORD" => Some(format!("{SECRET}\"], injected: [\"")),
        "KEEP" => Some("7".to_owned()),
        "EVERYTHING" => Some("**".to_owned()),
        "EMPTY" => Some(String::new()),
        _ => None,
    }
}

fn read(text: &str) -> Result<Policy, PolicyErrors> {
    parse(text, "prodpin.yaml", &environment)
}

fn good(text: &str) -> Policy {
    read(text).unwrap_or_else(|errors| panic!("{text}\n{errors}"))
}

/// A whole policy with this source in it.
fn with_source(source: &str) -> String {
    format!("version: 1\nsources:\n  shop: {source}\nproduction: [{{ tags: [\"v*\"] }}]\n")
}

/// A whole policy with these lines beside what a policy needs.
fn with_lines(lines: &str) -> String {
    format!("version: 1\nsources: {{ shop: {{ oci: https://r.example, repositories: [a] }} }}\n{lines}\n")
}

fn with_production(rules: &str) -> String {
    with_lines(&format!("production: {rules}"))
}

/// Every case with what is told about it, for a snapshot. A case that is no error fails here.
fn told<S: AsRef<str>>(cases: impl IntoIterator<Item = S>) -> String {
    let mut page = String::new();
    for case in cases {
        let case = case.as_ref();
        let errors = read(case).map(|policy| format!("{policy:?}")).expect_err(case);
        let shown: String = case.trim_end().chars().take(400).collect();
        writeln!(page, "{shown}\n\n{errors}\n{}", "=".repeat(72)).unwrap();
    }
    page
}

fn oci(policy: &Policy) -> &OciConfig {
    match policy.sources.values().next() {
        Some(SourceConfig::Oci(config)) => config,
        other => panic!("{other:?}"),
    }
}

fn s3(policy: &Policy) -> &S3Config {
    match policy.sources.values().next() {
        Some(SourceConfig::S3(config)) => config,
        other => panic!("{other:?}"),
    }
}

#[test]
fn the_policies_that_are_published_are_policies() {
    let policy = good(include_str!("../../policies/prodpin.yaml"));
    assert_eq!(policy.warnings, [""; 0]);
    assert_eq!((policy.keep, policy.fail_on), (5, Severity::High));
    assert_eq!(policy.may_move.entries(), ["dev-*"]);
    good(include_str!("../../policies/quickstart.yaml"));
    // What is commented out in the annotated policy is as true as the rest.
    let whole: String = include_str!("../../policies/prodpin.yaml")
        .lines()
        .map(|line| {
            let code = line.trim_start().strip_prefix("# ").filter(|rest| {
                let word: String =
                    rest.trim_start().chars().take_while(|c| c.is_ascii_alphanumeric() || *c == '_').collect();
                let keys = [
                    "schedule",
                    "time_zone",
                    "username",
                    "password",
                    "token_realms",
                    "private",
                    "ca_file",
                    "max_concurrency",
                ];
                let bucket = [
                    "bundles",
                    "s3",
                    "layout",
                    "repositories",
                    "region",
                    "owner",
                    "endpoint",
                    "path_style",
                    "inventory",
                ];
                let ecr = ["payments", "ecr", "assume_role", "external_id", "registry", "may_delete"];
                let charts = ["charts", "helm", "foreign_hosts", "credentials_for", "chartmuseum"];
                let rule = rest.starts_with("- {");
                rule || (rest[..].contains(&format!("{word}:"))
                    && [&keys[..], &bucket, &ecr, &charts].iter().any(|keys| keys.contains(&word.as_str())))
            });
            let indent = &line[..line.len() - line.trim_start().len()];
            code.map_or_else(|| format!("{line}\n"), |code| format!("{indent}{code}\n"))
        })
        .collect();
    let secrets = ["REGISTRY_PASSWORD", "PRODPIN_EXTERNAL_ID", "CHARTS_PASSWORD"];
    let whole = good(&secrets.iter().fold(whole, |text, secret| text.replace(secret, "PASSWORD")));
    assert_eq!((whole.sources.len(), whole.production.len(), whole.signals.len()), (4, 4, 6));
    assert_eq!(
        whole.schedule.map(|schedule| schedule.to_string()).as_deref(),
        Some("*/15 * * * *, by the clock of Europe/Berlin")
    );
}

#[test]
fn what_is_written_is_what_is_meant() {
    let policy = good(&with_source(
        "{ oci: \"https://r.example:5000/\", repositories: [a/*, \"!a/x\", a/*], username: bot, password: \"${PASSWORD}\",
          token_realms: [Auth.Example.com], private: true, ca_file: ca.pem, max_concurrency: 3 }",
    ));
    let config = oci(&policy);
    assert_eq!(config.url.as_str(), "https://r.example:5000/");
    assert_eq!(config.repositories.entries(), ["a/*", "!a/x"], "an entry given twice counts once (F72)");
    assert_eq!(config.token_realms, ["auth.example.com"]);
    assert!(config.private && config.max_concurrency == Some(3));
    assert_eq!(config.ca_file, Some(PathBuf::from("ca.pem")));
    assert_eq!(policy.ledger, LedgerLocation::Directory("prodpin-ledger".into()));
    assert_eq!(policy.warnings, ["prodpin.yaml:3:71: this entry is given twice; it counts once"]);

    let policy = good(&with_source("{ s3: acme, layout: \"{repository}/{version}/b.zip\", owner: 012345678901 }"));
    let config = s3(&policy);
    assert_eq!(config.owner.as_deref(), Some("012345678901"), "a number keeps its spelling");
    assert!(config.repositories.matches("any/thing") && !config.path_style);
    let policy =
        good(&with_source("{ s3: acme, layout: \"{repository}/{version}\", endpoint: \"http://localhost:1\" }"));
    assert!(s3(&policy).path_style);
}

#[test]
fn production_rules_keep_their_order_and_count_once_f72() {
    let policy = good(&with_production(
        "[{ tags: [1.10, v*], order: pushed }, { moving_tag: prod }, { file: a.json }, { file: b.json }, { file: a.json }, { moving_tag: prod }]",
    ));
    match &policy.production[..] {
        [
            ProductionRule::Tags { patterns, order: Order::Pushed },
            ProductionRule::MovingTag(tag),
            ProductionRule::InUse,
        ] => {
            assert_eq!(patterns.entries(), ["1.10", "v*"], "1.10 is a tag, not a number");
            assert_eq!(tag.as_str(), "prod");
        }
        other => panic!("{other:?}"),
    }
    assert_eq!(policy.in_use_files, [PathBuf::from("a.json"), PathBuf::from("b.json")]);
    assert_eq!(policy.warnings.len(), 2);
}

#[test]
fn paths_are_relative_to_the_policy() {
    let text = with_lines("production: [{ file: in-use.json }]\nledger: log");
    let policy = parse(&text, "deploy/prodpin.yaml", &environment).unwrap();
    assert_eq!(policy.in_use_files, [PathBuf::from("deploy/in-use.json")]);
    assert_eq!(policy.ledger, LedgerLocation::Directory("deploy/log".into()));
}

#[test]
fn the_digest_is_of_the_text_before_any_variable_was_put_in() {
    let text = with_lines("production: [{ tags: [v*] }]\nkeep: ${KEEP}");
    let policy = good(&text);
    assert_eq!(policy.keep, 7);
    assert_eq!(policy.digest, prodpin::model::Digest::of(text.as_bytes()));
}

#[test]
fn a_variable_cannot_add_structure() {
    let policy = good(&with_source(
        "{ oci: https://r.example, repositories: [a], username: u, password: \"${PASSWORD}$$x$y\" }",
    ));
    let password = oci(&policy).password.as_ref().unwrap();
    assert_eq!(password.expose(), format!("{SECRET}\"], injected: [\"$x$y"));
    assert!(!format!("{policy:?}").contains(SECRET), "a secret is not printed by accident (I18)");
}

#[test]
fn a_variable_that_is_missing_or_misspelt_is_told_where_it_stands() {
    insta::assert_snapshot!(told([
        with_source("{ oci: https://r.example, repositories: [a], username: u, password: \"${UNSET}\" }"),
        with_source("{ oci: https://r.example, repositories: [a], username: u, password: \"${EMPTY}\" }"),
        with_source("{ oci: https://r.example, repositories: [a, \"${UNSET:-b}\", \"${UNCLOSED\"] }"),
        with_source("{ oci: \"${PASSWORD}\", repositories: [\"${EVERYTHING}\", \"${PASSWORD}\"] }"),
        with_lines(
            "production: [{ tags: [v*] }]\nkeep: ${PASSWORD}\nledger: ftp://${PASSWORD}\nschedule: ${PASSWORD}\nfail_on: ${PASSWORD}"
        ),
    ]));
}

#[test]
fn a_missing_variable_is_told_once() {
    let text = with_source(
        "{ oci: https://r.example, repositories: [a], username: \"${UNSET}\", password: \"${UNSET}\" }\n  b: { s3: bucket, layout: \"{repository}/{version}\", region: \"${UNSET}\", owner: \"12${UNSET}\" }",
    );
    let told = told([text]);
    assert_eq!(told.matches("the environment has no variable UNSET").count(), 4, "{told}");
    assert_eq!(told.matches("prodpin.yaml:").count(), 4, "and nothing else: {told}");
}

#[test]
fn everything_that_is_wrong_is_told_at_once() {
    insta::assert_snapshot!(told([
        "versoin: 1\nkeep: lots\nsources:\n  shop: { oci: https://r.example, repositorys: [a], private: maybe }\n  b@d: { s3: s3://x/y }\n  c: 7\nproduction:\n  - { tags: v*, order: semvar }\n  - { moving_tag: prod-* }\n  - later\ntags: { may_move: {} }\nfail_on: [high]\n"
    ]));
}

#[test]
fn unknown_and_repeated_keys_have_line_and_column_f66() {
    insta::assert_snapshot!(told([
        with_lines("production: [{ tags: [v*] }]\nkep: 5"),
        with_lines("production: [{ tags: [v*] }]\nretention: { days: 5 }"),
        with_lines("production: [{ tags: [v*] }]\ntags: { may-move: [x] }"),
        with_lines("production: [{ tags: [v*] }]\nkeep: 5\nkeep: 6"),
        with_lines("production: [{ tags: [v*], odrer: name }]"),
        with_lines("production: [{ moving_tag: prod, order: name }]"),
        with_source("{ oci: https://r.example, repositories: [a], layout: x }"),
        with_source(
            "{ oci: https://r.example, repositories: [a] }\n  shop: { oci: https://q.example, repositories: [a] }"
        ),
        with_source("{ oci: https://r.example, s3: bucket, repositories: [a] }"),
        with_source("{ registry: https://r.example, repositories: [a] }"),
        with_source("{ oic: https://r.example, repositories: [a] }"),
        with_lines("production: [{ tags: [v*] }]\n[a]: 1\n~: 2"),
    ]));
}

#[test]
fn kinds_of_later_versions_are_not_called_unknown() {
    let sources = ["harbor: https://h.example"];
    let signals = ["helm_releases: {}", "argo: {}", "apprunner: {}"];
    let cases = sources.iter().map(|kind| with_source(&format!("{{ {kind}, repositories: [a] }}")));
    insta::assert_snapshot!(told(cases.chain(signals.iter().map(|kind| with_production(&format!("[{{ {kind} }}]"))))));
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
        let told = told([text]);
        assert!(told.contains("expected one of none, untagged, unknown"), "{wrong}: {told}");
    }
    // What is read is not loosened by what is said.
    for source in
        ["ecr: { region: eu-west-1 }", "s3: acme, layout: \"{repository}/{version}\"", "helm: https://c.example"]
    {
        let told = told([with_source(&format!("{{ {source}, repositories: [a], cleanup: none }}"))]);
        assert!(told.contains("the rules of this source are read where they are: take cleanup out"), "{told}");
    }
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
    insta::assert_snapshot!(told(registries.chain(sources.iter().map(|source| with_source(source)))));
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
fn version_sources_and_production_must_be_said() {
    insta::assert_snapshot!(told([
        "",
        "# nothing but a comment\n",
        "version: 1",
        "sources: {}\nproduction: []\n",
        "version: 2\nsurces: {}\n",
        "version: 0\n",
        "version: \"1\"\n",
        "version:\nsources:\nproduction:\n",
        "- version: 1\n",
    ]));
}

#[test]
fn alias_bombs_and_deep_nesting_are_refused_f67() {
    let mut bomb = "version: 1\na: &a [x, x, x, x, x, x, x, x, x, x]\n".to_owned();
    for (before, name) in "abcdefgh".chars().zip("bcdefghi".chars()) {
        writeln!(bomb, "{name}: &{name} [{}]", vec![format!("*{before}"); 10].join(", ")).unwrap();
    }
    let deep = format!("version: 1\na: {}{}\n", "[".repeat(10_000), "]".repeat(10_000));
    let deep_blocks = (0..10_000).fold(String::new(), |text, depth| text + &" ".repeat(depth.min(50)) + "- ") + "x";
    let wide = format!("version: 1\nsources: {{{}}}\n", "a: 1, ".repeat(150_000));
    let started = std::time::Instant::now();
    for text in [&bomb, &deep, &deep_blocks, &wide] {
        let errors = read(text).expect_err("a bomb was taken for a policy").to_string();
        assert!(errors.len() < 60_000, "{}", errors.len());
    }
    assert!(started.elapsed() < std::time::Duration::from_secs(20), "{:?}", started.elapsed());
    insta::assert_snapshot!(told([&bomb, &deep]));
}

#[test]
fn what_is_no_yaml_is_told_where_it_stops_being_yaml_f66() {
    insta::assert_snapshot!(told([
        "version: 1\n\tkeep: 5\n",
        "version: 1\nsources: { a: \n",
        "version: 1\nproduction: [{ tags: [*-prod] }]\n",
        "version: 1\nbase: &b { keep: 3 }\n<<: *b\n",
        "version: 1\n---\nversion: 1\n",
        "version: 1\nkeep: \"5\n",
    ]));
}

#[test]
fn everything_must_be_confirmed_f68() {
    let cases = [
        "[\"**\"]",
        "[\"*\"]",
        "[a, \"?*\"]",
        "[\"{*,*/*}\"]",
        "[\"*/**\"]",
        "[\"**/*\"]",
        "[\"**\", \"!x\"]",
        "[]",
        "[\"\"]",
        "[\"!x\"]",
    ];
    let sources = cases.iter().map(|list| with_source(&format!("{{ oci: https://r.example, repositories: {list} }}")));
    let others = [
        with_source("{ oci: https://r.example }"),
        with_source("{ oci: https://r.example, all: false }"),
        with_source("{ oci: https://r.example, repositories: [shop/*], all: true }"),
        with_production("[{ tags: [\"*\"] }]"),
        with_production("[{ tags: [] }]"),
        with_lines("production: [{ tags: [v*] }]\ntags: { may_move: [\"*\"] }"),
    ];
    insta::assert_snapshot!(told(sources.chain(others)));

    for confirmed in ["all: true", "repositories: [\"**\"], all: true"] {
        let policy = good(&with_source(&format!("{{ oci: https://r.example, {confirmed} }}")));
        assert!(oci(&policy).repositories.matches("any/thing"));
    }
    good(&with_production("[{ tags: [\"*\"], all: true }]"));
    assert!(
        good(&with_lines("production: [{ tags: [v*] }]\ntags: { may_move: [\"*\"], all: true }")).may_move.matches("x")
    );
    // No tag may move: that is the default, and a clear thing to say.
    assert!(!good(&with_lines("production: [{ tags: [v*] }]\ntags: { may_move: [] }")).may_move.matches("x"));
    for narrow in ["shop/*", "*-prod", "v*", "a?"] {
        good(&with_source(&format!("{{ oci: https://r.example, repositories: [\"{narrow}\"] }}")));
    }
}

#[test]
fn keep_is_at_least_one_f69() {
    let keep = |keep: &str| with_lines(&format!("production: [{{ tags: [v*] }}]\nkeep: {keep}"));
    insta::assert_snapshot!(told(["0", "-1", "1.5", "101", "99999999999", "\"5\"", "five", "~"].map(keep)));
    assert_eq!(good(&keep("1")).keep, 1);
}

#[test]
fn patterns_are_capped_and_never_run_away_f70() {
    let hostile = format!("\"{}\"", "*a".repeat(255));
    let policy = good(&with_source(&format!("{{ oci: https://r.example, repositories: [{hostile}] }}")));
    let started = std::time::Instant::now();
    assert!(!oci(&policy).repositories.matches(&("a".repeat(100_000) + "b")));
    assert!(started.elapsed() < std::time::Duration::from_secs(5), "{:?}", started.elapsed());

    let many = vec!["x"; 1001].join(", ");
    for (list, reason) in [
        (format!("\"{}\"", "x*".repeat(300)), "longer than 512 bytes"),
        (many, "1000 is the most"),
        ("\"[z-a]\"".to_owned(), "[z-a]"),
        ("\"{a,b\"".to_owned(), "pattern"),
    ] {
        let errors = read(&with_source(&format!("{{ oci: https://r.example, repositories: [{list}] }}"))).unwrap_err();
        assert!(errors.to_string().contains(reason), "{errors}");
        assert!(errors.to_string().contains(":3:"), "{errors}");
    }
}

#[test]
fn secrets_in_urls_are_refused_and_redacted_f71() {
    let cases = [
        with_source("{ oci: \"https://bot:hunter2@r.example\", repositories: [a] }"),
        with_source("{ oci: \"https://hunter2@r.example\", repositories: [a] }"),
        with_source("{ oci: \"https://bot:hun/ter@hunter2@r.example\", repositories: [a] }"),
        with_source("{ s3: acme, layout: \"{repository}/{version}\", endpoint: \"https://bot:hunter2@s3.example\" }"),
        with_lines("production: [{ tags: [v*] }]\nledger: s3://bot:hunter2@bucket/x"),
        // Other mistakes on a line with a secret, or inside one.
        with_source("{ oci: https://r.example, repositories: [a], username: u, password: hunter2, kep: 5 }"),
        with_source("{ oci: https://r.example, repositories: [a], \"password\" : 'hunter2', username: u, kep: 5 }"),
        with_source(
            "\n    oci: https://r.example\n    repositories: [a]\n    username: u\n    password: |\n      hunter2\n     hunter2: [\n",
        ),
        with_source("{ oci: https://r.example, repositories: [a], password hunter2"),
        with_source(
            "{ oci: https://r.example, repositories: [a], order: \"x password: hunter2\", \"password hunter2\": 1 }",
        ),
    ];
    let page = told(&cases);
    let shown: String =
        page.split("=".repeat(72).as_str()).filter_map(|case| case.split_once("\n\n")).map(|(_, told)| told).collect();
    assert!(!shown.contains(SECRET) && !shown.contains("hun/ter"), "{shown}");
    insta::assert_snapshot!(shown);

    let policy = good(&with_source("{ oci: \"http://r.example\", repositories: [a], username: u, password: hunter2 }"));
    assert_eq!(policy.warnings.len(), 2, "{:?}", policy.warnings);
    assert!(!policy.warnings.concat().contains(SECRET));
}

#[test]
fn the_same_place_twice_is_told_f72() {
    let two = |one: &str, other: &str| {
        format!("version: 1\nsources:\n  a: {one}\n  b: {other}\nproduction: [{{ tags: [v*] }}]\n")
    };
    let bucket = "{ s3: acme, layout: \"{repository}/{version}\" }";
    insta::assert_snapshot!(told([
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
    insta::assert_snapshot!(told(cases));

    for ledger in ["none", "s3://bucket/prefix", "./x", "/var/lib/x"] {
        good(&with_lines(&format!("production: [{{ tags: [v*] }}]\nledger: {ledger}")));
    }
    for schedule in ["*/15 * * * *", "@hourly", "cron(0/15 * * * ? *)", "rate(15 minutes)", "0 3 * * MON-FRI"] {
        good(&with_lines(&format!("production: [{{ tags: [v*] }}]\nschedule: \"{schedule}\"")));
    }
}

#[test]
fn a_hostile_source_line_cannot_steer_the_terminal_f74_f78() {
    let errors =
        read(&with_lines("production: [{ tags: [v*] }]\n\"k\\e[2J\u{202e}\": \u{200b}x")).unwrap_err().to_string();
    assert!(
        !errors.contains(|c: char| (c.is_control() && c != '\n') || c == '\u{202e}' || c == '\u{200b}'),
        "{errors:?}"
    );
    let long =
        read(&with_source(&format!("{{ oci: https://r.example, repositories: [{}], kep: 1 }}", "a,".repeat(900))))
            .unwrap_err();
    assert!(long.to_string().lines().all(|line| line.chars().count() < 140), "{long}");
}

#[test]
fn files_that_are_no_policy_say_what_to_do() {
    let directory = tempfile::tempdir().unwrap();
    let path = |name: &str| directory.path().join(name);
    std::fs::write(path("latin1.yaml"), b"version: 1 # \xe9").unwrap();
    std::fs::File::create(path("huge.yaml")).unwrap().set_len(2 << 20).unwrap();
    let mut page = String::new();
    for name in ["missing.yaml", "", "latin1.yaml", "huge.yaml"] {
        let error = load(&path(name)).unwrap_err().to_string();
        writeln!(page, "{}", error.replace(&*directory.path().to_string_lossy(), "DIRECTORY")).unwrap();
    }
    insta::assert_snapshot!(page);
    std::fs::write(path("bom.yaml"), format!("\u{feff}{}", with_production("[{ tags: [v*] }]").replace('\n', "\r\n")))
        .unwrap();
    load(&path("bom.yaml")).unwrap();
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

#[test]
fn the_published_schema_is_the_programs() {
    let published = include_str!("../../policies/prodpin.schema.json");
    assert_eq!(published, prodpin::policy::schema_text(), "run: prodpin schema policy > policies/prodpin.schema.json");
}

/// Lines to put things between; the secret's own lines stay as they are.
const LINES: [&str; 9] = [
    "version: 1",
    "sources:",
    "  shop:",
    "    oci: https://bot:hunter2@r.example",
    "    repositories: [a, \"b/*\"]",
    "    username: u",
    "    password: hunter2",
    "production:",
    "  - { tags: [v*], order: semver }",
];

proptest! {
    #[test]
    fn no_text_panics_and_errors_stay_short(text in "\\PC{0,200}") {
        if let Err(errors) = read(&text) {
            prop_assert!(errors.to_string().len() < 60_000);
        }
    }

    #[test]
    fn no_slip_shows_a_secret_f71(slips in prop::collection::vec((0..LINES.len(), "[ \\[\\]{}:\"'|>&*!?,#\na-z-]{0,6}"), 1..4)) {
        let mut lines: Vec<String> = LINES.map(str::to_owned).to_vec();
        for (at, slip) in slips {
            lines[at] = format!("{slip}\n{}", lines[at]);
        }
        match read(&lines.join("\n")) {
            Ok(policy) => {
                let shown = format!("{policy:?}");
                prop_assert!(!shown.contains(SECRET));
            }
            Err(errors) => prop_assert!(!errors.to_string().contains(SECRET), "{}", errors),
        }
    }
}

#[test]
fn what_releases_do_to_their_database_is_said_by_repository_and_release() {
    let with = |rules: &str| format!("{}database: {rules}\n", with_production("[{ tags: [v1] }]"));
    let policy = good(&with(
        "[{ repositories: [shop/web], schema: none }, { repositories: [\"shop/*\"], tags: [v2.0.0], schema: contract }]",
    ));
    let [web, shop] = policy.database.as_slice() else { panic!("two rules") };
    assert!(web.tags.is_none() && web.repositories.matches("shop/web") && !web.repositories.matches("shop/api"));
    assert!(shop.tags.as_ref().is_some_and(|tags| tags.matches("v2.0.0") && !tags.matches("v2.0.1")));
    assert_eq!((web.schema.as_str(), shop.schema.as_str()), ("none", "contract"));
    // "No service has a database" is quickly written (F68).
    insta::assert_snapshot!(told(
        [
            "[{ schema: none }]",
            "[{ repositories: [\"**\"], schema: none }]",
            "[{ repositories: [shop/web] }]",
            "[{ repositories: [shop/web], schema: safe }]",
            "[{ repositories: [shop/web], schema: none, change: none }]",
            "[{ repositories: [shop/web], tags: [], schema: none }]",
        ]
        .iter()
        .map(|rules| with(rules))
    ));
}
