//! Runs, histories, reports, settings.

use std::io::Read as _;
use std::sync::Arc;

use object_store::ObjectStore;
use object_store::memory::InMemory;
use prodpin::ledger::{Access, Ledger, LedgerError, Verify};
use prodpin::model::{Digest, Event, SettingFacts, Versioning};

use super::world::*;
use crate::support::each;

#[tokio::test]
async fn runs_are_found_however_old() {
    let store: Arc<dyn ObjectStore> = Arc::new(InMemory::new());
    let ledger = writer(&store).await;
    for run in 1..=130 {
        // Some commits close two runs, some none.
        match run % 5 {
            0 => {}
            1 => drop(ledger.commit(vec![run_record(run - 1), run_record(run)]).await.unwrap()),
            _ => drop(ledger.commit(vec![source_record(run), run_record(run)]).await.unwrap()),
        }
    }
    ledger.commit(vec![run_record(130)]).await.unwrap();
    for ledger in [ledger, open(&store, Access::Read).await.unwrap()] {
        for most in [0, 1, 50, 51, 97, 131, 500] {
            let runs = ledger.runs(most).await.unwrap();
            let ids: Vec<_> = runs.iter().map(|(run, _)| run.id.clone()).collect();
            let expected: Vec<_> = (0..=130).rev().take(most).map(run_id).collect();
            assert_eq!(ids, expected, "{most}");
        }
        for run in [1, 50, 81, 82, 130] {
            let (found, head) = ledger.find_run(&run_id(run)).await.unwrap().unwrap();
            assert_eq!(found.id, run_id(run));
            let text = String::from_utf8(bytes(&store, &format!("checkpoint/{:020}", head.sequence)).await).unwrap();
            assert_eq!(text.lines().nth(1).unwrap(), head.size.to_string(), "I10: it names a commit that exists");
            assert_eq!(text.lines().nth(2).unwrap(), head.root_base64());
        }
        assert_eq!(ledger.find_run(&run_id(131)).await.unwrap(), None);
    }
}

#[tokio::test]
async fn a_history_is_told_in_order_i21() {
    let store: Arc<dyn ObjectStore> = Arc::new(InMemory::new());
    let ledger = writer(&store).await;
    let repository = key("shop/api");
    for run in 1..=9 {
        let state = ledger.recall(&repository).await.unwrap();
        let tags = [("latest", &*run.to_string()), ("v1", "a")];
        // Clocks go backwards; the sequence does not.
        let mut entries = observe(run, &repository, &state, &tags);
        entries.iter_mut().for_each(|entry| entry.at = at(100 - run as i64));
        ledger.commit([entries, vec![tag_seen(run, &key("other"), &run.to_string(), "o")]].concat()).await.unwrap();
    }
    let history = ledger.history(&repository, Some(&tag("latest"))).await.unwrap();
    assert_eq!(history.len(), 9);
    assert!(each(history.windows(2), |pair| pair[0].0 < pair[1].0));
    assert!(matches!(history[0].1.event, Event::TagSeen { .. }));
    assert_eq!(history[8].1.event, Event::TagMoved { tag: tag("latest"), from: artifact("8"), to: artifact("9") });
    assert_eq!(ledger.history(&repository, None).await.unwrap().len(), 10);
    assert_eq!(ledger.history(&key("unknown"), None).await.unwrap(), []);
    assert_eq!(
        ledger.newest(),
        Some(at(9)),
        "F90, F112: the last clock; one that was ahead for a while says nothing of now"
    );
}

#[tokio::test]
async fn reports_are_kept_once_and_checked() {
    let store: Arc<dyn ObjectStore> = Arc::new(InMemory::new());
    let ledger = writer(&store).await;
    let body = b"{\"a row\":1}\n".repeat(1000);
    let digest = ledger.put_report(&body[..]).await.unwrap();
    assert_eq!(digest, Digest::sha256(&body));
    assert_eq!(ledger.put_report(&body[..]).await.unwrap(), digest);
    assert_eq!(names(&store, "report").await.len(), 1);
    let mut read = Vec::new();
    ledger.report(&digest).await.unwrap().read_to_end(&mut read).unwrap();
    assert_eq!(read, body);

    let name = format!("report/{}", digest.hex());
    for damaged in [Vec::new(), zstd::encode_all(&b"another"[..], 1).unwrap(), b"x".to_vec()] {
        put(&store, &name, damaged).await;
        let error = ledger.report(&digest).await.map(|_| ()).unwrap_err();
        assert!(matches!(error, LedgerError::Corrupt { .. }), "{error}");
    }
    assert!(matches!(ledger.report(&Digest::sha256(b"none")).await.map(|_| ()), Err(LedgerError::Corrupt { .. })));
}

#[tokio::test]
async fn a_report_that_does_not_compress_goes_up_in_parts() {
    let store: Arc<dyn ObjectStore> = Arc::new(InMemory::new());
    let ledger = writer(&store).await;
    let mut noise = 1_u64;
    let body: Vec<u8> = std::iter::repeat_with(|| {
        noise = noise.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (noise >> 56) as u8
    })
    .take(9 << 20)
    .collect();
    let digest = ledger.put_report(&body[..]).await.unwrap();
    ledger.put_report(&body[..]).await.unwrap();
    let mut read = Vec::new();
    ledger.report(&digest).await.unwrap().read_to_end(&mut read).unwrap();
    assert!(read == body);
}

