//! `prodpin history` as a user runs it: every way to ask, and the whole ledger as a table.

use std::fs::File;
use std::path::Path;
use std::process::{Command, Output, Stdio};

use parquet::basic::{Encoding, LogicalType, Repetition, TimeUnit};
use parquet::file::reader::{FileReader as _, SerializedFileReader};
use parquet::record::{Field, Row};
use prodpin::ledger::{Access, Ledger};
use prodpin::model::{Attribution, Confidence, DeploymentState, Entry, Event, RepositoryKey, TagChange};
use prodpin::policy::LedgerLocation;
use serde_json::Value;

use crate::ledger::world::{artifact, at, entry, run_record, source_record, tag, tag_seen};

const POLICY: &str = "version: 1
sources:
  shop: { oci: \"https://r.example\", repositories: [\"shop/*\"] }
  spare: { oci: \"https://spare.example:8443\", repositories: [\"shop/*\"] }
  bundles: { s3: acme, layout: \"{repository}/{version}/bundle.zip\" }
production: [{ tags: [\"v*\"] }]
";

struct RecordedRuns {
    directory: tempfile::TempDir,
}

fn key(source: &str, name: &str) -> RepositoryKey {
    RepositoryKey { source: source.parse().unwrap(), name: name.parse().unwrap() }
}

impl RecordedRuns {
    async fn new() -> Self {
        let reported = Self { directory: tempfile::tempdir().unwrap() };
        std::fs::write(reported.path().join("prodpin.yaml"), POLICY).unwrap();
        let (api, spare) = (key("shop", "shop/api"), key("spare", "shop/api"));
        let bundle = key("bundles", "Shop");
        let via = || "kubernetes prod".into();
        let runs: Vec<Vec<Entry>> = vec![
            vec![
                tag_seen(1, &api, "latest", "a"),
                tag_seen(1, &api, "v1", "a"),
                tag_seen(1, &spare, "latest", "s"),
                tag_seen(1, &bundle, "Shop/1/bundle.zip", "z"),
            ],
            vec![
                entry(2, &api, Event::TagMoved { tag: tag("latest"), from: artifact("a"), to: artifact("b") }),
                entry(
                    2,
                    &api,
                    Event::DeploymentStarted {
                        artifact: artifact("b"),
                        via: via(),
                        tag: None,
                        state: DeploymentState::Running,
                    },
                ),
                entry(2, &api, Event::TagAbsent { tag: tag("v1") }),
            ],
            vec![
                entry(3, &api, Event::TagDeleted { tag: tag("v1") }),
                entry(3, &api, Event::TagMoved { tag: tag("latest"), from: artifact("b"), to: artifact("c") }),
            ],
            vec![entry(4, &api, Event::TagRecreated { tag: tag("v1"), artifact: artifact("a") })],
        ];
        for (run, entries) in (1..).zip(runs) {
            let ledger = Ledger::open(&reported.location(), Access::Write).await.unwrap();
            ledger.commit([entries, vec![source_record(run), run_record(run)]].concat()).await.unwrap();
        }
        reported
    }

    fn path(&self) -> &Path {
        self.directory.path()
    }

    fn location(&self) -> LedgerLocation {
        LedgerLocation::Directory(self.path().join("prodpin-ledger"))
    }

    fn run(&self, arguments: &[&str]) -> Output {
        let mut command = Command::new(env!("CARGO_BIN_EXE_prodpin"));
        command.arg("history").args(arguments).current_dir(self.path()).env_clear().stdin(Stdio::null());
        command.output().unwrap()
    }

    /// What it prints, if all is well.
    fn tell(&self, arguments: &[&str]) -> String {
        let output = self.run(arguments);
        assert_eq!(output.status.code(), Some(0), "{arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8(output.stdout).unwrap()
    }

    fn refuse(&self, arguments: &[&str], code: i32) -> String {
        let output = self.run(arguments);
        let reported = String::from_utf8(output.stderr).unwrap();
        assert_eq!((output.status.code(), output.stdout.len()), (Some(code), 0), "{arguments:?}: {reported}");
        reported
    }
}

#[tokio::test]
async fn a_timeline_tells_when_from_to_and_who_saw_it() {
    let reported = RecordedRuns::new().await;
    insta::assert_snapshot!(reported.tell(&["r.example/shop/api:latest"]));
}

#[tokio::test]
async fn every_form_of_a_reference_leads_to_its_repository() {
    let reported = RecordedRuns::new().await;
    let digest = artifact("b").to_string();
    let whole = reported.tell(&["r.example/shop/api"]);
    assert!(whole.contains("v1 created again") && whole.contains("latest moved") && whole.contains("kubernetes prod"));
    assert_eq!(reported.tell(&["shop/shop/api"]), whole);
    assert_eq!(reported.tell(&["r.example:443/shop/api"]), whole);
    let latest = reported.tell(&["r.example/shop/api:latest"]);
    assert_eq!(reported.tell(&["shop/shop/api:latest"]), latest);
    // Two sources have it: both are reported.
    let both = reported.tell(&["shop/api:latest"]);
    assert!(both.starts_with(&latest) && both.contains("spare/shop/api"), "{both}");
    assert!(reported.tell(&["spare.example:8443/shop/api:latest"]).starts_with("spare/shop/api"));
    // Bytes, with and without a tag, and by themselves.
    for reference in ["r.example/shop/api@", "shop/shop/api@", "r.example/shop/api:latest@"] {
        let of_bytes = reported.tell(&[&format!("{reference}{digest}")]);
        assert!(of_bytes.contains("moved") && !of_bytes.contains("v1"), "{of_bytes}");
    }
    for reference in ["s3://acme/Shop/1/bundle.zip", "Shop:Shop/1/bundle.zip", "bundles/Shop:Shop/1/bundle.zip"] {
        assert!(reported.tell(&[reference]).contains("first seen"), "{reference}");
    }
    let json: Value = serde_json::from_str(&reported.tell(&["shop/api:latest", "--json"])).unwrap();
    assert_eq!(json.as_array().unwrap().len(), 4);
    assert_eq!((&json[1]["in_production"], &json[1]["event"]["type"]), (&true.into(), &"tag-moved".into()));
}

#[tokio::test]
async fn a_tag_is_resolved_as_of_any_time_and_absence_is_no_deletion_i4() {
    let reported = RecordedRuns::new().await;
    let moment = |second| at(second).to_string();
    for (reference, second, expected) in [
        ("shop/shop/api:latest", 0, "had not been seen yet"),
        ("shop/shop/api:latest", 1, &*format!("pointed at {}", artifact("a"))),
        ("shop/shop/api:latest", 2, &format!("pointed at {}", artifact("b"))),
        ("shop/shop/api:v1", 2, "was not found once since"),
        ("shop/shop/api:v1", 3, "was deleted"),
        ("shop/shop/api:v1", 4, &format!("pointed at {}", artifact("a"))),
    ] {
        let answer = reported.tell(&[reference, "--at", &moment(second)]);
        assert!(answer.contains(expected), "{answer}");
    }
    let later = reported.tell(&["shop/shop/api:latest", "--at", &moment(3600)]);
    assert!(later.contains("the ledger ends at"), "what came after is not known: {later}");
    let day = moment(0).split('T').next().unwrap().to_owned();
    assert!(reported.tell(&["shop/shop/api:latest", "--at", &day]).contains(&artifact("c").to_string()));
    // Of a repository, every tag; of two sources, both; as one document.
    let all: Value = serde_json::from_str(&reported.tell(&["shop/api", "--at", &moment(3), "--json"])).unwrap();
    let status: Vec<_> = all.as_array().unwrap().iter().map(|one| one["status"].as_str().unwrap()).collect();
    assert_eq!(status, ["present", "deleted", "present"]);
    assert_eq!(all[0]["ledger_sequence"], 3);
}

#[tokio::test]
async fn what_is_not_known_is_told_with_the_next_step() {
    let reported = RecordedRuns::new().await;
    let unknown = reported.refuse(&["r.example/shop/api:v9"], 1);
    assert!(
        unknown.contains("it knows latest, v1") && unknown.contains("`prodpin history shop/shop/api`"),
        "{unknown}"
    );
    let unknown = reported.refuse(&["r.example/shop/web:v1"], 1);
    assert!(unknown.contains("nothing about shop/shop/web"), "{unknown}");
    for stranger in ["nginx", "other.example/shop/api:1", "shop/web:latest", "spare.example/shop/api", "s3://b/x"] {
        let refused = reported.refuse(&[stranger], 2);
        assert!(refused.contains("the policy has bundles, shop, spare"), "{refused}");
    }
    let refused = reported.refuse(&["shop/api:latest", "--at", "yesterday"], 2);
    assert!(refused.contains("2026-11-23T03:15:00Z"), "{refused}");
    let bytes = format!("r.example/shop/api@{}", artifact("none"));
    assert!(reported.refuse(&[&bytes], 1).contains("nothing about"));
    for export in ["csv", "xlsx=a", "csv=", "parquet=no/such/folder/x"] {
        reported.refuse(&["--export", export], 2);
    }
}

fn rows(file: &Path) -> Vec<Row> {
    let reader = SerializedFileReader::new(File::open(file).unwrap()).unwrap();
    reader.get_row_iter(None).unwrap().map(Result::unwrap).collect()
}

fn cell<'r>(row: &'r Row, name: &str) -> &'r Field {
    row.get_column_iter().find(|(column, _)| *column == name).unwrap().1
}

#[tokio::test]
async fn the_whole_ledger_is_a_table_of_typed_columns_that_says_what_the_entries_say() {
    let reported = RecordedRuns::new().await;
    reported.tell(&["--export", "parquet=ledger.parquet"]);
    reported.tell(&["--export", "csv=ledger.csv"]);
    let file = reported.path().join("ledger.parquet");
    let reader = SerializedFileReader::new(File::open(&file).unwrap()).unwrap();
    let metadata = reader.metadata();
    let column = |name: &str| {
        let columns = metadata.file_metadata().schema_descr().columns().iter();
        columns.into_iter().find(|column| column.name() == name).unwrap().clone()
    };
    let time = LogicalType::timestamp(true, TimeUnit::MICROS);
    assert_eq!(column("seen_at").logical_type_ref(), Some(&time));
    assert_eq!(column("run").logical_type_ref(), Some(&LogicalType::String));
    assert_eq!(column("sequence").physical_type(), parquet::basic::Type::INT64);
    assert_eq!(column("tag").self_type().get_basic_info().repetition(), Repetition::OPTIONAL);
    for chunk in metadata
        .row_group(0)
        .columns()
        .iter()
        .filter(|chunk| ["run", "event"].contains(&chunk.column_path().string().as_str()))
    {
        assert!(chunk.encodings().any(|encoding| encoding == Encoding::RLE_DICTIONARY), "{chunk:?}");
    }

    let ledger = Ledger::open(&reported.location(), Access::Read).await.unwrap();
    let rows = rows(&file);
    let mut csv = csv::Reader::from_path(reported.path().join("ledger.csv")).unwrap();
    let headers: Vec<String> = csv.headers().unwrap().iter().map(str::to_owned).collect();
    let names: Vec<&String> = rows[0].get_column_iter().map(|(name, _)| name).collect();
    assert_eq!(names, headers.iter().collect::<Vec<_>>());
    let lines: Vec<_> = csv.records().map(Result::unwrap).collect();
    let mut count = 0;
    ledger
        .each_entry(|sequence, number, entry| {
            let row = &rows[number as usize];
            assert_eq!(cell(row, "entry"), &Field::Long(number as i64));
            assert_eq!(cell(row, "sequence"), &Field::Long(sequence as i64));
            assert_eq!(cell(row, "seen_at"), &Field::TimestampMicros(entry.at.as_microsecond()));
            assert_eq!(cell(row, "json"), &Field::Str(serde_json::to_string(entry).unwrap()));
            let tag = entry.event.tag().map_or(Field::Null, |tag| Field::Str(tag.to_string()));
            assert_eq!(cell(row, "tag"), &tag);
            let name = entry.repository.as_ref().map_or(Field::Null, |key| Field::Str(key.name.to_string()));
            assert_eq!(cell(row, "repository"), &name);
            assert_eq!(lines[number as usize].get(1).unwrap(), sequence.to_string());
            count += 1;
            Ok::<_, ()>(())
        })
        .await
        .unwrap()
        .unwrap();
    assert_eq!((rows.len(), lines.len()), (count, count));
    let started = rows.iter().find(|row| cell(row, "event") == &Field::Str("deployment-started".to_owned())).unwrap();
    assert_eq!(cell(started, "via"), &Field::Str("kubernetes prod".to_owned()));
    assert_eq!(cell(started, "from_artifact"), &Field::Null);
}

#[tokio::test]
async fn groups_of_rows_have_an_end_and_nothing_is_lost_between_them_i20() {
    let reported = RecordedRuns { directory: tempfile::tempdir().unwrap() };
    std::fs::write(reported.path().join("prodpin.yaml"), POLICY).unwrap();
    // Nothing yet: the columns are there all the same.
    reported.tell(&["--export", "parquet=none.parquet"]);
    assert_eq!(rows(&reported.path().join("none.parquet")).len(), 0);
    assert!(
        reported.tell(&["--export", "csv=-"]).starts_with("entry,sequence,seen_at,run,source,repository,event,tag,")
    );

    let ledger = Ledger::open(&reported.location(), Access::Write).await.unwrap();
    // Long names, so that few rows weigh as much as many.
    let (repository, long) = (key("shop", &format!("shop/{}", "r".repeat(200))), "t".repeat(500));
    let entries = (0..20_000).map(|n| tag_seen(1, &repository, &format!("{long}{n}"), "a"));
    ledger.commit(entries.collect()).await.unwrap();
    reported.tell(&["--export", "parquet=ledger.parquet"]);
    let file = reported.path().join("ledger.parquet");
    let reader = SerializedFileReader::new(File::open(&file).unwrap()).unwrap();
    let groups: Vec<i64> = reader.metadata().row_groups().iter().map(|group| group.num_rows()).collect();
    assert!(groups.len() > 1 && groups.iter().sum::<i64>() == 20_000, "{groups:?}");
    let all = rows(&file);
    for (n, row) in all.iter().enumerate() {
        assert_eq!(cell(row, "tag"), &Field::Str(format!("{long}{n}")));
        assert_eq!(cell(row, "entry"), &Field::Long(n as i64));
    }
    // Through a pipe, it is the same file.
    assert_eq!(reported.run(&["--export", "parquet=-"]).stdout, std::fs::read(&file).unwrap());
}

#[cfg(unix)]
#[tokio::test]
async fn an_export_takes_the_place_of_neither_ledger_nor_policy_nor_through_a_link_f80() {
    let reported = RecordedRuns::new().await;
    std::fs::write(reported.path().join("old.csv"), "old").unwrap();
    std::os::unix::fs::symlink("old.csv", reported.path().join("link.csv")).unwrap();
    for (format, file, why) in [
        ("csv", "link.csv", "symbolic link"),
        ("parquet", "link.csv", "symbolic link"),
        ("parquet", "prodpin.yaml", "the policy"),
        ("csv", "prodpin-ledger/view/index", "lies in the ledger"),
        ("parquet", "prodpin-ledger/new.parquet", "lies in the ledger"),
        ("csv", "prodpin-ledger.key", "signing key"),
        ("csv", "../x.csv", "'..'"),
    ] {
        let refused = reported.refuse(&["--export", &format!("{format}={file}")], 2);
        assert!(refused.contains(why), "{file}: {refused}");
    }
    // Of the ledger that is asked for, and not only of the policy's.
    let refused = reported.refuse(&["--ledger", "prodpin-ledger", "--export", "csv=prodpin-ledger/x.csv"], 2);
    assert!(refused.contains("lies in the ledger"), "{refused}");
    assert_eq!(std::fs::read(reported.path().join("old.csv")).unwrap(), b"old");
    reported.tell(&["--export", "csv=old.csv"]);
    assert!(std::fs::read_to_string(reported.path().join("old.csv")).unwrap().starts_with("entry,"));
}

#[tokio::test]
async fn who_moved_and_deleted_a_tag_is_a_line_of_its_history_and_no_more_than_its_words_j36_i19() {
    let reported = RecordedRuns::new().await;
    let api = key("shop", "shop/api");
    let by = |principal: &str, confidence| Attribution {
        principal: principal.into(),
        via: "PutImage (docker/27.3.1)".into(),
        at: at(1),
        source: "CloudTrail".into(),
        confidence,
        shared: true,
    };
    let named = |name: &str, to: &str, by| Event::TagAttributed {
        tag: tag(name),
        change: TagChange::Moved,
        to: Some(artifact(to)),
        by: Box::new(by),
    };
    let hostile = "=cmd\u{1b}[2J\n<script>";
    let entries = vec![
        entry(5, &api, named("latest", "c", by("arn:aws:sts::1:assumed-role/ci/run-42", Confidence::Exact))),
        entry(5, &api, named("v1", "a", by(hostile, Confidence::Likely))),
        source_record(5),
        run_record(5),
    ];
    let ledger = Ledger::open(&reported.location(), Access::Write).await.unwrap();
    ledger.commit(entries).await.unwrap();
    drop(ledger);
    let told = reported.tell(&["r.example/shop/api"]);
    let line = format!(
        "latest was moved by arn:aws:sts::1:assumed-role/ci/run-42 (credentials that several may share) via PutImage \
         (docker/27.3.1) at {}, says CloudTrail",
        at(1)
    );
    assert!(told.contains(&line), "{told}");
    assert!(told.contains("v1 was moved by =cmd") && told.contains("which names the tag and not the bytes"), "{told}");
    assert!(!told.contains('\u{1b}') && told.lines().all(|line| !line.starts_with('<')), "{told:?}");
    let json: Value = serde_json::from_str(&reported.tell(&["r.example/shop/api", "--json"])).unwrap();
    let last = json.as_array().unwrap().iter().rev().find(|entry| entry["event"]["type"] == "tag-attributed").unwrap();
    assert_eq!((&last["event"]["change"], &last["event"]["by"]["principal"]), (&"moved".into(), &hostile.into()));
    assert_eq!(last["event"]["by"]["confidence"], "likely");
    // What it pointed at is what was seen, whoever is named for it.
    assert!(reported.tell(&["shop/api:latest", "--at", &at(9).to_string()]).contains("pointed at"));
}

/// `prodpin diff`, with these arguments.
fn diff(recorded: &RecordedRuns, arguments: &[&str]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_prodpin"));
    command.arg("diff").args(arguments).current_dir(recorded.path()).env_clear().stdin(Stdio::null());
    command.output().unwrap()
}

#[tokio::test]
async fn what_production_ran_at_two_times_is_told_from_the_ledger_alone() {
    let recorded = RecordedRuns::new().await;
    let [first, second, last] = [1, 2, 4].map(|run| at(run).to_string());
    let json = |arguments: &[&str]| -> Value {
        let output = diff(&recorded, &[arguments, &["--json"]].concat());
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        serde_json::from_slice(&output.stdout).unwrap()
    };
    let document = json(&["--from", &first, "--to", &last]);
    let services = document["services"].as_array().unwrap();
    assert_eq!(services.len(), 3, "{document:#}");
    let api = services.iter().find(|it| it["source"] == "shop" && it["repository"] == "shop/api").unwrap();
    assert_eq!((&api["same"], &api["ran"]), (&Value::Null, &Value::Null), "nothing was known then: {api:#}");
    assert_eq!(api["runs"][0]["artifact"], artifact("b").to_string());
    assert_eq!(api["runs"][0]["by"][0]["via"], "kubernetes prod");
    let changes: Vec<(&str, &str)> = api["tags"]
        .as_array()
        .unwrap()
        .iter()
        .map(|it| (it["tag"].as_str().unwrap(), it["change"].as_str().unwrap()))
        .collect();
    assert_eq!(changes, [("latest", "moved"), ("v1", "deleted"), ("latest", "moved")]);
    // From the second run on production ran the same; only tags moved.
    let document = json(&["shop/shop/api", "--from", &second, "--to", &last]);
    let api = &document["services"][0];
    assert_eq!(api["ran"][0]["artifact"], api["runs"][0]["artifact"]);
    assert_eq!((document["services"].as_array().unwrap().len(), api["tags"].as_array().unwrap().len()), (1, 2));

    let output = diff(&recorded, &["--from", &first, "--to", &last]);
    let told = String::from_utf8(output.stdout).unwrap();
    for line in [
        "? no signal said what ran at the earlier time",
        "+ sha256:",
        "~ tag v1, which named",
        "of 2 services no signal",
    ] {
        assert!(told.contains(line), "{line}: {told}");
    }
    for wrong in
        [vec!["--from", &*last, "--to", &*first], vec!["shop/nothing", "--from", &*first], vec!["--to", &*last]]
    {
        assert_eq!(diff(&recorded, &wrong).status.code(), Some(2), "{wrong:?}");
    }
}
