//! `prodpin diff`: what production ran at one time and at another, and which tags moved in between. From the ledger alone: no
//! registry and no cluster is asked.

use std::collections::BTreeSet;
use std::io::{self, Write};
use std::path::Path;

use jiff::Timestamp;
use serde_json::{Value, json};

use super::arguments::DiffArguments;
use super::deadline::in_time;
use super::exit::{Ending, Misuse};
use super::forecast::wanted;
use super::outcome::{choose_ledger, doubt_line, looked_up, open_ledger};
use super::output::to_stdout;
use crate::decide::attribution::says;
use crate::decide::between::{Between, MovedTag, Running, Runs};
use crate::ledger::Ledger;
use crate::model::{ArtifactId, Entry, RepositoryKey};
use crate::policy::{Policy, load};
use crate::report::escape::terminal;
use crate::run::Wanted;

pub(super) async fn diff(path: &Path, arguments: &DiffArguments) -> anyhow::Result<Ending> {
    let mut policy = load(path)?;
    choose_ledger(&mut policy, arguments.ledger.ledger.as_deref())?;
    in_time(arguments.deadline, &policy.ledger, look(&policy, arguments)).await
}

async fn look(policy: &Policy, arguments: &DiffArguments) -> anyhow::Result<Ending> {
    let (from, to) = (arguments.from, arguments.to.unwrap_or_else(Timestamp::now));
    if from >= to {
        return Err(Misuse("--from must be before --to".to_owned()).into());
    }
    let wanted = wanted(&arguments.repositories)?;
    let ledger = open_ledger(policy).await?;
    let keys = ledger.sources().into_iter().flat_map(|source| {
        let names = ledger.repositories(&source);
        names.into_iter().map(move |name| RepositoryKey { source: source.clone(), name })
    });
    let is_wanted = |key: &RepositoryKey| wanted.is_empty() || wanted.iter().any(|one: &Wanted| one.matches(key));
    let keys: Vec<RepositoryKey> = keys.filter(is_wanted).collect();
    let missing = arguments.repositories.iter().zip(&wanted).find(|(_, one)| !keys.iter().any(|key| one.matches(key)));
    if let Some((text, _)) = missing {
        let known = "it knows what audit and enforce have seen";
        return Err(Misuse(format!("the ledger knows no repository called {text}; {known}")).into());
    }
    let mut services = Vec::new();
    for key in keys {
        let entries: Vec<Entry> = ledger.history(&key, None).await?.into_iter().map(|(_, entry)| entry).collect();
        services.push(Service { between: Between::new(&entries, from, to), key });
    }
    let comparison = Comparison { from, to, until: ledger.newest(), services };
    to_stdout(|out| match arguments.json {
        true => comparison.as_json(ledger.doubt().as_deref(), out),
        false => comparison.tell(&ledger, out),
    })?;
    Ok(looked_up(&ledger))
}

struct Service {
    key: RepositoryKey,
    between: Between,
}

struct Comparison {
    from: Timestamp,
    to: Timestamp,
    /// The ledger's last word about anything.
    until: Option<Timestamp>,
    services: Vec<Service>,
}

impl Comparison {
    fn tell(&self, ledger: &Ledger, out: &mut dyn Write) -> io::Result<()> {
        if let Some(doubt) = doubt_line(ledger) {
            writeln!(out, "{}", terminal(&doubt))?;
        }
        writeln!(out, "what production ran at {}, and at {}", shown(self.from), shown(self.to))?;
        if let Some(until) = self.until.filter(|until| *until < self.to) {
            writeln!(out, "the ledger ends at {}: what came after is not known", shown(until))?;
        }
        let (same, changed): (Vec<&Service>, Vec<&Service>) =
            self.services.iter().partition(|service| service.between.is_same());
        for service in changed {
            writeln!(out)?;
            service.lines().iter().try_for_each(|line| writeln!(out, "{}", terminal(line)))?;
        }
        let silent = same.iter().filter(|service| service.between.then.is_none()).count();
        writeln!(out)?;
        match same.len() - silent {
            0 => {}
            1 => writeln!(out, "1 service ran the same, and no tag of it moved")?,
            more => writeln!(out, "{more} services ran the same, and no tag of theirs moved")?,
        }
        match silent {
            0 => Ok(()),
            1 => writeln!(out, "of 1 service no signal said what runs, at either time"),
            more => writeln!(out, "of {more} services no signal said what runs, at either time"),
        }
    }

