//! What stands under a number, seen from the last commit before it: the next commit, or none of this log's (F101).
//!
//! Whether a file is the next commit follows from its bytes and from the commit before alone, so that every reader and every
//! writer passes over the same numbers, whenever it looks. Whoever has no key can create files and make none of them the
//! next commit; the writer that finds one in its way takes the number after it, and what it commits there names the commit
//! before by hash. A commit that was changed later looks like a stranger's file: then the next commit of the log does not
//! follow from what is left, or, if it was the last one, whatever remembers it says that it is gone.

use super::read::{Slot, Tip, checkpoint_path};
use super::{key_rotation, signature};

/// What a file under a checkpoint's number is.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum SlotStatus {
    /// The next commit.
    Next,
    /// No commit of this log: passed over.
    Foreign(String),
    /// Nearly what the next commit would be, and not proven: forged, or damaged since.
    Doubtful(String),
    /// A commit of this log after another one than the last one here: what lies between is missing or was changed.
    Displaced(String),
    /// A newer program's commit (F64).
    Newer(u64),
}

/// Judges what stands under a number. An empty or an unfinished one is for the caller.
pub(super) fn slot_status(before: Option<&Tip>, sequence: u64, slot: &Slot) -> SlotStatus {
    let name = checkpoint_path(sequence);
    match slot {
        Slot::Empty => SlotStatus::Foreign(format!("{name} is missing")),
        Slot::Torn => SlotStatus::Foreign(format!("{name} was never finished")),
        Slot::Other { what, bytes } => match before {
            Some(before) if !nearly(before, sequence, bytes) => SlotStatus::Foreign(what.clone()),
            _ => SlotStatus::Doubtful(what.clone()),
        },
        Slot::Newer { schema, bytes } => match before {
            Some(before) if !may_follow(before, bytes) => {
                SlotStatus::Foreign(format!("{name} is a newer program's and does not follow this log"))
            }
            _ => SlotStatus::Newer(*schema),
        },
        Slot::Whole(tip) => of_whole(before, tip, name.as_ref()),
    }
}

fn of_whole(before: Option<&Tip>, tip: &Tip, name: &str) -> SlotStatus {
    let Some(before) = before else {
        return match (&tip.checkpoint.previous, key_rotation::follows(None, tip)) {
            (None, Ok(())) => SlotStatus::Next,
            (None, Err(what)) => SlotStatus::Doubtful(format!("{name}: {what}")),
            (Some(_), _) => SlotStatus::Displaced(format!("{name} does not follow the checkpoint before it")),
        };
    };
    let (known, found) = (&before.checkpoint, &tip.checkpoint);
    if known.origin != found.origin {
        return SlotStatus::Foreign(format!("{name} belongs to another log"));
    }
    let linked = found.previous.as_ref() == Some(&before.digest);
    let what = match key_rotation::follows(Some(known), tip) {
        Ok(()) if linked => return SlotStatus::Next,
        Err(what) if linked => format!("{name}: {what}"),
        _ => format!("{name} does not follow the checkpoint before it"),
    };
    let smaller = found.size <= known.size;
    match &known.key {
        Some(key) if signature::check(&tip.note, &key.key).is_ok() => {
            // Programs before did not state the number: a copy of an earlier commit reads well anywhere.
            let copy = found.stated.is_none() && smaller && !linked;
            if copy { SlotStatus::Foreign(what) } else { SlotStatus::Displaced(what) }
        }
        Some(key) if found.key.as_ref().is_some_and(|named| named.key == key.key) && !smaller => {
            SlotStatus::Doubtful(format!("{name}: the key {} that it names has not signed it", key.key.id()))
        }
        Some(_) if linked => SlotStatus::Foreign(what),
        Some(key) => SlotStatus::Foreign(format!("{name} is not signed by the ledger's key {}", key.key.id())),
        None if linked => SlotStatus::Doubtful(what),
        // Its own place is free: had there been the commit that it names, that would stand before it.
        None if smaller || tip.sequence == before.sequence + 1 => SlotStatus::Foreign(what),
        None => SlotStatus::Displaced(what),
    }
}

/// Whether a newer program's checkpoint may be the next commit: the key says so, or, without one, the link.
fn may_follow(before: &Tip, bytes: &[u8]) -> bool {
    if let Some(key) = &before.checkpoint.key {
        return signature::check(bytes, &key.key).is_ok();
    }
    let text = String::from_utf8_lossy(signature::body(bytes));
    let previous = text.lines().find_map(|line| line.strip_prefix("previous "));
    text.lines().next() == Some(before.checkpoint.origin.as_str())
        && previous.is_none_or(|previous| previous == before.digest.hex())
}

/// Whether what does not read as a checkpoint looks like the next one with a fault in it.
fn nearly(before: &Tip, sequence: u64, bytes: &[u8]) -> bool {
    let text = String::from_utf8_lossy(signature::body(bytes));
    let value =
        |name: &str| text.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(' ').map(str::to_owned));
    let known = &before.checkpoint;
    let size = text.lines().nth(1).and_then(|size| size.parse::<u64>().ok());
    let agree = [
        text.lines().next() == Some(known.origin.as_str()),
        size.is_some_and(|size| size > known.size),
        value("previous").as_deref() == Some(before.digest.hex().as_str()),
        value("commit") == Some(sequence.to_string()),
    ];
    agree.iter().filter(|agrees| **agrees).count() >= 2 + usize::from(known.stated.is_some())
}
