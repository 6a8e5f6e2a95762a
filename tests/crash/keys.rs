//! The ledger's key: handed over, lost, given by the environment; and never a second one beside a ledger that another
//! signed (F65).

use serde_json::{Value, json};

use crate::place::{Estate, WorkDirectory, files};

fn replaced(report: &Value) -> usize {
    let findings = report["findings"].as_array().unwrap();
    findings.iter().filter(|finding| finding["code"] == "ledger-key-replaced").count()
}

fn key_of(verified: &Value) -> String {
    verified["keys"].as_array().unwrap().last().unwrap()["key"].as_str().unwrap().to_owned()
}

#[test]
fn a_key_hands_over_to_the_next_and_still_verifies_history_f65() {
    let estate = Estate::start();
    let place = WorkDirectory::new(&estate);
    place.run(&["audit"]).ends(0);
    let old = key_of(&place.verified());
    place.policy("ledger_key: { file: new.key }");
    place.run(&["audit"]).ends(1).tells("`previous` under ledger_key");
    assert!(!place.path("new.key").exists(), "no key is made for a ledger that another one signed");
    place.policy("ledger_key: { file: new.key, previous: prodpin-ledger.key }");
    place.run(&["audit"]).ends(0);
    place.policy("ledger_key: { file: new.key }");
    let report = place.run(&["audit", "--format", "json"]).ends(0).json();
    assert_eq!(replaced(&report), 0);
    let verified = place.run(&["verify", "--json", "--verifier-key", &old]).ends(0).json();
    assert_eq!((verified["keys"].as_array().unwrap().len(), &verified["notes"]), (2, &json!([])));
    place.run(&["verify", "--verifier-key", &key_of(&verified)]).ends(0);
}

#[test]
fn a_lost_key_is_replaced_only_when_it_is_said_and_everything_tells_of_it_from_then_on_f65() {
    let estate = Estate::start();
    let place = WorkDirectory::new(&estate);
    place.run(&["audit"]).ends(0);
    let before = place.verified();
    let old = key_of(&before);
    std::fs::write(place.path("kept"), before["checkpoint"].as_str().unwrap()).unwrap();
    std::fs::remove_file(place.key()).unwrap();

    // Silently nothing: no run, no new key.
    for arguments in [&["audit"][..], &["enforce"], &["audit", "--report", "attestation=a.json"]] {
        let ran = place.run(arguments);
        assert!(matches!(ran.code, Some(1 | 2)), "{arguments:?}: {}", ran.err);
        assert!(!place.key().exists(), "{arguments:?} made a key");
    }
    let reported = place.run(&["audit"]).ends(1).tells("if nobody has it any more");
    assert!(reported.err.contains(&format!("ledger_key: {{ lost: \"{old}\" }}")), "it can be copied: {}", reported.err);
    place.policy("ledger_key: { lost: \"prodpin/0011+aabbccdd+AAAA\" }");
    place.run(&["audit"]).ends(1).tells("ledger_key.lost is no verifier key");
    place.policy("ledger_key: { lost: something }");
    assert!(place.run(&["check"]).ends(2).err.contains("no verifier key"));

    place.policy(&format!("ledger_key: {{ lost: \"{old}\" }}"));
    let ran = place.run(&["audit", "--format", "json"]).ends(0);
    assert!(ran.err.contains("gives the key") && ran.err.contains("up for lost"), "{}", ran.err);
    assert_eq!(replaced(&ran.json()), 1, "the run that does it tells it");
    // From here on it need not be said any more, and is reported by every report.
    place.policy("");
    for _ in 0..2 {
        let report = place.run(&["audit", "--format", "json"]).ends(0).json();
        assert_eq!(replaced(&report), 1, "{report:#}");
        assert!(report["run"]["ledger"]["checkpoint"].as_str().unwrap().contains(&format!("\nlost {old} ")));
    }
    let reported = place.run(&["verify"]).ends(0);
    assert!(reported.out.contains("up for lost: whoever could write here then"), "{}", reported.out);
    let verified = place.verified();
    assert_eq!(verified["keys"][1]["lost"], json!(old));
    // Who trusts the old key is not asked to trust the new one.
    let refused = place.run(&["verify", "--verifier-key", &old]).ends(1);
    assert!(refused.out.contains("does not come from"), "{}", refused.out);
    place.run(&["verify", "--verifier-key", &key_of(&verified)]).ends(0);
    let since = place.run(&["verify", "--since", "kept"]).ends(1);
    assert!(since.out.contains("given up for lost at commit"), "{}", since.out);
    let head = &before["head"];
    let position = format!("{}:{}", head["sequence"], head["root"].as_str().unwrap());
    place.run(&["verify", "--since", &position]).ends(0);
}

#[test]
fn whoever_still_has_the_key_that_was_called_lost_is_told_f65() {
    let estate = Estate::start();
    let place = WorkDirectory::new(&estate);
    place.run(&["audit"]).ends(0);
    let old = key_of(&place.verified());
    let own = std::fs::read(place.key()).unwrap();
    std::fs::remove_file(place.key()).unwrap();
    place.policy(&format!("ledger_key: {{ lost: \"{old}\" }}"));
    place.run(&["audit"]).ends(0);
    std::fs::write(place.key(), own).unwrap();
    place.policy("");
    place.run(&["audit"]).ends(1).tells("whoever can write there could have");
}

#[test]
fn a_key_from_the_environment_signs_what_is_audited_without_a_policy() {
    let estate = Estate::start();
    let place = WorkDirectory::new(&estate);
    place.run(&["audit"]).ends(0);
    let key = std::fs::read_to_string(place.key()).unwrap();
    let elsewhere = WorkDirectory::new(&estate);
    let reference = format!("http://{}", estate.reference());
    let mut command = elsewhere.command(&["audit", &reference, "--ledger", "own"]);
    let ran = command.env("PRODPIN_LEDGER_KEY", &key).output().unwrap();
    assert!(ran.status.success(), "{}", String::from_utf8_lossy(&ran.stderr));
    assert!(!elsewhere.path("own.key").exists(), "the key at hand was used");
    let signed = |verified: &Value| key_of(verified).rsplit_once('+').unwrap().1.to_owned();
    let verified = elsewhere.run(&["verify", "--json", "--ledger", "own"]).ends(0).json();
    assert_eq!(signed(&verified), signed(&place.verified()), "the same key, under each log's own name");
    assert!(files(&elsewhere.root()).iter().all(|file| file.extension().is_none_or(|extension| extension != "key")));
}
