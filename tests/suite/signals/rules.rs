//! The policy's rules for platforms: what is meant, what is refused, and where.

use prodpin::model::ProductionRule;
use prodpin::policy::{Policy, PolicyErrors, SignalConfig, parse};

fn read(production: &str) -> Result<Policy, PolicyErrors> {
    let text = format!(
        "version: 1\nsources: {{ a: {{ oci: https://r.example, repositories: [a] }} }}\nproduction:\n{production}\n"
    );
    parse(&text, "prodpin.yaml", &|_| None)
}

#[test]
fn rules_for_platforms_are_read_as_they_are_meant() {
    let policy = read(
        "  - { kubernetes: { context: prod-eu, namespaces: [shop, \"pay-*\"], helm_releases: true } }
  - { kubernetes: { kubeconfig: eu.yaml, all: true } }
  - { argocd: { applications: [\"prod-*\"] } }
  - { flux: { namespaces: [shop] } }
  - { ecs: { region: eu-west-1, clusters: [\"prod*\"], assume_role: \"arn:aws:iam::111122223333:role/prodpin\" } }
  - { lambda: { region: eu-west-1, all: true } }
  - { app_runner: { services: [web] } }
  - { flux: { namespaces: [shop] } }",
    )
    .unwrap();
    assert_eq!(policy.production, [ProductionRule::InUse]);
    assert_eq!(policy.signals.len(), 7, "a rule given twice counts once (F72)");
    assert_eq!(policy.warnings.len(), 1);
    let SignalConfig::Kubernetes(first) = &policy.signals[0] else { panic!("{:?}", policy.signals[0]) };
    assert!(first.helm_releases && first.namespaces.matches("pay-eu") && !first.namespaces.matches("other"));
    let SignalConfig::Kubernetes(second) = &policy.signals[1] else { panic!("{:?}", policy.signals[1]) };
    assert!(second.namespaces.matches("anything") && second.cluster.context.is_none() && !second.helm_releases);
    let SignalConfig::ArgoCd(argocd) = &policy.signals[2] else { panic!("{:?}", policy.signals[2]) };
    assert_eq!(argocd.namespaces.entries(), ["argocd"]);
}

#[test]
fn what_is_wrong_in_a_platform_s_rule_is_told_where_it_stands_f66_f68() {
    let reported: Vec<String> = [
        "  - { kubernetes: { context: prod } }",
        "  - { kubernetes: { namespaces: [\"*\"] } }",
        "  - { kubernetes: { namespaces: [shop], all: true } }",
        "  - { kubernetes: { namespaces: [shop/api, Shop] } }",
        "  - { kubernetes: { contxt: prod, namespaces: [shop] } }",
        "  - { kubernetes: { context: \"\", namespaces: [shop] } }",
        "  - { kubernetes: }",
        "  - { kubernetes: { namespaces: [shop] }, ecs: { clusters: [prod] } }",
        "  - { kubernets: { namespaces: [shop] } }",
        "  - { ecs: { region: Europe, clusters: [prod] } }",
        "  - { ecs: { clusters: [prod], assume_role: prodpin } }",
        "  - { ecs: { clusters: [prod], assume_role: \"arn:aws:iam::1111:role/prodpin\" } }",
        "  - { ecs: { clusters: [prod], endpoint: \"https://user:hunter2@aws.example\" } }",
        "  - { lambda: { region: eu-west-1 } }",
        "  - { argocd: {} }",
    ]
    .into_iter()
    .map(|rule| read(rule).unwrap_err().to_string())
    .collect();
    let reported = reported.join("\n\n");
    assert!(!reported.contains("hunter2"));
    insta::assert_snapshot!(reported);
}
