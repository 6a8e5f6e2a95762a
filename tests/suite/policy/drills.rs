//! What a policy says of drills: when, the keys that signatures are held to, and where old revisions are rehearsed.

use prodpin::policy::{ClusterAccess, SignalConfig};

use super::{good, reported, with_production};

#[test]
fn a_drill_has_a_schedule_or_keys_or_both() {
    let whole = |text: &str| with_production(&format!("[{{ tags: [\"v*\"] }}]\ndrill: {text}"));
    let drill = |text: &str| good(&whole(text)).drill.expect("a drill");
    let keys = |keys: &[std::path::PathBuf]| -> Vec<String> {
        keys.iter().map(|key| key.file_name().unwrap().to_string_lossy().into_owned()).collect()
    };
    let scheduled = drill("{ schedule: \"0 3 * * 0\" }");
    assert!(scheduled.schedule.is_some() && scheduled.keys.is_empty());
    let verifying = drill("{ signatures: { keys: [release.pub, keys/other.pub] } }");
    assert!(verifying.schedule.is_none());
    assert_eq!(keys(&verifying.keys), ["release.pub", "other.pub"]);
    let both = drill("{ schedule: \"0 3 * * 0\", max_bytes: 50Gi, signatures: { keys: [release.pub] } }");
    assert!(both.schedule.is_some() && both.keys.len() == 1 && both.max_bytes.is_some());
    for (wrong, said) in [
        ("{}", "drill has no schedule"),
        ("{ max_bytes: 1Gi }", "drill has no schedule"),
        ("{ signatures: {} }", "signatures has no key to hold them to"),
        ("{ signatures: { keys: [] } }", "signatures has no key to hold them to"),
        ("{ signatures: { keys: [\"\"] } }", "this is no path"),
        ("{ signatures: { key: release.pub } }", "key"),
    ] {
        let reported = reported([whole(wrong)]);
        assert!(reported.contains(said), "{wrong}: {reported}");
    }
}

#[test]
fn rehearsals_are_asked_for_and_may_have_an_account_of_their_own() {
    let rehearsal = |rule: &str| {
        let policy = good(&with_production(&format!("[{{ kubernetes: {{ namespaces: [shop]{rule} }} }}]")));
        let SignalConfig::Kubernetes(config) = policy.signals[0].clone() else { panic!("{:?}", policy.signals) };
        config
    };
    let access = |context: Option<&str>| ClusterAccess { context: context.map(str::to_owned), kubeconfig: None };
    assert_eq!(rehearsal("").rehearsal, None);
    assert_eq!(rehearsal(", rehearse: false").rehearsal, None);
    assert_eq!(rehearsal(", rehearse: true").rehearsal, Some(access(None)));
    assert_eq!(rehearsal(", context: eu, rehearse: true").rehearsal, Some(access(Some("eu"))));
    let own = rehearsal(", context: eu, rehearse: true, rehearse_context: eu-drill");
    assert_eq!((own.cluster, own.rehearsal), (access(Some("eu")), Some(access(Some("eu-drill")))));
    assert!(
        !rehearsal(", rehearse: true").rehearses_pulls
            && rehearsal(", rehearse: true, rehearse_pulls: true").rehearses_pulls
    );
    for rule in ["rehearse_context: eu-drill", "rehearse: false, rehearse_context: eu-drill", "rehearse_pulls: true"] {
        let text = with_production(&format!("[{{ kubernetes: {{ namespaces: [shop], {rule} }} }}]"));
        let reported = reported([text]);
        assert!(reported.contains("there are no rehearsals"), "{rule}: {reported}");
    }
}
