//! The program itself, with a policy file, on real registries and a real bucket at once.

use std::collections::{BTreeMap, BTreeSet};
use std::os::unix::fs::PermissionsExt as _;
use std::os::unix::process::CommandExt as _;
use std::process::Command;
use std::time::{Duration, Instant};

use prodpin::model::{ArtifactId, Event, Pin};
use prodpin::sources::memory::image;
use serde_json::Value;

use crate::estate::{Estate, Ran, changes, pins, until};

const ENFORCE: [&str; 4] = ["enforce", "--format", "json", "--quiet"];
const AUDIT: [&str; 4] = ["audit", "--format", "json", "--quiet"];

/// Code, severity and reference of every finding.
fn findings(report: &Value) -> BTreeSet<(String, String, String)> {
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let all = report["findings"].as_array().expect("a list").iter();
    all.map(|finding| (text(&finding["code"]), text(&finding["severity"]), text(&finding["reference"]))).collect()
}

/// The same without those that an estate of few releases has from the start.
fn news(report: &Value) -> BTreeSet<(String, String, String)> {
    findings(report).into_iter().filter(|(code, ..)| code != "rollback-depth-short").collect()
}

fn owned(found: &[(&str, &str, &str)]) -> BTreeSet<(String, String, String)> {
    found.iter().map(|(code, severity, reference)| ((*code).into(), (*severity).into(), (*reference).into())).collect()
}

