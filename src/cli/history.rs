//! `prodpin history`: what a tag pointed at, and when.

mod export;

use std::collections::BTreeMap;
use std::io::{self, Write};
use std::path::Path;

use jiff::Timestamp;
use serde_json::json;

use super::arguments::HistoryArguments;
use super::exit::{Ending, Misuse};
use super::outcome::open_ledger;
use super::output::to_stdout;
use crate::model::{ArtifactId, EcrHost, Entry, Event, FindingKey, Reference, RepositoryKey, RepositoryState, Tag};
use crate::policy::{Policy, SourceConfig, load};
use crate::report::escape::terminal;

/// What is recorded about the reference in one repository: commits' numbers and entries, oldest first.
struct Record {
    key: RepositoryKey,
    entries: Vec<(u64, Entry)>,
    /// The repository as it was last seen.
    state: RepositoryState,
}

pub(super) async fn history(policy: &Path, arguments: &HistoryArguments) -> anyhow::Result<Ending> {
    let policy = load(policy)?;
    if let Some(target) = &arguments.export {
        return export::export(&open_ledger(&policy, arguments.ledger.ledger.as_deref()).await?, target).await;
    }
    let Some(reference) = &arguments.reference else {
        return Err(Misuse("name a reference, such as HOST/REPOSITORY:TAG".to_owned()).into());
    };
    let keys = repositories(&policy, reference);
    if keys.is_empty() {
        return Err(Misuse(format!("{reference} is in no source of the policy")).into());
    }
    let ledger = open_ledger(&policy, arguments.ledger.ledger.as_deref()).await?;
    let mut records = Vec::new();
    for key in keys {
        let mut entries = ledger.history(&key, tag(reference)).await?;
        if let (None, Some(artifact)) = (tag(reference), reference.artifact()) {
            entries.retain(|(_, entry)| names(&entry.event, &artifact));
        }
        if !entries.is_empty() {
            let state = ledger.recall(&key).await?;
            records.push(Record { key, entries, state });
        }
    }
    if records.is_empty() {
        anyhow::bail!("the ledger holds nothing about {reference}; it knows what audit and enforce have seen");
    }
    match (arguments.at, arguments.json) {
        (None, false) => to_stdout(|out| records.iter().try_for_each(|record| tell(record, out)))?,
        (None, true) => to_stdout(|out| lines(&records, out))?,
        (Some(at), as_json) => {
            if tag(reference).is_none() {
                return Err(Misuse("--at needs a tag or key: what pointed where, then?".to_owned()).into());
            }
            to_stdout(|out| records.iter().try_for_each(|record| tell_then(reference, record, at, as_json, out)))?;
        }
    }
    Ok(Ending::Done)
}

/// The tag or key; a digest names bytes that need no tag.
fn tag(reference: &Reference) -> Option<&Tag> {
    match reference {
        Reference::Image { tag, .. } => tag.as_ref(),
        Reference::Object { key, .. } => Some(key),
        Reference::Chart { version, .. } => Some(version),
    }
}

/// The repositories of the policy's sources that the reference points into. Sources need not answer for that: what is
/// gone has a history too.
fn repositories(policy: &Policy, reference: &Reference) -> Vec<RepositoryKey> {
    let inside = |config: &SourceConfig| match (config, reference) {
        (SourceConfig::Oci(oci), Reference::Image { host, repository, .. }) => {
            let known = oci.url.host_str().unwrap_or_default();
            let named = oci.url.port().map_or_else(|| known.to_owned(), |port| format!("{known}:{port}"));
            let usual = oci.url.port_or_known_default().map(|port| format!("{known}:{port}"));
            let hub = known == "registry-1.docker.io" && host == "docker.io";
            (hub || host.eq_ignore_ascii_case(&named) || usual.is_some_and(|usual| host.eq_ignore_ascii_case(&usual)))
                .then(|| repository.clone())
        }
        (SourceConfig::S3(s3), Reference::Object { bucket, key, .. }) if *bucket == s3.bucket => {
            s3.layout.parse(key.as_str()).map(|(repository, _)| repository)
        }
        (SourceConfig::Ecr(ecr), Reference::Image { host, repository, .. }) => {
            let host = host.to_ascii_lowercase();
            let host = EcrHost::read(&host)?;
            // What the policy does not say is not known here: the ledger then tells whether there is such a repository.
            let ours = ecr.account().is_none_or(|account| account == host.account)
                && ecr.region.as_deref().is_none_or(|region| region == host.region);
            ours.then(|| repository.clone())
        }
        (SourceConfig::Helm(helm), Reference::Chart { repository, name, .. }) => {
            let address = helm.address();
            let here = repository.as_ref().is_none_or(|known| {
                let beneath = known.strip_prefix(address.trim_end_matches('/'));
                beneath.is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
            });
            here.then(|| name.clone())
        }
        _ => None,
    };
    let located = policy.sources.iter().filter_map(|(source, config)| Some((source, inside(config)?)));
    located.map(|(source, name)| RepositoryKey { source: source.clone(), name }).collect()
}

