//! The policy file: what it means, and how it tells what is wrong.

mod azure;
mod drills;
mod hostile;
mod registries;

use std::fmt::Write as _;
use std::path::PathBuf;

use prodpin::model::{FailOn, Order, ProductionRule};
use prodpin::policy::{LedgerLocation, OciConfig, Policy, PolicyErrors, SourceConfig, parse};

use self::registries::s3;

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
fn oci(policy: &Policy) -> &OciConfig {
    match policy.sources.values().next() {
        Some(SourceConfig::Oci(config)) => config,
        other => panic!("{other:?}"),
    }
}

fn with_lines(lines: &str) -> String {
    format!("version: 1\nsources: {{ shop: {{ oci: https://r.example, repositories: [a] }} }}\n{lines}\n")
}

fn with_production(rules: &str) -> String {
    with_lines(&format!("production: {rules}"))
}

/// Every case with what is reported about it, for a snapshot. A case that is no error fails here.
fn reported<S: AsRef<str>>(cases: impl IntoIterator<Item = S>) -> String {
    let mut page = String::new();
    for case in cases {
        let case = case.as_ref();
        let errors = read(case).map(|policy| format!("{policy:?}")).expect_err(case);
        let shown: String = case.trim_end().chars().take(400).collect();
        writeln!(page, "{shown}\n\n{errors}\n{}", "=".repeat(72)).unwrap();
    }
    page
}

#[test]
fn the_policies_that_are_published_are_policies() {
    let policy = good(include_str!("../../policies/prodpin.yaml"));
    assert_eq!(policy.warnings, [""; 0]);
    assert_eq!((policy.keep, policy.fail_on), (5, FailOn::High));
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
                let harbor = ["images", "harbor"];
                let azure = ["azure", "acr", "purge"];
                let gar = ["google", "gar", "location"];
                let ghcr = ["packages", "ghcr", "api"];
                let gitlab = ["platform", "gitlab", "registry", "token"];
                let hub = ["public", "dockerhub"];
                let quay = ["builds", "quay", "token"];
                let zot = ["edge", "zot", "config"];
                let charts = ["charts", "helm", "foreign_hosts", "credentials_for", "chartmuseum"];
                let rule = rest.starts_with("- {");
                rule || (rest[..].contains(&format!("{word}:"))
                    && [&keys[..], &azure, &bucket, &ecr, &gar, &ghcr, &gitlab, &harbor, &hub, &quay, &zot, &charts]
                        .iter()
                        .any(|keys| keys.contains(&word.as_str())))
            });
            let indent = &line[..line.len() - line.trim_start().len()];
            code.map_or_else(|| format!("{line}\n"), |code| format!("{indent}{code}\n"))
        })
        .collect();
    let secrets = ["REGISTRY_PASSWORD", "PRODPIN_EXTERNAL_ID", "CHARTS_PASSWORD", "GITLAB_TOKEN", "QUAY_TOKEN"];
    let whole = good(&secrets.iter().fold(whole, |text, secret| text.replace(secret, "PASSWORD")));
    assert_eq!((whole.sources.len(), whole.production.len(), whole.signals.len()), (12, 4, 7));
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
    assert_eq!(policy.digest, prodpin::model::Digest::sha256(text.as_bytes()));
}

#[test]
fn a_variable_that_is_missing_or_misspelt_is_told_where_it_stands() {
    insta::assert_snapshot!(reported([
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
    let reported = reported([text]);
    assert_eq!(reported.matches("the environment has no variable UNSET").count(), 4, "{reported}");
    assert_eq!(reported.matches("prodpin.yaml:").count(), 4, "and nothing else: {reported}");
}

#[test]
fn everything_that_is_wrong_is_told_at_once() {
    insta::assert_snapshot!(reported([
        "versoin: 1\nkeep: lots\nsources:\n  shop: { oci: https://r.example, repositorys: [a], private: maybe }\n  b@d: { s3: s3://x/y }\n  c: 7\nproduction:\n  - { tags: v*, order: semvar }\n  - { moving_tag: prod-* }\n  - later\ntags: { may_move: {} }\nfail_on: [high]\n"
    ]));
}

#[test]
fn unknown_and_repeated_keys_have_line_and_column_f66() {
    insta::assert_snapshot!(reported([
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
    let signals = ["helm_releases: {}", "argo: {}", "apprunner: {}"];
    insta::assert_snapshot!(reported(signals.iter().map(|kind| with_production(&format!("[{{ {kind} }}]")))));
}

#[test]
fn version_sources_and_production_must_be_said() {
    insta::assert_snapshot!(reported([
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
    insta::assert_snapshot!(reported(sources.chain(others)));

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
    insta::assert_snapshot!(reported(["0", "-1", "1.5", "101", "99999999999", "\"5\"", "five", "~"].map(keep)));
    assert_eq!(good(&keep("1")).keep, 1);
}

#[test]
fn the_published_schema_is_the_programs() {
    let published = include_str!("../../policies/prodpin.schema.json");
    assert_eq!(published, prodpin::policy::schema_text(), "run: prodpin schema policy > policies/prodpin.schema.json");
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
    let word = |rule: &prodpin::model::DatabaseRule| rule.schema.map(|schema| schema.as_str());
    assert_eq!((word(web), word(shop)), (Some("none"), Some("contract")));
    // What no rollback undoes may be all that a rule says.
    let policy = good(&with("[{ repositories: [shop/mailer], irreversible: \"emails since v1.4\" }]"));
    let [mailer] = policy.database.as_slice() else { panic!("one rule") };
    assert_eq!((word(mailer), mailer.irreversible.as_ref().unwrap().to_string().as_str()), (None, "emails since v1.4"));
    // "No service has a database" is quickly written (F68).
    insta::assert_snapshot!(reported(
        [
            "[{ schema: none }]",
            "[{ repositories: [\"**\"], schema: none }]",
            "[{ repositories: [shop/web] }]",
            "[{ repositories: [shop/web], schema: safe }]",
            "[{ repositories: [shop/web], schema: none, change: none }]",
            "[{ repositories: [shop/web], tags: [], schema: none }]",
            "[{ repositories: [shop/web], irreversible: none }]",
        ]
        .iter()
        .map(|rules| with(rules))
    ));
}
