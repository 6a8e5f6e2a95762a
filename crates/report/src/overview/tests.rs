use super::*;
use prodpin_core::model::Counts;
use prodpin_core::outcome::report::Rollback;

#[test]
fn many_gaps_of_one_repository_hide_no_other_f96_f109() {
    let mut unread = Unread::default();
    let mut add = |again, hidden, words| unread.add(again, hidden, || Phrase::said(words));
    (0..9).for_each(|at| add(at > 0, Hidden::Detail, "a tag of the first"));
    (0..2).for_each(|at| add(at > 0, Hidden::Tags, "the list of another"));
    add(false, Hidden::Repositories, "a source");
    (0..9).for_each(|at| add(at > 0, Hidden::Detail, "a tag of the last"));
    assert_eq!((unread.total, unread.more()), (21, 16));
    let reported: Vec<String> = unread.reported().map(Phrase::terminal).collect();
    let each_once = ["a source", "the list of another", "a tag of the first", "a tag of the last"];
    assert_eq!(reported, [&each_once[..], &["the list of another"]].concat());
}

fn row(name: &str, severity: Severity, findings: usize) -> Row {
    let (source, name): (SourceName, RepositoryName) = ("shop".parse().unwrap(), name.parse().unwrap());
    let finding = |number: usize| Finding {
        code: Code::TagMoved,
        severity,
        source: Some(source.clone()),
        repository: Some(name.clone()),
        reference: Some(format!("v{number}")),
        artifact: None,
        previous: None,
        moved_by: None,
        first_seen: jiff::Timestamp::UNIX_EPOCH,
        ledger_sequence: None,
        message: "moved".to_owned(),
        remedy: "look".to_owned(),
        waived: None,
    };
    let repository = RepositoryReport {
        source: source.clone(),
        name: name.clone(),
        complete: true,
        gaps: vec![],
        counts: Counts::default(),
        rollback: Rollback {
            contracted: None,
            status: None,
            intact: None,
            protected: None,
            ready: Some(false),
            current: None,
            from: None,
            went_back_from: None,
            to: None,
            depth: 0,
            earlier: None,
            keep: 5,
            unknown: None,
        },
        targets: vec![],
    };
    Row { repository: Some(repository), findings: (0..findings).map(finding).collect() }
}

/// What is kept of 100,000 findings in 10,000 repositories is what is shown, and the worst of it (I20, F96).
#[test]
fn a_flood_leaves_a_bounded_page_with_the_worst_on_it_i20_f96() {
    let mut overview = Overview::default();
    for number in 0..10_000 {
        let severity = if number == 9_999 { Severity::Critical } else { Severity::Medium };
        overview.add(row(&format!("service-{number:05}"), severity, 10));
    }
    let kept: usize = overview.groups.values().flat_map(|group| &group.shown).map(|shown| shown.examples.len()).sum();
    assert_eq!(kept, (1 + subjects_listed(Severity::Medium)) * EXAMPLES);
    let services = &overview.services[&ServiceStatus::NoEarlierRelease];
    assert_eq!((services.total, services.shown.len()), (9_999, listed(ServiceStatus::NoEarlierRelease)));
    let (worst, services) = overview.services.first_key_value().unwrap();
    assert_eq!((*worst, services.total), (ServiceStatus::NotReady, 1));
    assert_eq!(services.shown.values().next().unwrap().report.name.as_str(), "service-09999");
    let worst = overview.groups.values().next().unwrap();
    assert_eq!((worst.severity, worst.findings, worst.subjects), (Severity::Critical, 10, 1));
}

#[test]
fn unknown_incomplete_and_endangered_are_never_protected_i25() {
    let mut service = row("a", Severity::Info, 0).repository.unwrap();
    let critical = row("a", Severity::Critical, 1).findings;
    for (ready, complete, findings, expected) in [
        (None, true, &[][..], ServiceStatus::Unknown),
        (Some(true), true, &[], ServiceStatus::Protected),
        (Some(true), false, &[], ServiceStatus::Unknown),
        (Some(false), true, &[], ServiceStatus::NoEarlierRelease),
        (Some(true), true, &critical, ServiceStatus::InDanger),
        (None, true, &critical, ServiceStatus::InDanger),
        (Some(false), true, &critical, ServiceStatus::NotReady),
    ] {
        service.rollback.ready = ready.filter(|ready| !ready);
        (service.rollback.intact, service.complete) = (ready.filter(|ready| *ready), complete);
        assert_eq!(ServiceStatus::from_report(&service, findings), expected, "{ready:?} {complete}");
    }
    (service.rollback.ready, service.rollback.contracted) = (Some(false), service.rollback.to.clone());
    service.rollback.contracted.get_or_insert_with(|| prodpin_core::model::Digest::sha256(b"contracting").into());
    assert_eq!(ServiceStatus::from_report(&service, &[]), ServiceStatus::NotReady, "the database has moved on");
}

#[test]
fn what_is_deleted_now_stands_above_a_service_with_one_release() {
    let mut overview = Overview::default();
    let mut endangered = row("z", Severity::Critical, 1);
    let rollback = &mut endangered.repository.as_mut().unwrap().rollback;
    (rollback.intact, rollback.ready) = (Some(true), None);
    overview.add(row("a", Severity::Low, 1));
    overview.add(endangered);
    let order: Vec<ServiceStatus> = overview.services.keys().copied().collect();
    assert_eq!(order, [ServiceStatus::InDanger, ServiceStatus::NoEarlierRelease]);
}
