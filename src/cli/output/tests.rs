//! Files of reports, and the ways that are refused to them.

use super::*;

fn around() -> Around {
    Around {
        policy: None,
        ledger: LedgerLocation::None,
        keys: Vec::new(),
        fail_on: FailOn::High,
        account: None,
        signer: None,
    }
}

#[test]
fn a_report_takes_the_place_of_neither_policy_nor_ledger_f80() {
    let directory = tempfile::tempdir().unwrap();
    let (policy, ledger) = (directory.path().join("prodpin.yaml"), directory.path().join("ledger"));
    std::fs::write(&policy, "version: 1").unwrap();
    std::fs::create_dir_all(ledger.join("report")).unwrap();
    let reported = |path: &str| {
        let around =
            Around { policy: Some(policy.clone()), ledger: LedgerLocation::Directory(ledger.clone()), ..around() };
        let target = format!("json={}", directory.path().join(path).display()).parse().unwrap();
        Outputs::open(None, &[target], around).map(|_| ()).map_err(|error| error.to_string())
    };
    assert!(reported("prodpin.yaml").unwrap_err().contains("this is the policy"));
    assert!(reported("./prodpin.yaml").unwrap_err().contains("this is the policy"));
    assert!(reported("ledger/x.json").unwrap_err().contains("lies in the ledger"));
    assert!(reported("ledger/report/x.json").unwrap_err().contains("lies in the ledger"));
    assert_eq!(reported("fine.json"), Ok(()));
}

#[test]
fn formats_that_lack_something_are_refused_before_the_run() {
    let open = |format: &str, around| {
        let target = format!("{format}=-").parse().unwrap();
        Outputs::open(None, &[target], around).map(|_| ()).map_err(|error| error.to_string())
    };
    assert!(open("asff", around()).unwrap_err().contains("AWS_ACCOUNT_ID"));
    assert!(open("attestation", around()).unwrap_err().contains("no signing key"));
    let account = Some(AwsAccount { id: "111122223333".to_owned(), region: "eu-west-1".to_owned() });
    assert_eq!(open("asff", Around { account, ..around() }), Ok(()));
}

#[test]
fn an_account_is_whole_or_not_there() {
    let of = |pairs: &[(&str, &str)]| {
        account(&|name| pairs.iter().find(|(known, _)| *known == name).map(|(_, value)| (*value).to_owned()))
    };
    assert_eq!(of(&[("AWS_ACCOUNT_ID", "111122223333")]), None);
    assert_eq!(of(&[("AWS_ACCOUNT_ID", "1"), ("AWS_REGION", "eu-west-1")]), None);
    let whole = of(&[("AWS_ACCOUNT_ID", "111122223333"), ("AWS_DEFAULT_REGION", "eu-west-1")]);
    assert_eq!(whole.unwrap().region, "eu-west-1");
}

#[test]
fn a_report_that_cannot_be_written_keeps_no_other_from_being_written() {
    let directory = tempfile::tempdir().unwrap();
    let [full, taken, fine] = ["full.json", "taken.md", "fine.csv"].map(|name| directory.path().join(name));
    let reports = [("json", &full), ("markdown", &taken), ("csv", &fine)]
        .map(|(format, path)| format!("{format}={}", path.display()).parse().unwrap());
    let outputs = Outputs::open(None, &reports, around()).unwrap();
    std::fs::create_dir(&taken).unwrap();
    let failures = place(outputs.files, |format, file| match format {
        Format::Json => Err(io::ErrorKind::StorageFull.into()),
        _ => file.write_all(b"all of it"),
    });
    let reported: Vec<String> = failures.iter().map(|failure| format!("{failure:#}")).collect();
    assert_eq!(reported.len(), 2, "{reported:?}");
    assert!(reported[0].contains("full.json") && reported[1].contains("taken.md"), "{reported:?}");
    assert_eq!(std::fs::read(&fine).unwrap(), b"all of it");
    assert!(!full.exists(), "there whole or not at all");
    assert_eq!(std::fs::read_dir(directory.path()).unwrap().count(), 2, "nothing is left beside them");
}
