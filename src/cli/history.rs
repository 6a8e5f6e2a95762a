//! `prodpin history`: what a tag pointed at, and when.

pub(super) mod asked;
mod columnar;
mod export;
mod row;
mod then;
mod timeline;

use std::io::{self, Write};
use std::path::Path;

use super::arguments::HistoryArguments;
use super::deadline::in_time;
use super::exit::{Ending, Misuse};
use super::outcome::{choose_ledger, doubt_line, looked_up, open_ledger};
use super::output::{Around, to_stdout};
use crate::ledger::Ledger;
use crate::model::{ArtifactId, Event};
use crate::policy::{Policy, load};
use crate::report::escape::terminal;
use timeline::Record;

use asked::Asked;

pub(super) async fn history(path: &Path, arguments: &HistoryArguments) -> anyhow::Result<Ending> {
    let mut policy = load(path)?;
    choose_ledger(&mut policy, arguments.ledger.ledger.as_deref())?;
    in_time(arguments.deadline, &policy.ledger, look(path, &policy, arguments)).await
}

async fn look(path: &Path, policy: &Policy, arguments: &HistoryArguments) -> anyhow::Result<Ending> {
    let ledger = open_ledger(policy).await?;
    if let Some(target) = &arguments.export {
        return export::export(&ledger, target, &Around::from_policy(Some(path), policy, None)).await;
    }
    let Some(asked) = &arguments.reference else {
        return Err(Misuse("name a reference, such as HOST/REPOSITORY:TAG".to_owned()).into());
    };
    let mut records = Vec::new();
    for subject in asked.subjects(policy, &ledger)? {
        // What a tag was, it was whatever bytes are asked for beside it.
        let artifact = subject.artifact.as_ref().filter(|_| arguments.at.is_none() || subject.tag.is_none());
        let mut entries = ledger.history(&subject.key, subject.tag.as_ref()).await?;
        entries.retain(|(_, entry)| artifact.is_none_or(|artifact| names(&entry.event, artifact)));
        if !entries.is_empty() {
            let (state, seen) = (ledger.recall(&subject.key).await?, ledger.last_seen(&subject.key.source));
            records.push(Record { key: subject.key, tag: subject.tag, entries, state, seen });
        }
    }
    if records.is_empty() {
        return Err(nothing(asked, &ledger, &asked.subjects(policy, &ledger)?).await);
    }
    let doubt = ledger.doubt();
    match (arguments.at, arguments.json) {
        (None, false) => to_stdout(|out| {
            in_doubt(&ledger, out)?;
            records.iter().try_for_each(|record| timeline::tell(record, out))
        })?,
        (None, true) => to_stdout(|out| timeline::as_json(&records, doubt.as_deref(), out))?,
        (Some(_), _)
            if records.iter().all(|record| record.entries.iter().all(|(_, e)| e.event.tags().next().is_none())) =>
        {
            return Err(Misuse("--at needs a tag or key: what pointed where, then?".to_owned()).into());
        }
        (Some(at), true) => to_stdout(|out| then::as_json(&records, at, ledger.newest(), doubt.as_deref(), out))?,
        (Some(at), false) => to_stdout(|out| {
            in_doubt(&ledger, out)?;
            then::tell(&records, at, ledger.newest(), out)
        })?,
    }
    Ok(looked_up(&ledger))
}

/// What is reported first of a ledger that is not the one that is remembered.
fn in_doubt(ledger: &Ledger, out: &mut dyn Write) -> io::Result<()> {
    doubt_line(ledger).map_or(Ok(()), |doubt| writeln!(out, "{}", terminal(&doubt)))
}

/// So many tags are offered in the place of one that is not known.
const OFFERED: usize = 5;

/// The repository is known, and what is asked of it is not.
async fn nothing(asked: &Asked, ledger: &Ledger, subjects: &[asked::Subject]) -> anyhow::Error {
    let Some(subject) = subjects.first() else { return anyhow::anyhow!("the ledger holds nothing about {asked}") };
    let key = &subject.key;
    let known = match ledger.recall(key).await {
        Ok(state) => state,
        Err(error) => return error.into(),
    };
    let mut tags: Vec<&str> = known.tags.keys().map(|tag| tag.as_str()).take(OFFERED + 1).collect();
    let more = if tags.len() > OFFERED { " and more" } else { "" };
    tags.truncate(OFFERED);
    let tags = if tags.is_empty() { "no tag".to_owned() } else { tags.join(", ") };
    anyhow::anyhow!(
        "the ledger holds nothing about {asked}; of {key} it knows {tags}{more}: `prodpin history {key}` tells all of it"
    )
}

fn names(event: &Event, wanted: &ArtifactId) -> bool {
    let (from, to) = row::ends(event);
    let found = match event {
        Event::FindingOpened(key) | Event::FindingResolved(key) => {
            key.artifact.as_deref() == Some(&*wanted.to_string())
        }
        _ => false,
    };
    found || from == Some(wanted) || to == Some(wanted)
}
