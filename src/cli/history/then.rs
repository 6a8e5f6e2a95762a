//! `--at`: what a tag was known to point at, at some time.

use std::collections::BTreeMap;
use std::io::{self, Write};

use jiff::{Timestamp, Unit};
use serde_json::{Value, json};

use super::timeline::{Record, say_doubt, shown};
use crate::model::{ArtifactId, Entry, Event, Tag};
use crate::report::escape::terminal;

/// What a tag was known to point at.
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
fn then<'e>(
    entries: impl IntoIterator<Item = &'e (u64, Entry)>,
    at: Timestamp,
) -> (Then<'e>, Option<&'e (u64, Entry)>) {
    let (mut known, mut said) = (Then::Unknown, None);
    for entry in entries.into_iter().filter(|(_, entry)| entry.at <= at) {
        known = match &entry.1.event {
            Event::TagSeen { artifact, .. }
            | Event::TagReturned { artifact, .. }
            | Event::TagRecreated { artifact, .. }
            | Event::Restored { artifact, .. }
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

/// One tag's answer.
struct TagAnswer<'e> {
    record: &'e Record,
    tag: &'e Tag,
    known: Then<'e>,
    said: Option<&'e (u64, Entry)>,
}

fn answers(records: &[Record], at: Timestamp) -> impl Iterator<Item = TagAnswer<'_>> {
    records.iter().flat_map(move |record| {
        let mut of_tags: BTreeMap<&Tag, Vec<&(u64, Entry)>> = BTreeMap::new();
        for entry in &record.entries {
            for tag in entry.1.event.tags() {
                of_tags.entry(tag).or_default().push(entry);
            }
        }
        of_tags.into_iter().map(move |(tag, entries)| {
            let (known, said) = then(entries, at);
            TagAnswer { record, tag, known, said }
        })
    })
}

impl TagAnswer<'_> {
    fn status(&self) -> (&'static str, Option<&ArtifactId>) {
        match self.known {
            Then::Unknown => ("unknown", None),
            Then::Pointed(artifact) => ("present", Some(artifact)),
            Then::Absent(artifact) => ("absent", artifact),
            Then::Deleted => ("deleted", None),
        }
    }

    fn sentence(&self) -> String {
        let reported = match self.status() {
            ("present", Some(artifact)) => format!("pointed at {artifact}"),
            ("absent", Some(artifact)) => format!("had last been seen at {artifact}, and was not found once since"),
            ("deleted", _) => "was deleted".to_owned(),
            _ => "had not been seen yet".to_owned(),
        };
        let since = self.said.map(|(number, entry)| format!(" (since {}, commit {number})", shown(entry.at)));
        format!("{}:{} {reported}{}", self.record.key, self.tag, since.unwrap_or_default())
    }

    fn json(&self, at: Timestamp, until: Option<Timestamp>) -> Value {
        let (status, artifact) = self.status();
        json!({
            "source": self.record.key.source, "repository": self.record.key.name, "tag": self.tag, "at": at,
            "status": status, "artifact": artifact, "since": self.said.map(|(_, entry)| entry.at),
            "ledger_sequence": self.said.map(|(number, _)| number), "ledger_knows_until": until,
        })
    }
}

/// The answers as a list in JSON. `doubt` says why they may not be the whole of it.
pub(super) fn as_json(
    records: &[Record],
    at: Timestamp,
    until: Option<Timestamp>,
    doubt: Option<&str>,
    out: &mut dyn Write,
) -> io::Result<()> {
    let mut all: Vec<Value> = answers(records, at).map(|answer| answer.json(at, until)).collect();
    all.iter_mut().for_each(|value| say_doubt(value, doubt));
    serde_json::to_writer_pretty(&mut *out, &all)?;
    writeln!(out)
}

/// The answers in words. `until` is the ledger's last word about anything.
pub(super) fn tell(records: &[Record], at: Timestamp, until: Option<Timestamp>, out: &mut dyn Write) -> io::Result<()> {
    let moment = at.round(Unit::Second).unwrap_or(at).min(at);
    for answer in answers(records, at) {
        writeln!(out, "at {}, {}", shown(moment), terminal(&answer.sentence()))?;
    }
    match until.filter(|until| *until < at) {
        Some(until) => writeln!(out, "the ledger ends at {}: what came after is not known", shown(until)),
        None => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{Digest, RunId};

    #[test]
    fn the_last_word_up_to_a_time_decides_and_one_absence_is_no_deletion_i4() {
        let (one, two) = (ArtifactId::from(Digest::sha256(b"1")), ArtifactId::from(Digest::sha256(b"2")));
        let tag: Tag = "v1".parse().unwrap();
        let events = [
            (10, Event::TagSeen { tag: tag.clone(), artifact: one.clone(), created: None }),
            (20, Event::TagMoved { tag: tag.clone(), from: one.clone(), to: two.clone() }),
            (30, Event::TagAbsent { tag: tag.clone() }),
            (40, Event::TagDeleted { tag: tag.clone() }),
            (50, Event::TagRecreated { tag, artifact: one.clone() }),
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
            (49, Then::Deleted),
            (99, Then::Pointed(&one)),
        ] {
            assert_eq!(then(&entries, second(at)).0, expected, "{at}");
        }
    }
}
