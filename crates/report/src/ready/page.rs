//! The page for a person: the verdict first, then what it rests on, then what to type. Commands stand on lines of their
//! own that are never broken: half a command must not run when it is pasted.

mod back;
mod kept;
mod releases;

use std::io::{self, Write};

use super::rows::ReadyReport;
use super::sentences;
use crate::escape;
use crate::layout::{Page as Paper, Paint, plain, span};
use crate::phrase::Phrase;
use crate::render::Style;
use crate::{table, words};
use prodpin_core::outcome::ready::{RepositoryReady, Verdict};
use prodpin_core::outcome::status::ServiceStatus;

/// With more repositories than these, each takes one line unless it was asked for.
const PAGES: u64 = 3;

/// Things that could not be read that are shown.
const UNREAD: usize = 5;

/// What runs, and ways back, that are shown.
const SHOWN: usize = 12;

pub(super) fn write(report: &ReadyReport, whole: bool, style: Style, out: &mut dyn Write) -> io::Result<()> {
    let mut paper = Paper::new(out, style);
    let at = report.section.at;
    let moment = words::moment(at).replace(' ', "\u{a0}");
    paper.paragraph(0, 2, &[span(Paint::Strong, "prodpin ready"), plain(format!(" · {moment}"))])?;
    if !report.section.complete {
        let reported = "Not everything could be read. What was not is never a yes.";
        paper.paragraph(0, 2, &[span(Paint::Bad, "! INCOMPLETE"), plain("\u{a0} "), plain(reported)])?;
    }
    for gap in report.section.gaps.iter().take(UNREAD) {
        paper.paragraph(0, 2, &[span(Paint::Doubtful, "? "), plain(words::gap(gap).terminal())])?;
    }
    more(&mut paper, 0, report.section.gaps.len(), UNREAD)?;
    if report.len() == 0 {
        let nothing =
            "No service was looked at, so nothing is known to be ready. Check the repositories that the policy names.";
        paper.paragraph(0, 2, &[span(Paint::Doubtful, "? nothing seen"), plain("\u{a0} "), plain(nothing)])?;
    }
    let paged = whole || report.shown() <= PAGES;
    if report.len() > 1 {
        let counts = sentences::counts(&report.summary).terminal();
        paper.paragraph(0, 2, &[plain(counts)])?;
    }
    if !report.section.only.is_empty() {
        let (shown, all) = (report.shown(), report.len() as u64);
        let mut reported = Phrase::said("Only services that are: ");
        for (at, status) in report.section.only.iter().enumerate() {
            reported = if at == 0 { reported.say(status.word()) } else { reported.say(", ").say(status.word()) };
        }
        let reported = reported.say("; ").number(shown).say(" of ").number(all);
        paper.paragraph(0, 2, &[span(Paint::Faint, reported.terminal())])?;
    }
    if !paged {
        paper.blank()?;
    }
    for row in report.by_danger() {
        let row = row?;
        if paged {
            paper.blank()?;
            Sheet { row: &row, report }.write(&mut paper)?;
        } else {
            head(&mut paper, &row)?;
            criticals(&mut paper, &row)?;
            back::undone(&mut paper, &row)?;
        }
    }
    if !paged {
        paper.blank()?;
        let reported = "The page of one of them: `prodpin ready REPOSITORY`";
        paper.paragraph(0, 2, &[span(Paint::Faint, reported)])?;
    }
    paper.blank()?;
    paper.paragraph(0, 2, &[span(Paint::Faint, "Nothing was changed or recorded.")])
}

fn more(paper: &mut Paper<'_>, indent: usize, all: usize, shown: usize) -> io::Result<()> {
    if all <= shown {
        return Ok(());
    }
    let reported = Phrase::said("… and ").number((all - shown) as u64).say(" more; all of them: --format json");
    paper.paragraph(indent, indent + 2, &[span(Paint::Faint, reported.terminal())])
}

/// The sign of the service's status. While the question about the database is open, no tick stands there.
fn look(row: &RepositoryReady) -> (&'static str, Paint) {
    match (row.status, row.verdict) {
        (ServiceStatus::Protected, _) => ("?", Paint::Doubtful),
        (status, _) => table::look(status),
    }
}

