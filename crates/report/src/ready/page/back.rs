//! The ways back: what would undo each, its commands in their order, and what lets go on what they hold.

use std::collections::BTreeSet;
use std::io;

use super::{SHOWN, Sheet, more};
use crate::escape;
use crate::layout::{Page as Paper, Paint, plain, span};
use crate::phrase::Phrase;
use crate::ready::sentences;
use prodpin_core::outcome::ready::{RepositoryReady, RollbackCommands};

/// So many of those who would undo it are named in the list of services.
const NAMED: usize = 3;

impl Sheet<'_> {
    pub(super) fn back(&self, paper: &mut Paper<'_>, title: &'static str) -> io::Result<()> {
        Self::title(paper, title)?;
        for rollback_commands in self.row.back.iter().take(SHOWN) {
            self.rollback_commands(paper, rollback_commands)?;
        }
        more(paper, 4, self.row.back.len(), SHOWN)?;
        let to = self.row.to.as_ref().and_then(|to| self.row.releases.iter().find(|listed| listed.artifact == *to));
        let address = to.and_then(|listed| listed.address.as_deref());
        match (self.row.back.is_empty(), address) {
            (true, Some(address)) => {
                let reported = "No platform that prodpin reads names what runs: deploy, in the way it was deployed,";
                paper.paragraph(4, 6, &[plain(reported)])?;
                paper.verbatim(8, &escape::terminal(address))
            }
            (true, None) => {
                let reported = "No platform that prodpin reads names what runs: deploy it in the way it was deployed.";
                paper.paragraph(4, 6, &[plain(reported)])
            }
            (false, _) => Ok(()),
        }
    }

    fn rollback_commands(&self, paper: &mut Paper<'_>, rollback_commands: &RollbackCommands) -> io::Result<()> {
        let named = sentences::workload(&rollback_commands.workload);
        let revisions =
            sentences::revisions(rollback_commands.from_revision.as_deref(), rollback_commands.to_revision.as_deref());
        let named = match revisions {
            Some(revisions) => named.say(" · ").then(revisions),
            None => named,
        };
        let mut head = vec![plain(named.terminal())];
        if rollback_commands.break_glass {
            head.push(plain(" · "));
            head.push(span(Paint::Bad, "BREAK GLASS"));
            head.push(plain(": the revert in Git is the answer"));
        }
        paper.paragraph(4, 6, &head)?;
        for undoing in &rollback_commands.undone_by {
            let (mark, paint) = match undoing.acts {
                Some(true) => ("! undone by ", Paint::Bad),
                None => ("? perhaps undone by ", Paint::Doubtful),
                Some(false) => ("· not undone by ", Paint::Faint),
            };
            let said = Phrase::sentence(&undoing.by).say(": ").then(Phrase::sentence(&undoing.when));
            paper.paragraph(6, 8, &[span(paint, mark), plain(said.terminal())])?;
        }
        Self::commands(paper, &rollback_commands.commands)?;
        if !rollback_commands.resume.is_empty() {
            let what = match &self.row.from {
                Some(from) => sentences::release(self.row, from),
                None => Phrase::said("what is left"),
            };
            let said = Phrase::said("LAST, and only once what these bring is not ").then(what).say(" any more:");
            paper.paragraph(6, 8, &[plain(said.terminal())])?;
            Self::commands(paper, &rollback_commands.resume)?;
        }
        Self::notes(paper, &rollback_commands.notes)?;
        self.remembered(paper, rollback_commands)
    }

    /// What the platform itself has forgotten of the releases that are kept.
    fn remembered(&self, paper: &mut Paper<'_>, rollback_commands: &RollbackCommands) -> io::Result<()> {
        let Some(remembered) = rollback_commands.remembers.as_ref().filter(|it| it.releases < it.of) else {
            return Ok(());
        };
        let said = Phrase::said("it has a state of its own for ").number(u64::from(remembered.releases));
        let said = said.say(" of ").counted(u64::from(remembered.of), "earlier release", "earlier releases");
        let said = match (&remembered.setting, remembered.limit) {
            (Some(setting), Some(limit)) => {
                said.say("; ").then(Phrase::name(setting)).say(" is ").number(u64::from(limit))
            }
            _ => said,
        };
        let said = said.say(": the others are gone back to by their bytes");
        paper.paragraph(6, 8, &[span(Paint::Faint, "· "), plain(said.terminal())])
    }
}

/// Who would undo what is done by hand, in the list of services.
pub(super) fn undone(paper: &mut Paper<'_>, row: &RepositoryReady) -> io::Result<()> {
    let undoing = row.back.iter().flat_map(|way| &way.undone_by).filter(|undoing| undoing.acts != Some(false));
    let by: BTreeSet<&str> = undoing.map(|undoing| undoing.by.as_str()).collect();
    if by.is_empty() {
        return Ok(());
    }
    let more = by.len().saturating_sub(NAMED) as u64;
    let named = Phrase::joined(by.into_iter().take(NAMED).map(Phrase::sentence), ", ");
    let said = Phrase::said("done by hand, it may be undone by ").then(named);
    let said = if more == 0 { said } else { said.say(" and ").number(more).say(" more") };
    paper.paragraph(2, 4, &[span(Paint::Doubtful, "! "), plain(said.terminal())])
}