fn names(event: &Event, wanted: &ArtifactId) -> bool {
    match event {
        Event::TagMoved { from, to, .. } => from == wanted || to == wanted,
        Event::TagSeen { artifact, .. }
        | Event::TagReturned { artifact, .. }
        | Event::TagRecreated { artifact, .. }
        | Event::DeploymentStarted { artifact, .. }
        | Event::DeploymentEnded { artifact, .. }
        | Event::DeploymentRecalled { artifact, .. }
        | Event::Pinned { artifact }
        | Event::PinLost { artifact }
        | Event::TargetMissing { artifact }
        | Event::TargetFound { artifact } => artifact == wanted,
        Event::TagAbsent { .. } | Event::TagDeleted { .. } => false,
        Event::FindingOpened(key) | Event::FindingResolved(key) => {
            key.artifact.as_deref() == Some(wanted.to_string().as_str())
        }
        Event::Settings { .. }
        | Event::RepositorySettings { .. }
        | Event::AlertSent { .. }
        | Event::AlertOwed { .. }
        | Event::Retold { .. }
        | Event::Source(_)
        | Event::Run(_) => false,
    }
}

fn tell(record: &Record, out: &mut dyn Write) -> io::Result<()> {
    writeln!(out, "{}", terminal(&record.key.to_string()))?;
    for (sequence, entry) in &record.entries {
        let (at, told) = (shown(entry.at), terminal(&sentence(&entry.event)));
        writeln!(out, "  {at}  commit {sequence:<6} {told}, seen by run {}", entry.run)?;
    }
    for (artifact, via) in record.running() {
        let told = format!("{artifact} still runs in production, says {}", via.join(" and "));
        writeln!(out, "  now: {}", terminal(&told))?;
    }
    Ok(())
}

impl Record {
    /// What the history names and production runs, with who says so. Known as of the last complete look.
    fn running(&self) -> BTreeMap<&ArtifactId, Vec<&str>> {
        let named = self.entries.iter().flat_map(|(_, entry)| {
            let (from, to) = export::ends(&entry.event);
            [from, to].into_iter().flatten()
        });
        let by = |artifact: &ArtifactId| {
            let spans = self.state.deployments.get(artifact).into_iter().flatten();
            spans.filter(|(_, span)| span.until.is_none()).map(|(via, _)| &**via).collect::<Vec<_>>()
        };
        let all = named.filter_map(|artifact| {
            let (known, _) = self.state.deployments.get_key_value(artifact)?;
            Some((known, by(known))).filter(|(_, via)| !via.is_empty())
        });
        all.collect()
    }
}

/// Seconds are enough for people; `--json` has the rest.
fn shown(at: Timestamp) -> String {
    at.strftime("%Y-%m-%dT%H:%M:%SZ").to_string()
}

fn about(key: &FindingKey) -> String {
    let thing = key.reference.as_ref().or(key.artifact.as_ref());
    thing.map_or_else(String::new, |thing| format!(" for {thing}"))
}

fn sentence(event: &Event) -> String {
    match event {
        Event::TagSeen { tag, artifact, .. } => format!("{tag} first seen, at {artifact}"),
        Event::TagMoved { tag, from, to } => format!("{tag} moved from {from} to {to}"),
        Event::TagAbsent { tag } => format!("{tag} not found, once"),
        Event::TagReturned { tag, artifact } => format!("{tag} found again, at {artifact}"),
        Event::TagDeleted { tag } => format!("{tag} deleted: not found a second time"),
        Event::TagRecreated { tag, artifact } => format!("{tag} created again, at {artifact}"),
        Event::DeploymentStarted { artifact, via, .. } => format!("{artifact} runs in production, says {via}"),
        Event::DeploymentEnded { artifact, via } => format!("{artifact} runs no more, says {via}"),
        Event::DeploymentRecalled { artifact, via, last: Some(last), .. } => {
            format!("{artifact} ran in production, last on {last}, says {via}")
        }
        Event::DeploymentRecalled { artifact, via, .. } => format!("{artifact} ran in production before, says {via}"),
        Event::Pinned { artifact } => format!("{artifact} pinned"),
        Event::PinLost { artifact } => format!("{artifact} lost its pin"),
        Event::TargetMissing { artifact } => format!("{artifact} not found, though it is a rollback target"),
        Event::TargetFound { artifact } => format!("{artifact} found again"),
        Event::FindingOpened(key) => format!("{} found{}", key.code, about(key)),
        Event::FindingResolved(key) => format!("{} no longer found{}", key.code, about(key)),
        Event::Settings { .. } | Event::RepositorySettings { .. } => {
            "protection settings differ from before".to_owned()
        }
        Event::AlertSent { alert, told, .. } => format!("alert {alert} told {} findings", told.len()),
        Event::AlertOwed { alert, owed, .. } => format!("alert {alert} owes {} findings", owed.len()),
        Event::Retold { until } => format!("what no run may have reported up to commit {until} is reported"),
        Event::Source(_) => "the source was looked at".to_owned(),
        Event::Run(_) => "the run ended".to_owned(),
    }
}

