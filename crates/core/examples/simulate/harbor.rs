//! Harbor: whole runs of tag retention from lines of JSON, and patterns from lines of tab-separated JSON strings.

use std::path::Path;

use jiff::Timestamp;
use prodpin_core::decide::lifecycle::harbor::{
    self, Failure, ImmutableRule, Job, Launch, NestedNames, Outcome, RetentionPolicy, Table, Times,
};
use prodpin_core::model::{Digest, HarborArtifact, HarborTag};
use serde::Deserialize;
use serde_json::{Map, Value, json};

pub(crate) fn header(file: &Path, number: usize, _line: &str) -> bool {
    number == 0 && is_table(file)
}

pub(crate) fn answer(file: &Path, line: &str) -> Result<String, String> {
    if is_table(file) {
        return pattern(line);
    }
    let case: Case = serde_json::from_str(line).map_err(|error| error.to_string())?;
    Ok(json!({ "id": case.id, "expect": expect(&case)? }).to_string())
}

fn is_table(file: &Path) -> bool {
    file.extension().is_some_and(|extension| extension == "tsv")
}

/// Pattern and text; what doublestar answers, and what Harbor's selector does.
fn pattern(line: &str) -> Result<String, String> {
    let mut columns = line.split('\t');
    let (Some(pattern), Some(text)) = (columns.next(), columns.next()) else {
        return Err("expected a pattern and a text, parted by a tab".to_owned());
    };
    let read = |column: &str| serde_json::from_str::<String>(column).map_err(|error| format!("{column}: {error}"));
    let (read_pattern, read_text) = (read(pattern)?, read(text)?);
    let doublestar = said(harbor::doublestar_matches(&read_pattern, &read_text).map_err(Failure::from));
    let harbor = said(harbor::matches(&read_pattern, &read_text));
    Ok(format!("{pattern}\t{text}\t{doublestar}\t{harbor}"))
}

fn said(answer: Result<bool, Failure>) -> &'static str {
    match answer {
        Ok(true) => "true",
        Ok(false) => "false",
        Err(Failure::EndlessPattern) => "endless",
        Err(_) => "error",
    }
}

#[derive(Deserialize)]
struct Case {
    id: Value,
    now: i64,
    #[serde(default)]
    now_nanos: i32,
    project: Project,
    repository: String,
    policy: Value,
    #[serde(default)]
    immutable_rules: Option<Value>,
    artifacts: Option<Vec<Row>>,
}

#[derive(Deserialize)]
struct Project {
    name: String,
}

#[derive(Deserialize)]
struct Row {
    digest: String,
    push_time: Timestamp,
    pull_time: Option<Timestamp>,
    tags: Option<Vec<Tag>>,
    #[serde(default)]
    referenced: Option<bool>,
}

#[derive(Deserialize)]
struct Tag {
    name: Box<str>,
    push_time: Timestamp,
    pull_time: Option<Timestamp>,
}

/// The year 1 is never.
fn pulled(at: Option<Timestamp>) -> Option<Timestamp> {
    at.filter(|at| at.as_second() != harbor::NEVER)
}

impl Row {
    fn artifact(&self) -> Result<HarborArtifact, String> {
        let tag =
            |tag: &Tag| HarborTag { name: tag.name.clone(), pushed: tag.push_time, pulled: pulled(tag.pull_time) };
        Ok(HarborArtifact {
            digest: self.digest.parse::<Digest>().map_err(|error| error.to_string())?,
            tags: self.tags.iter().flatten().map(tag).collect(),
            pushed: self.push_time,
            pulled: pulled(self.pull_time),
            labels: Vec::new(),
            is_referenced: self.referenced.unwrap_or(false),
            children: Vec::new(),
        })
    }
}

fn expect(case: &Case) -> Result<Value, String> {
    let policy = RetentionPolicy::parse(&case.policy.to_string())?;
    let immutable = case.immutable_rules.as_ref().filter(|rules| !rules.is_null());
    let immutable = immutable.map_or(Ok(Vec::new()), |rules| ImmutableRule::parse_all(&rules.to_string()))?;
    let artifacts: Result<Vec<HarborArtifact>, String> = case.artifacts.iter().flatten().map(Row::artifact).collect();
    let artifacts = artifacts?;
    let now = Timestamp::new(case.now, case.now_nanos).map_err(|error| error.to_string())?;
    let rules = match harbor::launch(&policy, &case.project.name, &[&case.repository], &case.repository) {
        Launch::Untouched => return Ok(json!({ "launch": "untouched" })),
        Launch::Failed(failure) => return Ok(json!({ "launch": "error", "launch_error": failure.name() })),
        Launch::Job(rules) => rules,
    };
    let job = |names| Job {
        project: &case.project.name,
        repository: &case.repository,
        algorithm: &policy.algorithm,
        rules: &rules,
        immutable: &immutable,
        names,
        artifacts: &artifacts,
        now,
    };
    let (released, main) = (job(NestedNames::Stripped), job(NestedNames::Whole));
    let times = artifacts.iter().map(Times::of).map(|times| json!([times.pushed, times.pulled]));
    let mut expect = Map::new();
    expect.insert("launch".to_owned(), json!("job"));
    expect.insert("rules_in_job".to_owned(), rules.iter().map(|rule| json!(rule.id)).collect());
    expect.insert("times".to_owned(), times.collect());
    expect.insert("v2.15.2".to_owned(), both(&released));
    if both(&main) != both(&released) {
        expect.insert("main".to_owned(), both(&main));
    }
    let open = order_dependent(&released);
    if !open.is_empty() {
        expect.insert("order_dependent".to_owned(), Value::Object(open));
    }
    Ok(Value::Object(expect))
}

/// The dry run, and the real one.
fn both(job: &Job<'_>) -> Value {
    match job.run() {
        Outcome::Ran(run) => json!({
            "dry": table(&job.table(&run, true), true),
            "real": table(&job.table(&run, false), false),
        }),
        Outcome::Failed { failure, if_lost: None } => {
            json!({ "dry": { "error": failure.name() }, "real": { "error": failure.name() } })
        }
        Outcome::Failed { failure, if_lost: Some(run) } => {
            let lost = |is_dry| table(&job.table(&run, is_dry), is_dry);
            json!({
                "dry": { "error": failure.name(), "if_error_lost": lost(true) },
                "real": { "error": failure.name(), "if_error_lost": lost(false) },
            })
        }
    }
}

fn table(table: &Table, is_dry: bool) -> Value {
    let rows: Vec<&str> = table.rows.iter().map(|verdict| verdict.name()).collect();
    let mut shown = json!({ "rows": rows, "total": rows.len(), "retained": table.retained });
    if !is_dry {
        shown["delete_calls"] = json!(table.calls);
    }
    shown
}

/// What is retained in some order of equals only, and what becomes of it in another one.
fn order_dependent(job: &Job<'_>) -> Map<String, Value> {
    let Outcome::Ran(run) = job.run() else { return Map::new() };
    let mut without = run.clone();
    without.retained.retain(|digest, _| !run.open.contains(digest));
    let rows = job.table(&without, true).rows;
    let open = job.artifacts.iter().zip(rows).filter(|(artifact, _)| run.open.contains(&artifact.digest));
    let mut open: Vec<(String, Value)> =
        open.map(|(artifact, verdict)| (artifact.digest.to_string(), json!([verdict.name(), "RETAIN"]))).collect();
    open.sort_by(|a, b| a.0.cmp(&b.0));
    open.into_iter().collect()
}
