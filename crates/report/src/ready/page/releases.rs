//! The list of releases: each with what is known of it.

use std::io;

use prodpin_core::model::Obstacle;
use prodpin_core::outcome::ready::{ListedRelease, Verdict};

use super::{Paper, SHOWN, Sheet};
use crate::layout::{Paint, plain, span};
use crate::phrase::Phrase;
use crate::ready::{drills, sentences};
use crate::{escape, words};

impl Sheet<'_> {
    pub(super) fn releases(&self, paper: &mut Paper<'_>) -> io::Result<()> {
        let ranked = self.row.releases.iter().filter(|listed| listed.rank.is_some()).count() as u64;
        paper.blank()?;
        let reported =
            Phrase::said("keep ").number(u64::from(self.row.keep)).say("; ").number(ranked).say(" listed").terminal();
        paper.paragraph(2, 2, &[span(Paint::Strong, "RELEASES"), plain("\u{a0} "), span(Paint::Faint, reported)])?;
        self.row.releases.iter().try_for_each(|listed| self.listed(paper, listed))
    }

    fn listed(&self, paper: &mut Paper<'_>, listed: &ListedRelease) -> io::Result<()> {
        self.head(paper, listed)?;
        let at = self.report.section.at;
        let ran = sentences::ran(listed, at).say("; ").then(sentences::evidence(listed));
        paper.paragraph(8, 8, &[plain(ran.terminal())])?;
        paper.paragraph(8, 8, &[plain(sentences::kept(self.row, listed).terminal())])?;
        if let Some(restored) = listed.restored {
            paper.paragraph(8, 8, &[plain(sentences::restored(self.row, restored, at).terminal())])?;
        }
        self.trials(paper, listed)?;
        let obstacles = listed.obstacles.iter().filter(|obstacle| **obstacle != Obstacle::Missing);
        let obstacles = Phrase::joined(obstacles.map(words::obstacle), "; ");
        if !obstacles.is_empty() {
            paper.paragraph(8, 8, &[span(Paint::Doubtful, obstacles.terminal())])?;
        }
        Ok(())
    }

    /// Its place, its names and whether it is the one to go back to.
    fn head(&self, paper: &mut Paper<'_>, listed: &ListedRelease) -> io::Result<()> {
        let (symbol, paint) = match (listed.restorable, listed.protected) {
            (Some(true), Some(true)) => ("✓", Paint::Good),
            (Some(false), _) => ("✗", Paint::Bad),
            (Some(true), Some(false)) => ("!", Paint::Doubtful),
            _ => ("?", Paint::Doubtful),
        };
        let place = listed.rank.map_or_else(|| "·".to_owned(), |rank| rank.to_string());
        let tags = Phrase::joined(listed.tags.iter().take(4).map(|tag| Phrase::name(tag.as_str())), ", ");
        let name = || listed.name.as_deref().map_or(Phrase::said("no tag"), Phrase::name);
        let tags = if tags.is_empty() { name() } else { tags };
        let is_to = Some(&listed.artifact) == self.row.to.as_ref();
        let marks = if is_to && self.row.verdict == Verdict::RollBack {
            " ◀ back to here"
        } else if is_to {
            " ◀ perhaps back to here"
        } else if listed.running {
            " ● runs"
        } else if listed.wanted {
            " ○ wanted"
        } else {
            ""
        };
        let head = [
            span(paint, format!("{symbol} ")),
            plain(format!("{place}.\u{a0}")),
            span(Paint::Strong, tags.terminal()),
            span(Paint::Strong, marks.replace(' ', "\u{a0}")),
            // Last, so that at eighty columns it stands on a line of its own.
            plain(format!("\u{a0} {}", escape::terminal_name(&listed.artifact.to_string(), 200))),
        ];
        paper.paragraph(4, 6, &head)
    }

    /// What its drills and rehearsals came to.
    fn trials(&self, paper: &mut Paper<'_>, listed: &ListedRelease) -> io::Result<()> {
        let at = self.report.section.at;
        for drill in &listed.drills {
            let Some((told, bad)) = sentences::drilled(listed, drill, at) else { continue };
            let signed = drills::signed(drill);
            for (told, bad) in [(told, bad)].into_iter().chain(signed) {
                let paint = if bad { Paint::Bad } else { Paint::Plain };
                paper.paragraph(8, 8, &[span(paint, told.terminal())])?;
            }
        }
        for report in listed.rehearsals.iter().take(SHOWN) {
            let (told, bad) = drills::rehearsed(report, at);
            let paint = if bad { Paint::Bad } else { Paint::Plain };
            paper.paragraph(8, 8, &[span(paint, told.terminal())])?;
        }
        Ok(())
    }
}