/// The status and the verdict on one line.
fn head(paper: &mut Paper<'_>, row: &RepositoryReady) -> io::Result<()> {
    let (symbol, paint) = look(row);
    let name = Phrase::name(row.name.as_str()).say(" in ").then(Phrase::name(row.source.as_str()));
    let to = row.to.as_ref().map(|to| sentences::release(row, to));
    let to = match (row.verdict, to) {
        (Verdict::RollBack, Some(to)) => Phrase::said(" to ").then(to),
        (Verdict::Unknown, Some(to)) => Phrase::said(", perhaps back to ").then(to),
        _ => Phrase::default(),
    };
    let status = match (row.status, row.verdict) {
        // The same word twice says nothing more.
        (ServiceStatus::Unknown, Verdict::Unknown) | (ServiceStatus::NoEarlierRelease, Verdict::NoEarlierRelease) => {
            String::new()
        }
        (status, _) => format!("{} · ", table::word(status)),
    };
    let head = [
        span(paint, format!("{symbol} ")),
        span(Paint::Strong, name.terminal()),
        plain("\u{a0} "),
        plain(status),
        span(paint, sentences::verdict(row)),
        plain(to.terminal()),
    ];
    paper.paragraph(0, 2, &head)
}

/// How many critical findings there are, which its page tells.
fn criticals(paper: &mut Paper<'_>, row: &RepositoryReady) -> io::Result<()> {
    match row.criticals.len() as u64 {
        0 => Ok(()),
        count => {
            let reported = Phrase::default().counted(count, "critical finding", "critical findings");
            paper.paragraph(2, 4, &[span(Paint::Bad, "✗ "), plain(reported.terminal())])
        }
    }
}

/// One repository's page.
struct Sheet<'a> {
    row: &'a RepositoryReady,
    report: &'a ReadyReport,
}

