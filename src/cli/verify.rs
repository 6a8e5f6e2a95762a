//! `prodpin verify`: whether the ledger is what it says, and proof for whoever asks.

use std::io::{self, Write};
use std::path::Path;

use super::arguments::VerifyArguments;
use super::deadline::{in_time, location_text};
use super::exit::{Ending, Misuse};
use super::outcome::{choose_ledger, looked_up, open_ledger};
use super::output::to_stdout;
use crate::ledger::{Anchored, Claim, Ledger, Since, Verification, Verify};
use crate::policy::{LedgerLocation, Policy, load};
use crate::report::escape::terminal;

/// A checkpoint is a page of text at the most.
const CLAIM_CAP: u64 = 1 << 20;

pub(super) async fn verify(path: &Path, arguments: &VerifyArguments) -> anyhow::Result<Ending> {
    let mut policy = load(path)?;
    choose_ledger(&mut policy, arguments.ledger.ledger.as_deref())?;
    in_time(arguments.deadline, &policy.ledger, look(&policy, arguments)).await
}

async fn look(policy: &Policy, arguments: &VerifyArguments) -> anyhow::Result<Ending> {
    let location = &policy.ledger;
    if *location == LedgerLocation::None {
        return Err(Misuse("the policy has `ledger: none`: name a ledger with --ledger".to_owned()).into());
    }
    if let Some(index) = arguments.entry {
        let ledger = open_ledger(policy).await?;
        let proof = ledger.prove_entry(index).await?;
        let proof = proof.ok_or_else(|| Misuse(format!("the ledger has no entry {index}; they count from 0")))?;
        to_stdout(|out| writeln!(out, "{}", serde_json::to_string_pretty(&proof)?))?;
        return Ok(looked_up(&ledger));
    }
    if let Some(claim) = &arguments.since {
        let claim = claimed(claim)?;
        let ledger = open_ledger(policy).await?;
        let since = ledger.since(&claim).await?;
        to_stdout(|out| tell_since(&since, arguments.json, out))?;
        return Ok(if matches!(since, Since::Grown { .. }) { looked_up(&ledger) } else { Ending::Failed });
    }
    let how = Verify {
        repair: arguments.repair,
        key: arguments.verifier_key.clone(),
        anchor: policy.safeguards.anchor.clone(),
        safeguards: policy.safeguards.clone(),
    };
    let found = Ledger::verify(location, &how).await?;
    if found.commits == 0 && found.damage.is_empty() {
        anyhow::bail!("the ledger at {} holds no commit yet; run `prodpin audit`", location_text(location));
    }
    to_stdout(|out| if arguments.json { as_json(&found, out) } else { tell(&found, out) })?;
    Ok(if found.holds() && found.is_complete() { Ending::Done } else { Ending::Failed })
}

/// A claim as it is, or in the file of that name.
fn claimed(text: &str) -> anyhow::Result<Claim> {
    let reason = match Claim::parse(text) {
        Ok(claim) => return Ok(claim),
        Err(reason) => reason,
    };
    let misused = |reason: String| Misuse(format!("--since: {reason}"));
    let path = Path::new(text);
    match std::fs::metadata(path) {
        Ok(metadata) if metadata.is_file() && metadata.len() <= CLAIM_CAP => {
            let text =
                std::fs::read_to_string(path).map_err(|error| misused(format!("{}: {error}", path.display())))?;
            Ok(Claim::parse(&text).map_err(misused)?)
        }
        Ok(_) => Err(misused(format!("{} is not a checkpoint", path.display())).into()),
        Err(_) => Err(misused(format!("{reason}, and there is no such file")).into()),
    }
}