#[tokio::test]
async fn settings_are_remembered_for_each_source() {
    let store: Arc<dyn ObjectStore> = Arc::new(InMemory::new());
    let ledger = writer(&store).await;
    let source: prodpin::model::SourceName = "bundles".parse().unwrap();
    let facts = |versioning| SettingFacts::Bucket {
        bucket: "acme".to_owned(),
        versioning: Some(versioning),
        object_lock: None,
        lifecycle: None,
    };
    for (run, versioning) in [(1, Versioning::Enabled), (2, Versioning::Suspended)] {
        let event = Event::Settings { source: source.clone(), facts: Box::new(facts(versioning)) };
        let entry = prodpin::model::Entry { repository: None, ..entry(run, &key("x"), event) };
        ledger.commit(vec![entry]).await.unwrap();
    }
    for ledger in [ledger, open(&store, Access::Read).await.unwrap()] {
        let (mark, known) = ledger.settings(&source).unwrap();
        assert_eq!((mark.sequence, mark.at, known), (2, at(2), facts(Versioning::Suspended)));
        assert_eq!(ledger.settings(&"other".parse().unwrap()), None);
        assert_eq!(ledger.last_seen(&source), None);
    }
}

#[tokio::test]
async fn a_commit_larger_than_a_batch_is_made_in_several() {
    let store: Arc<dyn ObjectStore> = Arc::new(InMemory::new());
    let ledger = writer(&store).await;
    let repository = key(&"r".repeat(1000));
    let long = "t".repeat(1000);
    let entries: Vec<_> = (0..8500).map(|n| tag_seen(1, &repository, &format!("{long}{n}"), "a")).collect();
    let head = ledger.commit(entries.clone()).await.unwrap();
    assert_eq!((head.sequence, head.size), (2, 8500));
    assert_eq!(ledger.commit(entries).await.unwrap(), head);
    let reader = open(&store, Access::Read).await.unwrap();
    assert_eq!(reader.recall(&repository).await.unwrap().tags.len(), 8500);
}

/// Whoever closes a run says nothing of what another run recorded about another repository.
#[tokio::test]
async fn what_a_run_recorded_that_never_closed_waits_to_be_told_i15_i16() {
    let store: Arc<dyn ObjectStore> = Arc::new(InMemory::new());
    let repository = key("shop/api");
    let moved = |run: u64| Event::TagMoved {
        tag: tag("latest"),
        from: artifact(&(run - 1).to_string()),
        to: artifact(&run.to_string()),
    };
    let writing = writer(&store).await;
    writing.commit(vec![tag_seen(0, &repository, "latest", "0"), run_record(0)]).await.unwrap();
    // More runs die than an index remembers commits of, and each time one about something else closes.
    for run in 1..=20 {
        writing.commit(vec![entry(run, &repository, moved(run))]).await.unwrap();
        writing.commit(vec![tag_seen(100 + run, &key("web/front"), &format!("v{run}"), "a")]).await.unwrap();
        writing.commit(vec![run_record(100 + run)]).await.unwrap();
    }
    let all: Vec<Event> = (1..=20).map(moved).collect();
    let check = async |ledger: &Ledger, expected: &[Event]| {
        ledger.recall(&repository).await.unwrap();
        let unreported = ledger.unreported(&repository).await.unwrap();
        assert_eq!(unreported.events, expected);
        assert_eq!(unreported.until.is_some(), !expected.is_empty());
        ledger.recall(&key("web/front")).await.unwrap();
        assert_eq!(ledger.unreported(&key("web/front")).await.unwrap().until, None, "all of it was told");
    };
    check(&writing, &all).await;
    let views = names(&store, "view").await;
    remove(&store, views).await;
    check(&open(&store, Access::Read).await.unwrap(), &all).await;
    let writing = writer(&store).await;
    check(&writing, &all).await;

    // One that retells it, and dies; one that does, and closes. Another is under way all the time.
    let late = writer(&store).await;
    let until = writing.unreported(&repository).await.unwrap().until.unwrap();
    writing.commit(vec![entry(200, &repository, Event::ReportedAgain { until })]).await.unwrap();
    check(&writing, &all).await;
    let until = writing.unreported(&repository).await.unwrap().until.unwrap();
    late.commit(vec![entry(300, &repository, moved(21))]).await.unwrap();
    writing.commit(vec![entry(201, &repository, Event::ReportedAgain { until }), run_record(201)]).await.unwrap();
    check(&writing, &[moved(21)]).await;
    late.commit(vec![run_record(300)]).await.unwrap();
    check(&writer(&store).await, &[]).await;
    writer(&store).await.put_report(&b"report"[..]).await.unwrap();
    let found = Ledger::verify_on(store.clone(), "memory", &Verify::default()).await.unwrap();
    assert!(found.holds(), "{found:?}");
}
