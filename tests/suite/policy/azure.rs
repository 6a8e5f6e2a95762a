//! What a policy says of Azure container registries, and of the purges that are run on them.

use prodpin::model::AcrPurges;
use prodpin::policy::RegistryInterface;

use super::{SECRET, good, oci, read, reported, with_source};

fn purges(source: &str) -> AcrPurges {
    let policy = good(&with_source(&format!("{{ acr: https://shop.azurecr.io, repositories: [shop/*]{source} }}")));
    match &oci(&policy).interface {
        RegistryInterface::Acr { purges } => purges.clone(),
        other => panic!("{other:?}"),
    }
}

#[test]
fn what_is_run_there_is_named_denied_or_unknown_k48() {
    assert_eq!(purges(""), AcrPurges::Unknown, "silence is no word");
    let stated = |source: &str| match purges(source) {
        AcrPurges::Stated { commands, others } => (commands.len(), others),
        AcrPurges::Unknown => panic!("{source}"),
    };
    assert_eq!(stated(", purge: []"), (0, false));
    assert_eq!(stated(", purge: [unknown]"), (0, true));
    let two =
        r#", purge: ["acr purge --filter 'shop/api:^dev-.*$$' --ago 30d --untagged", "--untagged-only", unknown]"#;
    assert_eq!(stated(two), (2, true));
    let AcrPurges::Stated { commands, .. } = purges(two) else { panic!("{two}") };
    assert_eq!(commands[0].purge.filters, ["shop/api:^dev-.*$"]);
    assert!(commands[0].purge.untagged && commands[1].purge.untagged_only);
    assert_eq!(&*commands[1].line, "--untagged-only");
}

#[test]
fn an_address_that_is_known_for_another_registry_is_no_acr() {
    let at = |host: &str| with_source(&format!("{{ acr: https://{host}, repositories: [shop/*] }}"));
    let reported = good(&at("quay.io")).warnings.join("\n");
    assert!(reported.contains("quay.io is Quay, and not Azure Container Registry"), "{reported}");
    assert!(reported.contains("write https://NAME.azurecr.io"), "{reported}");
    // A registry of Azure's may be under a domain of its owner's.
    good(&at("registry.example.com"));
}

#[test]
fn a_purge_that_cannot_be_read_is_no_policy_k48() {
    for (wrong, said) in [
        ("purge: [\"acr purge --ago 3d\"]", "--filter is required"),
        ("purge: [\"acr purge --filter x:y --ago 3d --all\"]", "--all is no flag"),
        ("purge: [\"acr purge --filter x:y --ago 3d --password pw\"]", "it holds a password"),
        ("purge: [\"acr purge --filter x:a|b --ago 3d\"]", "'|' behind --filter is the shell's"),
        ("purge: [\"acr purge --filter 'x:{{.Values.tags}}' --ago 3d\"]", "which a task fills in"),
        ("purge: [\"acr purge --filter x --ago 3d\"]", "--filter x has no colon"),
        ("purge: [\"acr purge --filter x:y --ago 30\"]", "--ago 30 is no duration"),
        ("purge: [\"acr purge --filter x:y --ago 3d --keep=-1\"]", "--keep -1 is negative"),
        ("purge: [\"az acr run --cmd 'acr purge --filter x:y --ago 3d' /dev/null\"]", "only what stands in --cmd"),
        ("purge: [none]", "\"none\" is no flag"),
        ("purge: [\"\"]", "this value is empty"),
        ("purge: unknown", "expected"),
        ("cleanup: none", "name acr purge commands under purge"),
        ("tasks: []", "unknown key \"tasks\" in an acr source"),
    ] {
        let reported =
            reported([with_source(&format!("{{ acr: https://shop.azurecr.io, repositories: [shop/*], {wrong} }}"))]);
        assert!(reported.contains(said), "{wrong}: {reported}");
    }
    let hidden = with_source("{ acr: https://shop.azurecr.io, repositories: [shop/*], purge: [\"${PASSWORD}\"] }");
    let errors = read(&hidden).map(|policy| format!("{policy:?}")).expect_err("no command").to_string();
    assert!(!errors.contains(SECRET), "{errors}");
}