fn tell_since(since: &Since, json: bool, out: &mut dyn Write) -> io::Result<()> {
    if json {
        return writeln!(out, "{}", serde_json::to_string_pretty(since)?);
    }
    match since {
        Since::Grown { from_size, to_size, to_root, hashes, .. } => {
            let proof = hashes.len();
            writeln!(
                out,
                "the ledger only grew: from {from_size} to {to_size} entries, root {to_root}, proven by {proof} hashes"
            )
        }
        Since::RolledBack { what } => writeln!(out, "ROLLED BACK: {}", terminal(what)),
        Since::Forked { what } => writeln!(out, "ledger-forked: {}", terminal(what)),
    }
}

fn as_json(found: &Verification, out: &mut dyn Write) -> io::Result<()> {
    writeln!(out, "{}", serde_json::to_string_pretty(found)?)
}

fn tell(found: &Verification, out: &mut dyn Write) -> io::Result<()> {
    for damage in &found.damage {
        writeln!(out, "DAMAGED {}: {}", terminal(&damage.object), terminal(&damage.what))?;
    }
    if found.more_damage > 0 {
        writeln!(out, "and {} more", found.more_damage)?;
    }
    for note in &found.notes {
        writeln!(out, "note: {}", terminal(note))?;
    }
    for repaired in &found.repaired {
        writeln!(out, "rebuilt: {}", terminal(repaired))?;
    }
    let Verification { commits, entries, tiles, views, reports, .. } = found;
    writeln!(
        out,
        "checked {commits} commits with {entries} entries, {tiles} tiles, {views} views and {reports} reports: {}",
        if found.holds() { "all of it holds" } else { "NOT what it says" }
    )?;
    if let Some(anchored) = &found.anchor {
        writeln!(out, "{}", terminal(&anchor_summary(anchored, found.holds())))?;
    }
    match (found.unsigned, found.keys.as_slice()) {
        // Of what is not there, nothing was left unsigned.
        (_, []) if found.commits == 0 => {}
        (_, []) => {
            writeln!(out, "no checkpoint is signed: whoever can write to the ledger could have rewritten all of it")?
        }
        (0, _) => {}
        (unsigned, _) => writeln!(out, "the first {unsigned} commits are not signed; the signed ones vouch for them")?,
    }
    for span in &found.keys {
        writeln!(out, "signed from commit {} on by {}", span.since, terminal(&span.key.to_string()))?;
    }
    // A past that contradicts itself is nothing to come back to.
    if let Some(head) = found.head.as_ref().filter(|_| found.holds()) {
        writeln!(out, "commit {}, root {}; ask later with --since {0}:{1}", head.sequence, head.root_base64())?;
    }
    Ok(())
}

fn anchor_summary(anchored: &Anchored, holds: bool) -> String {
    match anchored {
        Anchored::Compared { anchor, copies, last } if holds => {
            format!("{copies} checkpoints, up to commit {last}, are what the anchor {anchor} remembers")
        }
        Anchored::Compared { anchor, copies, .. } => format!("{copies} checkpoints agree with the anchor {anchor}"),
        Anchored::Empty { anchor } => format!(
            "NOT COMPARED with the anchor {anchor}, which holds no checkpoint: the next audit or enforce fills it; \
             if one did already, find out who emptied it"
        ),
        Anchored::Unread { why } => {
            format!("NOT COMPARED with the anchor, which could not be read: {why}")
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_claim_is_a_position_a_text_or_a_file() {
        let root = "VHJ1c3QgYnV0IHZlcmlmeSB0aGUgcm9vdCBoYXNoISE=";
        assert!(matches!(claimed(&format!("42:{root}")).unwrap(), Claim::Position { sequence: 42, .. }));
        let file = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(file.path(), format!("42:{root}\n")).unwrap();
        assert!(matches!(claimed(file.path().to_str().unwrap()).unwrap(), Claim::Position { sequence: 42, .. }));
        for wrong in ["", "42", "42:", "x:y", "no such file"] {
            assert!(claimed(wrong).unwrap_err().to_string().starts_with("--since: "), "{wrong}");
        }
    }
}