    fn as_json(&self, doubt: Option<&str>, out: &mut dyn Write) -> io::Result<()> {
        let services: Vec<Value> = self.services.iter().map(Service::json).collect();
        let mut document = json!({
            "schema": 1, "from": self.from, "to": self.to, "ledger_knows_until": self.until, "services": services,
        });
        if let (Some(doubt), Value::Object(fields)) = (doubt, &mut document) {
            fields.insert("doubt".to_owned(), doubt.into());
        }
        serde_json::to_writer_pretty(&mut *out, &document)?;
        writeln!(out)
    }
}

impl Service {
    fn lines(&self) -> Vec<String> {
        let Between { then, now, moved } = &self.between;
        let mut lines = vec![self.key.to_string()];
        for (runs, when) in [(then, "the earlier"), (now, "the later")] {
            if runs.is_none() {
                lines.push(format!("  ? no signal said what ran at {when} time"));
            }
        }
        let none = Runs::new();
        let (before, after) = (then.as_ref().unwrap_or(&none), now.as_ref().unwrap_or(&none));
        let all: BTreeSet<&ArtifactId> = before.keys().chain(after.keys()).collect();
        for artifact in all {
            let (sign, running) = match (before.get(artifact), after.get(artifact)) {
                (Some(_), Some(running)) => ("=", running),
                (Some(running), None) => ("-", running),
                (None, Some(running)) => ("+", running),
                (None, None) => continue,
            };
            lines.push(format!("  {sign} {}", ran(artifact, running)));
        }
        lines.extend(moved.iter().map(|moved| format!("  ~ {}", change(moved))));
        lines
    }

    fn json(&self) -> Value {
        let Between { then, now, moved } = &self.between;
        let runs = |runs: &Option<Runs>| {
            let one = |(artifact, running): (&ArtifactId, &Running)| {
                let by: Vec<Value> =
                    running.by.iter().map(|(via, since)| json!({ "via": via, "seen_since": since })).collect();
                json!({ "artifact": artifact, "tags": running.tags, "by": by })
            };
            runs.as_ref().map(|runs| runs.iter().map(one).collect::<Vec<_>>())
        };
        let tags: Vec<Value> = moved
            .iter()
            .map(|it| {
                json!({ "tag": it.tag, "change": it.change, "from": it.from, "to": it.to, "seen_at": it.seen, "by": it.by })
            })
            .collect();
        json!({
            "source": self.key.source, "repository": self.key.name,
            "same": then.as_ref().and(now.as_ref()).map(|_| self.between.is_same()),
            "ran": runs(then), "runs": runs(now), "tags": tags,
        })
    }
}

/// `v1.4.0 (0123456789ab) since 2026-11-23 03:15 UTC, says kubernetes prod: deployment shop/api`.
fn ran(artifact: &ArtifactId, running: &Running) -> String {
    let tags: Vec<&str> = running.tags.iter().map(|tag| tag.as_str()).collect();
    let name = match tags.is_empty() {
        true => artifact.to_string(),
        false => format!("{} ({})", tags.join(", "), artifact.short()),
    };
    let since = running.by.values().min().map(|since| format!(" since {}", shown(*since))).unwrap_or_default();
    let by: Vec<&str> = running.by.keys().map(|via| &**via).collect();
    format!("{name}, seen{since}, says {}", by.join(" and "))
}

fn change(moved: &MovedTag) -> String {
    let MovedTag { tag, change, from, to, seen, by } = moved;
    let named = |artifact: &Option<ArtifactId>| artifact.as_ref().map_or("unknown bytes".to_owned(), ArtifactId::short);
    let what = match to {
        Some(_) => format!("tag {tag} was moved from {} to {}", named(from), named(to)),
        None => format!("tag {tag}, which named {}, was deleted", named(from)),
    };
    let who = match by {
        Some(by) => says(*change, by),
        None => "nothing on record says by whom".to_owned(),
    };
    format!("{what}, seen {}; {who}", shown(*seen))
}

/// To the second, as a person reads it.
fn shown(at: Timestamp) -> String {
    at.strftime("%Y-%m-%d %H:%M:%S UTC").to_string()
}