/// Every release has its pin: for registries a tag that names the same bytes, for the bucket a hold.
async fn everything_is_pinned(estate: &Estate) {
    for shop in &estate.shops {
        for repository in ["api", "web"] {
            let tags = shop.tags(repository).await;
            let released: BTreeSet<_> = tags.iter().filter(|(tag, _)| tag.starts_with('v')).map(|(_, to)| to).collect();
            let expected: BTreeMap<_, _> = released.iter().map(|to| (Pin::for_digest(to).to_string(), *to)).collect();
            let pinned: BTreeMap<_, _> = tags
                .iter()
                .filter(|(tag, _)| tag.starts_with("prod-pinned-"))
                .map(|(tag, to)| (tag.clone(), to))
                .collect();
            assert_eq!(pinned, expected, "{} {repository}", shop.name);
        }
    }
    let versions = estate.versions().await;
    assert_eq!(versions.len(), 3);
    assert!(versions.values().all(|state| *state == "held"), "{versions:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn enforce_pins_the_estate_and_once_more_does_nothing_i13() {
    let Some(estate) = Estate::new("pins", Duration::ZERO).await else { return };
    estate.stock().await;
    let before = estate.everything().await;
    let report = estate.run(&ENFORCE).await.report(0);
    assert_eq!(report["run"]["complete"], true);
    assert_eq!(pins(&report).len(), 3 * 4 + 3);
    assert!(pins(&report).iter().all(|(.., pin)| pin == "created"), "{:?}", pins(&report));
    everything_is_pinned(&estate).await;
    let after = estate.everything().await;
    // A hold is a property of a version, a pin one more tag: whatever was there is there.
    let still: Vec<_> = before.iter().map(|line| line.replace(" loose", " held")).collect();
    assert!(still.iter().all(|line| after.contains(line)), "{still:?} {after:?}");
    assert_eq!(estate.writes().len(), 3 * 4 + 3, "{:?}", estate.writes());

    let recorded = estate.ledger("ledger").await;
    estate.forget();
    let again = estate.run(&ENFORCE).await.report(0);
    assert!(pins(&again).iter().all(|(.., pin)| pin == "present"), "{:?}", pins(&again));
    assert_eq!(estate.writes(), []);
    assert_eq!(estate.everything().await, after);
    let since = &estate.ledger("ledger").await[recorded.len()..];
    assert_eq!(changes(since), Vec::<&prodpin::model::Entry>::new());
    let sources = since.iter().filter(|entry| matches!(entry.event, Event::Source(_))).count();
    assert_eq!((since.len(), sources), (5, 4), "one record for each source, and one for the run");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_happens_between_two_runs_is_found_i4_f28_f47() {
    let Some(estate) = Estate::new("between", Duration::ZERO).await else { return };
    estate.stock().await;
    estate.run(&ENFORCE).await.report(0);
    let original = estate.first_version("api/v1.2.0/bundle.zip").await;
    let hidden = estate.first_version("api/v1.1.0/bundle.zip").await;
    let shop = &estate.shops[0];
    let deleted: ArtifactId = shop.tags("api").await["v1.2.0"].clone().into();

    shop.push("api", "latest", &image("another latest")).await;
    shop.push("api", "dev-1", &image("another dev")).await;
    shop.delete("api", &deleted).await;
    estate.put("api/v1.2.0/bundle.zip", "other bytes").await;
    let marker = estate.s3.delete_object().bucket(&estate.bucket).key("api/v1.1.0/bundle.zip").send().await;
    assert_eq!(marker.expect("a delete marker").delete_marker(), Some(true));

    let report = estate.run(&ENFORCE).await.report(3);
    let expected = owned(&[
        ("tag-moved", "medium", "latest"),
        ("tag-moved", "info", "dev-1"),
        ("object-overwritten", "critical", "api/v1.2.0/bundle.zip"),
        ("target-hidden", "high", "api/v1.1.0/bundle.zip"),
        ("target-missing", "critical", "v1.2.0"),
    ]);
    assert_eq!(news(&report), expected);

    // The hold is on the version that ran, whatever stands in front of it.
    for (key, version) in [("api/v1.2.0/bundle.zip", &original), ("api/v1.1.0/bundle.zip", &hidden)] {
        assert_eq!(estate.versions().await[&(key.to_owned(), version.clone())], "held", "{key}");
        let delete = estate.s3.delete_object().bucket(&estate.bucket).key(key).version_id(version).send().await;
        assert!(delete.is_err(), "{key}: a held version was deleted");
        assert_eq!(estate.versions().await[&(key.to_owned(), version.clone())], "held", "{key}");
    }
    // A second look makes a deletion of an absence.
    let report = estate.run(&ENFORCE).await.report(3);
    let expected = owned(&[
        ("object-overwritten", "critical", "api/v1.2.0/bundle.zip"),
        ("target-hidden", "high", "api/v1.1.0/bundle.zip"),
        ("target-missing", "critical", "v1.2.0"),
        ("tag-deleted", "high", "v1.2.0"),
    ]);
    assert_eq!(news(&report), expected);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_audit_sends_nothing_but_reads_i17() {
    let Some(estate) = Estate::new("audit", Duration::ZERO).await else { return };
    estate.stock().await;
    let before = estate.everything().await;
    for arguments in [&AUDIT[..], &["enforce", "--dry-run", "--format", "json", "--quiet"]] {
        estate.forget();
        let report = estate.run(arguments).await.report(0);
        assert_eq!(report["run"]["complete"], true);
        assert!(pins(&report).iter().all(|(.., pin)| pin == "planned"), "{:?}", pins(&report));
        assert_eq!(pins(&report).len(), 3 * 4 + 3);
        assert!(estate.requests() > 50, "{}", estate.requests());
        assert_eq!(estate.writes(), []);
    }
    assert_eq!(estate.everything().await, before);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_ledger_may_be_in_a_bucket_i9_i13() {
    let Some(estate) = Estate::new("far", Duration::ZERO).await else { return };
    estate.stock().await;
    let bucket = format!("{}-log", estate.bucket);
    estate.make_bucket(&bucket).await;
    estate.write_policy(&format!("s3://{bucket}/audit/prodpin"));
    let report = estate.run(&ENFORCE).await.report(0);
    everything_is_pinned(&estate).await;
    let recorded = estate.ledger_in(&bucket, "audit/prodpin").await;
    estate.forget();
    estate.run(&ENFORCE).await.report(0);
    assert_eq!(estate.writes(), []);
    let since = &estate.ledger_in(&bucket, "audit/prodpin").await[recorded.len()..];
    assert_eq!((changes(since).len(), since.len()), (0, 5));

    let id = report["run"]["id"].as_str().expect("an id");
    let first = estate.run(&["report", "--run", id, "--format", "json"]).await.report(0);
    assert_eq!(pins(&first), pins(&report));
    let reference = format!("{}/{}:v1.3.0", estate.shops[0].proxy.url(), estate.shops[0].repository("api"));
    let history = estate.run(&["history", reference.trim_start_matches("http://"), "--json"]).await;
    let digest = estate.shops[0].tags("api").await["v1.3.0"].to_string();
    assert!(history.status == Some(0) && history.stdout.contains(&digest), "{}{}", history.stdout, history.stderr);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_at_once_both_succeed_i14_f61_f85() {
    let Some(estate) = Estate::new("two", Duration::from_millis(3)).await else { return };
    estate.stock().await;
    let children = [estate.spawn(&ENFORCE), estate.spawn(&ENFORCE)];
    for child in children {
        let output = tokio::task::spawn_blocking(move || child.wait_with_output()).await.expect("no panic");
        let report = Ran::from_output(output.expect("it ends")).report(0);
        assert!(pins(&report).iter().all(|(.., pin)| pin == "created" || pin == "present"), "{:?}", pins(&report));
    }
    everything_is_pinned(&estate).await;
    let recorded = estate.ledger("ledger").await;
    let mut seen = BTreeMap::new();
    for entry in changes(&recorded) {
        *seen.entry(format!("{:?} {:?}", entry.repository, entry.event)).or_insert(0) += 1;
    }
    assert!(seen.values().all(|times| *times == 1), "one change is one entry: {seen:#?}");
    assert_eq!(recorded.len() - seen.len(), 10);
    estate.run(&ENFORCE).await.report(0);
    assert_eq!(changes(&estate.ledger("ledger").await[recorded.len()..]).len(), 0);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn sigterm_ends_a_run_in_time_with_a_ledger_that_holds_f88() {
    let Some(estate) = Estate::new("term", Duration::from_millis(100)).await else { return };
    estate.stock().await;
    let child = estate.spawn(&["enforce", "--format", "json", "--concurrency", "1"]);
    assert!(until(Duration::from_secs(30), || !estate.writes().is_empty()).await, "it never pinned anything");
    let start = Instant::now();
    signal(&child, "-TERM");
    let output = tokio::task::spawn_blocking(move || child.wait_with_output()).await.expect("no panic");
    assert!(start.elapsed() < Duration::from_secs(10), "{:?}", start.elapsed());
    let report = Ran::from_output(output.expect("it ends")).report(1);
    assert_eq!(report["run"]["complete"], false);
    let recorded = estate.ledger("ledger").await;
    assert!(recorded.iter().any(|entry| matches!(&entry.event, Event::Run(run) if !run.complete)));
    assert!(estate.run(&ENFORCE).await.report(0)["run"]["complete"] == true);
    everything_is_pinned(&estate).await;
}

/// Killed at any moment, one clean run later everything is as if nothing had happened.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn kill_9_at_any_moment_leaves_nothing_that_a_clean_run_does_not_mend_i15_f87() {
    let Some(estate) = Estate::new("kill", Duration::from_millis(4)).await else { return };
    estate.stock().await;
    let end = Instant::now() + Duration::from_secs(40);
    let (mut after, mut cut) = (20, 0);
    for _ in 0..8 {
        estate.forget();
        let mut child = estate.spawn(&ENFORCE);
        // Each round lives for more requests than the one before: moments in all parts of a run are met.
        let running = until(Duration::from_secs(20), || estate.requests() >= after).await;
        let ended = child.try_wait().expect("a child").is_some();
        signal(&child, "-KILL");
        child.wait().expect("it ends");
        cut += usize::from(running && !ended);
        after += 23;
        if Instant::now() > end {
            break;
        }
    }
    assert!(cut >= 3, "only {cut} runs were cut short");
    let report = estate.run(&ENFORCE).await.report(0);
    assert_eq!(report["run"]["complete"], true);
    everything_is_pinned(&estate).await;

    // The same estate as a ledger sees it that knows of no crash.
    let other = ["audit", "--format", "json", "--quiet", "--ledger", "other"];
    estate.run(&[&other[..], &["--adopt"]].concat()).await.report(0);
    let undisturbed = estate.run(&other).await.report(0);
    let mended = estate.run(&AUDIT).await.report(0);
    assert_eq!(pins(&mended), pins(&undisturbed));
    assert_eq!(findings(&mended), findings(&undisturbed));
    let reported = |entries: &[prodpin::model::Entry]| {
        let all = changes(entries).into_iter().map(|entry| format!("{:?} {:?}", entry.repository, entry.event));
        // The other ledger is told that there was a history before it; in this one a run told what one that was killed had
        // recorded and not told; and who made a pin only the ledger of its run can know.
        let of_one = |reported: &String| {
            !["LedgerHistoryMissing", "ReportedAgain", "PinMade"].iter().any(|word| reported.contains(word))
        };
        all.filter(of_one).collect::<Vec<_>>()
    };
    let (recorded, expected) = (reported(&estate.ledger("ledger").await), reported(&estate.ledger("other").await));
    let distinct: BTreeSet<_> = recorded.iter().cloned().collect();
    assert_eq!(distinct.len(), recorded.len(), "nothing is recorded twice");
    assert_eq!(distinct, expected.into_iter().collect());
}

fn signal(child: &std::process::Child, signal: &str) {
    let sent = Command::new("kill").args([signal, &child.id().to_string()]).status().expect("kill runs");
    assert!(sent.success() || signal == "-KILL");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_ledger_that_takes_no_writes_stops_enforce_before_any_pin_f63() {
    let Some(estate) = Estate::new("fixed", Duration::ZERO).await else { return };
    estate.stock().await;
    // Root writes wherever it likes: the program runs as somebody else, who reads the policy and no more.
    let program = estate.path("program");
    std::fs::copy(env!("CARGO_BIN_EXE_prodpin"), &program).expect("a copy");
    mode(&estate, ".", 0o755);
    std::fs::create_dir(estate.path("ledger")).expect("a directory");
    for case in ["empty", "in use, with news", "in use, without"] {
        if case == "in use, with news" {
            mode_below(&estate.path("ledger"), 0o755, 0o644);
            estate.run(&AUDIT).await.report(0);
        }
        if case == "in use, without" {
            mode_below(&estate.path("ledger"), 0o755, 0o644);
            estate.run(&["enforce", "--dry-run", "--format", "json"]).await.report(0);
        }
        mode_below(&estate.path("ledger"), 0o555, 0o444);
        estate.forget();
        let mut command = estate.prodpin_at(&program, &ENFORCE);
        if is_root() {
            command.uid(65534).gid(65534);
        }
        let output = tokio::task::spawn_blocking(move || command.output()).await.expect("no panic");
        let ran = Ran::from_output(output.expect("it runs"));
        let report: serde_json::Value = serde_json::from_str(&ran.stdout).expect("a report that says so");
        assert_eq!((ran.status, report["run"]["complete"].as_bool()), (Some(1), Some(false)), "{case}: {}", ran.stderr);
        assert_eq!(report["run"]["ledger"], serde_json::Value::Null, "{case}: nothing was committed (I10)");
        assert!(ran.stderr.contains("ledger") && ran.stderr.contains("denied"), "{case}: {}", ran.stderr);
        assert_eq!(estate.writes(), [], "{case}: {}", ran.stderr);
    }
    mode_below(&estate.path("ledger"), 0o755, 0o644);
}

fn is_root() -> bool {
    let id = Command::new("id").arg("-u").output().expect("id runs");
    id.stdout == b"0\n"
}

fn mode(estate: &Estate, name: &str, mode: u32) {
    std::fs::set_permissions(estate.path(name), std::fs::Permissions::from_mode(mode)).expect("permissions");
}

fn mode_below(directory: &std::path::Path, directories: u32, files: u32) {
    let set = |path: &std::path::Path, mode| {
        std::fs::set_permissions(path, std::fs::Permissions::from_mode(mode)).expect("permissions");
    };
    for entry in std::fs::read_dir(directory).expect("a directory") {
        let entry = entry.expect("an entry");
        match entry.file_type().expect("a type").is_dir() {
            true => mode_below(&entry.path(), directories, files),
            false => set(&entry.path(), files),
        }
    }
    set(directory, directories);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn shares_are_disjoint_and_together_everything() {
    let Some(estate) = Estate::new("shares", Duration::ZERO).await else { return };
    estate.stock().await;
    let names = |report: &Value| {
        let text = |value: &Value| value.as_str().expect("text").to_owned();
        let all = report["repositories"].as_array().expect("a list").iter();
        all.map(|one| format!("{}/{}", text(&one["source"]), text(&one["name"]))).collect::<BTreeSet<_>>()
    };
    let mut shares = Vec::new();
    for share in ["0/2", "1/2"] {
        let report = estate.run(&["enforce", "--format", "json", "--shard", share]).await.report(0);
        shares.push(names(&report));
    }
    let all = names(&estate.run(&AUDIT).await.report(0));
    assert_eq!(all.len(), 7);
    assert_eq!(shares[0].intersection(&shares[1]).count(), 0, "{shares:?}");
    assert_eq!(shares[0].union(&shares[1]).cloned().collect::<BTreeSet<_>>(), all);
    everything_is_pinned(&estate).await;
}