fn lines(records: &[Record], out: &mut dyn Write) -> io::Result<()> {
    let mut all = Vec::new();
    for record in records {
        let running = record.running();
        for (sequence, entry) in &record.entries {
            let mut value = serde_json::to_value(entry)?;
            let (from, to) = export::ends(&entry.event);
            if let Some(object) = value.as_object_mut() {
                object.shift_insert(0, "sequence".to_owned(), json!(sequence));
                // Of what it leads to; of what it leads from, where there is no other.
                if let Some(artifact) = to.or(from) {
                    object.insert("in_production".to_owned(), json!(running.contains_key(artifact)));
                }
            }
            all.push(value);
        }
    }
    serde_json::to_writer_pretty(&mut *out, &all)?;
    writeln!(out)
}

/// What a tag was known to point at, at some time.
#[derive(Debug, PartialEq, Eq)]
enum Then<'e> {
    /// It had not been seen yet.
    Unknown,
    /// It pointed there.
    Pointed(&'e ArtifactId),
    /// It was not found, in one run so far: still there, as far as is proven (I4).
    Absent(Option<&'e ArtifactId>),
    /// It was gone.
    Deleted,
}

/// The last word about a tag up to a time, with the entry that says it. The ledger's order decides, not clocks (I21).
fn then(entries: &[(u64, Entry)], at: Timestamp) -> (Then<'_>, Option<&(u64, Entry)>) {
    let (mut known, mut said) = (Then::Unknown, None);
    for entry in entries.iter().filter(|(_, entry)| entry.at <= at) {
        known = match &entry.1.event {
            Event::TagSeen { artifact, .. }
            | Event::TagReturned { artifact, .. }
            | Event::TagRecreated { artifact, .. }
            | Event::TagMoved { to: artifact, .. } => Then::Pointed(artifact),
            Event::TagAbsent { .. } => Then::Absent(match known {
                Then::Pointed(artifact) => Some(artifact),
                _ => None,
            }),
            Event::TagDeleted { .. } => Then::Deleted,
            _ => continue,
        };
        said = Some(entry);
    }
    (known, said)
}

fn tell_then(
    reference: &Reference,
    record: &Record,
    at: Timestamp,
    as_json: bool,
    out: &mut dyn Write,
) -> io::Result<()> {
    let (known, said) = then(&record.entries, at);
    let (status, artifact) = match known {
        Then::Unknown => ("unknown", None),
        Then::Pointed(artifact) => ("present", Some(artifact)),
        Then::Absent(artifact) => ("absent", artifact),
        Then::Deleted => ("deleted", None),
    };
    if as_json {
        let since = said.map(|(_, entry)| entry.at);
        let answer = json!({
            "reference": reference.to_string(), "source": record.key.source, "repository": record.key.name, "at": at,
            "status": status, "artifact": artifact, "since": since, "ledger_sequence": said.map(|(number, _)| number),
        });
        return writeln!(out, "{answer:#}");
    }
    let told = match (status, artifact) {
        ("present", Some(artifact)) => format!("pointed at {artifact}"),
        ("absent", Some(artifact)) => format!("had last been seen at {artifact}, and was not found once since"),
        ("deleted", _) => "was deleted".to_owned(),
        _ => "had not been seen yet".to_owned(),
    };
    let since = said.map(|(number, entry)| format!(" (since {}, commit {number})", shown(entry.at)));
    let sentence = format!("at {at}, {reference} {told}{}", since.unwrap_or_default());
    writeln!(out, "{}", terminal(&sentence))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{Digest, RunId};

    #[test]
    fn the_last_word_up_to_a_time_decides_and_one_absence_is_no_deletion_i4() {
        let (one, two) = (ArtifactId::from(Digest::of(b"1")), ArtifactId::from(Digest::of(b"2")));
        let tag: Tag = "v1".parse().unwrap();
        let events = [
            (10, Event::TagSeen { tag: tag.clone(), artifact: one.clone(), created: None }),
            (20, Event::TagMoved { tag: tag.clone(), from: one.clone(), to: two.clone() }),
            (30, Event::TagAbsent { tag: tag.clone() }),
            (40, Event::TagDeleted { tag }),
        ];
        let second = |second: i64| Timestamp::from_second(second).unwrap();
        let run = RunId::new(second(0), 0);
        let entries: Vec<(u64, Entry)> = (1..)
            .zip(events)
            .map(|(n, (at, event))| (n, Entry { run: run.clone(), at: second(at), repository: None, event }))
            .collect();
        for (at, expected) in [
            (9, Then::Unknown),
            (10, Then::Pointed(&one)),
            (29, Then::Pointed(&two)),
            (35, Then::Absent(Some(&two))),
            (99, Then::Deleted),
        ] {
            assert_eq!(then(&entries, second(at)).0, expected, "{at}");
        }
    }
}