impl Sheet<'_> {
    fn write(&self, paper: &mut Paper<'_>) -> io::Result<()> {
        let row = self.row;
        head(paper, row)?;
        paper.paragraph(2, 2, &[plain(Phrase::sentence(&row.why).terminal()), plain(".")])?;
        for critical in row.criticals.iter().take(SHOWN) {
            let reported = Phrase::sentence(critical).terminal();
            paper.paragraph(2, 4, &[span(Paint::Bad, "✗ CRITICAL\u{a0} "), plain(reported)])?;
        }
        more(paper, 2, row.criticals.len(), SHOWN)?;
        for gap in row.gaps.iter().take(UNREAD) {
            paper.paragraph(2, 4, &[span(Paint::Doubtful, "? "), plain(words::gap(gap).terminal())])?;
        }
        more(paper, 2, row.gaps.len(), UNREAD)?;
        self.now(paper)?;
        self.questions(paper)?;
        self.releases(paper)?;
        self.kept(paper)?;
        match row.verdict {
            Verdict::RollBack => self.back(paper, "TO ROLL BACK"),
            Verdict::RollForward | Verdict::NoEarlierRelease => self.forward(paper, "TO ROLL FORWARD"),
            Verdict::Unknown => {
                self.find_out(paper)?;
                if row.to.is_some() {
                    self.back(paper, "TO ROLL BACK, ONCE ALL OF THAT TURNED OUT WELL")?;
                }
                self.forward(paper, "TO ROLL FORWARD, IF NOT")
            }
        }
    }

    fn title(paper: &mut Paper<'_>, title: &'static str) -> io::Result<()> {
        paper.blank()?;
        paper.paragraph(2, 2, &[span(Paint::Strong, title)])
    }

    fn now(&self, paper: &mut Paper<'_>) -> io::Result<()> {
        Self::title(paper, "RUNS NOW")?;
        for lacking in self.row.lacking.iter().take(SHOWN) {
            let reported = Phrase::sentence(lacking).terminal();
            paper.paragraph(4, 6, &[span(Paint::Bad, "✗ "), plain(reported)])?;
        }
        more(paper, 4, self.row.lacking.len(), SHOWN)?;
        if self.row.now.is_empty() && !self.row.wanted.is_empty() {
            let reported = "no pod of it is ready anywhere";
            paper.paragraph(4, 6, &[span(Paint::Doubtful, "? "), plain(reported)])?;
        } else if self.row.now.is_empty() {
            let reported = match &self.row.from {
                Some(from) => {
                    Phrase::said("nothing says; the latest release is ").then(sentences::release(self.row, from))
                }
                None => Phrase::said("unknown"),
            };
            return paper.paragraph(4, 6, &[span(Paint::Doubtful, "? "), plain(reported.terminal())]);
        }
        for now in self.row.now.iter().take(SHOWN) {
            let reported = sentences::running(self.row, now, self.report.section.at).terminal();
            let mark = if now.leaving { span(Paint::Doubtful, "◌ ") } else { span(Paint::Good, "● ") };
            paper.paragraph(4, 6, &[mark, plain(reported)])?;
        }
        more(paper, 4, self.row.now.len(), SHOWN)?;
        if self.row.wanted.is_empty() {
            return Ok(());
        }
        Self::title(paper, "WANTED, AND DOES NOT RUN")?;
        for wanted in self.row.wanted.iter().take(SHOWN) {
            let reported = sentences::wanted(self.row, wanted).terminal();
            paper.paragraph(4, 6, &[span(Paint::Doubtful, "○ "), plain(reported)])?;
        }
        more(paper, 4, self.row.wanted.len(), SHOWN)
    }

    fn questions(&self, paper: &mut Paper<'_>) -> io::Result<()> {
        let row = self.row;
        Self::title(paper, "THREE QUESTIONS")?;
        let Some(asked) = row.asked.as_ref() else {
            let reported = "There is no earlier release to ask them about.";
            return paper.paragraph(4, 6, &[plain(reported)]);
        };
        let release = sentences::release(row, asked);
        let moved = Phrase::said("Has the database moved forward destructively since ").then(release.clone()).say("? ");
        let bad = |answer: Option<bool>, good: bool| match answer {
            None => Paint::Doubtful,
            Some(answer) if answer == good => Paint::Good,
            Some(_) => Paint::Bad,
        };
        let line = |paper: &mut Paper<'_>, number: &'static str, question: Phrase, paint, answer: &str, why: Phrase| {
            let why = if why.is_empty() { String::new() } else { format!(": {}", why.terminal()) };
            let said = [plain(number), plain(question.terminal()), span(paint, answer), plain(why)];
            paper.paragraph(4, 7, &said)
        };
        let database = &row.database;
        let reported = sentences::database(row, database);
        line(paper, "1. ", moved, bad(database.moved, false), sentences::yes_no(database.moved), reported)?;
        let listed = row.releases.iter().find(|listed| listed.artifact == *asked);
        let reported = sentences::intact(listed, row.intact);
        let intact = Phrase::said("Is ").then(release).say(" intact? ");
        line(paper, "2. ", intact, bad(row.intact, true), sentences::yes_no(row.intact), reported)?;
        let (so, paint) = match row.verdict {
            Verdict::RollBack => ("roll back", Paint::Good),
            Verdict::RollForward | Verdict::NoEarlierRelease => ("roll forward", Paint::Bad),
            Verdict::Unknown => ("unknown", Paint::Doubtful),
        };
        line(paper, "3. ", Phrase::said("So, back or forward? "), paint, so, Phrase::default())
    }

    fn find_out(&self, paper: &mut Paper<'_>) -> io::Result<()> {
        if self.row.find_out.is_empty() {
            return Ok(());
        }
        Self::title(paper, "TO FIND OUT")?;
        for step in &self.row.find_out {
            paper.paragraph(4, 6, &[plain("→ "), plain(Phrase::sentence(step).terminal())])?;
        }
        Ok(())
    }

    fn commands(paper: &mut Paper<'_>, commands: &[String]) -> io::Result<()> {
        commands.iter().try_for_each(|command| paper.verbatim(8, &escape::terminal(command)))
    }

    fn notes(paper: &mut Paper<'_>, notes: &[String]) -> io::Result<()> {
        notes.iter().try_for_each(|note| {
            paper.paragraph(6, 8, &[span(Paint::Faint, "· "), plain(Phrase::sentence(note).terminal())])
        })
    }

    fn forward(&self, paper: &mut Paper<'_>, title: &'static str) -> io::Result<()> {
        Self::title(paper, title)?;
        let forward = &self.row.forward;
        if let (Some(commit), Some(from)) = (&forward.commit, &self.row.from) {
            let reported = Phrase::said("Branch from commit ")
                .then(Phrase::name(&commit.to_string()))
                .say(", from which ")
                .then(sentences::release(self.row, from))
                .say(" was built by its own word");
            let reported = match &forward.repository_url {
                Some(url) => reported.say(", in ").then(Phrase::name(url)),
                None => reported,
            };
            paper.paragraph(4, 6, &[plain(reported.say(":").terminal())])?;
        }
        Self::commands(paper, &forward.commands)?;
        Self::notes(paper, &forward.notes)
    }
}
