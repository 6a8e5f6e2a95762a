//! One file that is, or would be, put back.

use std::io::{self, Write};

use super::named;
use crate::decide::bring_back::{hide, restore_command};
use crate::decide::vault::TagStep;
use crate::outcome::size::size;
use crate::report::escape::terminal;
use crate::run::{AtKey, Destination, FileRestoration, KeyPin};

pub(super) fn tell(target: &FileRestoration, out: &mut dyn Write) -> io::Result<()> {
    writeln!(out, "{}", named(&target.repository))?;
    writeln!(out, "  {}", terminal(&target.artifact.to_string()))?;
    writeln!(out, "  in the vault: whole, {}, {}", size(target.size), target.digest)?;
    match &target.place {
        Destination::Key(at) => at_key(target, at, out),
        Destination::ByHand { address, name, serves } => by_hand(target, (address, name), *serves, out),
    }
}

/// How it gets there, where prodpin does not send it.
fn by_hand(
    target: &FileRestoration,
    (address, name): (&str, &str),
    serves: Option<bool>,
    out: &mut dyn Write,
) -> io::Result<()> {
    let (address, name) = (terminal(address), terminal(name));
    match serves {
        Some(true) => return writeln!(out, "{address} serves it already. Nothing is to be done."),
        Some(false) => writeln!(out, "  {address} does not serve it")?,
        None => writeln!(out, "  whether {address} serves it could not be told")?,
    }
    writeln!(out, "prodpin uploads to no chart repository on a web server. The archive is this file in the vault:")?;
    writeln!(out, "    {}", terminal(&target.kept_at))?;
    writeln!(out, "Copy it to {name}, then upload that as every release is uploaded, and have the index name it. To")?;
    writeln!(out, "ChartMuseum:")?;
    writeln!(out, "    curl --data-binary @{name} {}/api/charts", address.trim_end_matches('/'))?;
    writeln!(out, "To a chart repository in a registry:")?;
    writeln!(out, "    helm push {name} oci://REGISTRY/REPOSITORY")
}

fn at_key(target: &FileRestoration, at: &AtKey, out: &mut dyn Write) -> io::Result<()> {
    let said = match (&at.step, target.applied) {
        (TagStep::Put, false) => "readers get nothing there; the file would be put".to_owned(),
        (TagStep::Put, true) => "put".to_owned(),
        (TagStep::Held, _) => "readers get these bytes already".to_owned(),
        (TagStep::Taken(other), _) => {
            format!("left alone: readers get another object,\n    {}", terminal(&other.to_string()))
        }
        (TagStep::Unknown, _) => "left alone: what is there could not be told".to_owned(),
    };
    writeln!(out, "  {}: {said}", terminal(&at.name))?;
    let version = match (at.version_is_there, &at.step) {
        (true, TagStep::Held) => None,
        (true, _) => Some("is still in the bucket, and readers do not get it"),
        (false, TagStep::Put | TagStep::Held) => {
            Some("is gone from the bucket; the same bytes have another version id from now on")
        }
        (false, _) => Some("is gone from the bucket"),
    };
    if let Some(version) = version {
        writeln!(out, "  that version {version}")?;
    }
    if let Some(serves) = at.serves.as_ref().filter(|serves| **serves != target.artifact) {
        writeln!(out, "  the version that readers get:\n    {}", terminal(&serves.to_string()))?;
    }
    if let Some(pin) = of_pin(at, target.applied) {
        writeln!(out, "  pin: {pin}")?;
    }
    for trouble in &target.troubles {
        writeln!(out, "  NOT RESTORED: {}", terminal(trouble))?;
    }
    if let Some(why) = &target.unrecorded {
        writeln!(out, "  not on record: {}; the next run reports this key as written by somebody", terminal(why))?;
    }
    end(target, at, out)
}

fn of_pin(at: &AtKey, applied: bool) -> Option<&'static str> {
    match (at.pin, applied) {
        (KeyPin::None, _) => None,
        (KeyPin::Present, _) => Some("present"),
        (KeyPin::Made, _) => Some("made"),
        (KeyPin::Missing, false) => Some("missing, and would be made"),
        (KeyPin::Missing, true) => Some("missing"),
        (KeyPin::Unsupported, _) => Some("none: the bucket has no Object Lock, so that nothing holds it"),
    }
}

/// What it comes to, and the next command.
fn end(target: &FileRestoration, at: &AtKey, out: &mut dyn Write) -> io::Result<()> {
    let command = || terminal(&restore_command(&target.repository, &target.artifact));
    if at.is_damaged {
        writeln!(out, "A drill read wrong bytes from this version. First")?;
        writeln!(out, "    {},", terminal(&hide(&at.key)))?;
        writeln!(out, "then restore it:")?;
        return writeln!(out, "    {}", command());
    }
    match (&at.step, target.applied) {
        (TagStep::Taken(_) | TagStep::Unknown, _) => {
            writeln!(out, "Nothing was changed: prodpin writes over no object. Its bytes are in the vault:")?;
            writeln!(out, "    {}", terminal(&target.kept_at))
        }
        (_, true) if !target.troubles.is_empty() => Ok(()),
        (TagStep::Put, true) => {
            writeln!(out, "Restored: the bucket serves it. To read every byte of it:")?;
            writeln!(out, "    prodpin drill {}", terminal(target.repository.name.as_str()))
        }
        (TagStep::Held, true) => writeln!(out, "Nothing was missing."),
        (TagStep::Held, false) if at.pin != KeyPin::Missing => writeln!(out, "Nothing is to be done."),
        (_, false) => {
            writeln!(out, "Nothing was changed. To restore it:")?;
            writeln!(out, "    {}", command())
        }
    }
}
