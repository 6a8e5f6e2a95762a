//! Reading all files in order, the earlier ones into the catalogue before, the change set into the one after.

use std::collections::BTreeMap;

use crate::apply;
use crate::apply::TransactionState;
use crate::calls;
use crate::catalogue::{Catalogue, Id, Key, TEMPORARY, Touched};
use crate::cursor::normal;
use crate::dialect::Dialect;
use crate::diff;
use crate::report::{Finding, Report};
use crate::split::{Splitter, Statement};
use crate::statement::Action;
use crate::verdict::Verdict;

/// A migration: the part of a file that goes up.
#[derive(Debug, Clone, Copy)]
pub struct Source<'a> {
    /// The file's path, as reports name it.
    pub file: &'a str,
    /// Its text. What does not go up is blanked, so that lines keep their numbers.
    pub text: &'a str,
}

/// More catalogues than anybody's transactions need put aside.
const MOST_KEPT: usize = 2000;

/// How much of a statement a report shows.
const SHOWN: usize = 160;

/// Something seen, before it is put into words of files and lines.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Seen {
    pub(crate) verdict: Verdict,
    pub(crate) statement: Touched,
    pub(crate) object: String,
    pub(crate) why: String,
}

struct Place<'a> {
    file: &'a str,
    line: u32,
    text: &'a str,
}

/// State to come back to.
#[derive(Clone)]
pub(crate) struct Snapshot {
    after: Catalogue,
    seen: usize,
}

pub(crate) struct Session<'a> {
    pub(crate) before: Catalogue,
    pub(crate) after: Catalogue,
    pub(crate) seen: Vec<Seen>,
    /// What would remain if statements that may not run do not run.
    floors: Vec<Seen>,
    /// Which statement removed what is gone.
    pub(crate) removed: BTreeMap<Id, usize>,
    places: Vec<Place<'a>>,
    changing: bool,
    next: Id,
    pub(crate) open: Option<Snapshot>,
    pub(crate) savepoints: Vec<(String, Option<Snapshot>)>,
    pub(crate) transaction: TransactionState,
    /// The schema of names without one, where only the transaction has another.
    pub(crate) path_before: Option<String>,
    /// How many catalogues were put aside.
    kept: usize,
    /// How many rows' changes had been seen when MySQL's transaction began.
    pub(crate) rows_mark: Option<usize>,
    pub(crate) foreign_keys: Option<bool>,
    may_roll_back: bool,
}

/// Judges the change set for the release that the earlier files made, running on what the change set makes.
#[must_use]
pub fn classify(dialect: Dialect, earlier: &[Source<'_>], change: &[Source<'_>]) -> Report {
    let mut session = Session::new(dialect);
    for source in earlier {
        session.read(*source);
    }
    session.begin_change();
    for source in change {
        session.read(*source);
    }
    session.report()
}

/// Whether two texts hold the same statements: comments, spacing and line ends apart.
#[must_use]
pub fn same_meaning(dialect: Dialect, left: &str, right: &str) -> bool {
    let mut left = Splitter::new(left, dialect);
    let mut right = Splitter::new(right, dialect);
    let same = |left: &Statement<'_>, right: &Statement<'_>| {
        let both_read = left.fault.is_none() && right.fault.is_none();
        if both_read {
            normal(&left.tokens) == normal(&right.tokens) && (!left.tokens.is_empty() || left.text == right.text)
        } else {
            left.text == right.text
        }
    };
    loop {
        match (left.next(), right.next()) {
            (None, None) => return true,
            (Some(left), Some(right)) if same(&left, &right) => {}
            _ => return false,
        }
    }
}

impl<'a> Session<'a> {
    pub(crate) fn new(dialect: Dialect) -> Self {
        let empty = Catalogue::new(dialect);
        Self {
            before: empty.clone(),
            after: empty,
            seen: Vec::new(),
            floors: Vec::new(),
            removed: BTreeMap::new(),
            places: Vec::new(),
            changing: false,
            next: 1,
            open: None,
            savepoints: Vec::new(),
            transaction: TransactionState::default(),
            path_before: None,
            kept: 0,
            rows_mark: None,
            foreign_keys: None,
            may_roll_back: false,
        }
    }

    /// What was read so far is what was there before.
    pub(crate) fn begin_change(&mut self) {
        // Without a single table known, nothing says that what is not known does not exist.
        if self.after.tables.is_empty() {
            self.after.hidden.everything();
        }
        for table in self.after.tables.values_mut() {
            table.copied = None;
            table.all_granted = false;
        }
        for view in self.after.views.values_mut() {
            view.all_granted = false;
        }
        self.after.renamed.clear();
        self.before = self.after.clone();
        self.seen.clear();
        self.removed.clear();
        self.changing = true;
    }

    pub(crate) fn read(&mut self, source: Source<'a>) {
        self.start_file(source.text);
        for statement in Splitter::new(source.text, self.after.dialect) {
            if statement.tokens.is_empty() && statement.fault.is_none() {
                continue;
            }
            if self.changing {
                self.places.push(Place { file: source.file, line: statement.line, text: statement.text });
            }
            self.step(&statement);
        }
        apply::end_of_file(self);
    }

    /// A file is a session of its own: settings and open transactions do not outlive it.
    fn start_file(&mut self, text: &str) {
        self.foreign_keys = None;
        self.after.current = if self.after.dialect == Dialect::Postgres { "public".to_owned() } else { String::new() };
        let passing = std::mem::replace(&mut self.after.passing, [TEMPORARY.to_owned()].into());
        self.after.tables.retain(|key, _| !passing.contains(&key.0));
        self.after.views.retain(|key, _| !passing.contains(&key.0));
        self.after.triggers.retain(|_, trigger| !trigger.temporary && !passing.contains(&trigger.on.0));
        self.may_roll_back = mentions(text, b"rollback") || mentions(text, b"abort");
    }

    fn step(&mut self, statement: &Statement<'_>) {
        let action = match statement.fault {
            Some(fault) => {
                self.unknown(statement, fault);
                return;
            }
            None => crate::read::statement(&statement.tokens, self.after.dialect),
        };
        let Some(mut action) = action else {
            self.unknown(statement, "the statement is not understood");
            return;
        };
        let runs = calls::may_run(&self.after, &statement.tokens);
        if let Action::CreateView(view) = &mut action {
            view.calls |= runs;
        }
        if self.changing {
            if runs && calls::runs_functions(&statement.tokens, &action) {
                self.see(
                    Verdict::Unknown,
                    "",
                    "the statement calls what the schema defines, and bodies are not understood",
                );
            }
            if self.after.event_triggers && calls::changes_schema(&action) {
                self.see(Verdict::Unknown, "", "an event trigger fires, and what it does is not understood");
            }
        } else if matches!(action, Action::Guarded(_)) {
            // It may not have run: what it drops may be there, and what it makes may not.
            let own = self.after.functions.keys().map(|key| &key.1);
            self.after.hidden.take(statement, own);
        }
        apply::action(self, action);
    }

    fn unknown(&mut self, statement: &Statement<'_>, why: &str) {
        // It may have ended a transaction.
        self.open = None;
        self.rows_mark = None;
        self.savepoints.clear();
        // What pg_dump writes at the top of every file sets the search path of its own session only.
        let is_path = |text: &str| text == "'search_path'";
        let sets_path = statement.tokens.windows(3).any(|it| it[0].is("set_config") && is_path(it[2].text));
        if !self.changing {
            if !sets_path {
                let own = self.after.functions.keys().map(|key| &key.1);
                self.after.hidden.take(statement, own);
            }
            return;
        }
        self.see(Verdict::Unknown, String::new(), why);
    }

    pub(crate) fn id(&mut self) -> Id {
        self.next += 1;
        self.next
    }

    pub(crate) fn touched(&self) -> Touched {
        self.places.len().checked_sub(1)
    }

    pub(crate) fn is_change(&self) -> bool {
        self.changing
    }

    pub(crate) fn gone(&mut self, id: Id) {
        if let Some(statement) = self.touched() {
            self.removed.insert(id, statement);
        }
    }

    /// Something judged by its words alone.
    pub(crate) fn see(&mut self, verdict: Verdict, object: impl Into<String>, why: impl Into<String>) {
        if self.changing {
            let (object, why): (String, String) = (object.into(), why.into());
            // A dump's thousands of INSERTs are told once.
            let repeats = self
                .seen
                .last()
                .is_some_and(|last| last.verdict == verdict && last.object == object && last.why == why);
            if !(repeats && verdict == Verdict::Expand) {
                self.seen.push(Seen { verdict, statement: self.touched(), object, why });
            }
        }
    }

    /// Whether the table or view under this key was there before the change set.
    pub(crate) fn is_old(&self, key: &Key) -> bool {
        if self.after.is_passing(key) {
            return false;
        }
        if let Some(table) = self.after.tables.get(key) {
            let in_place = self.before.tables.get(key).is_some_and(|old| old.id == table.id);
            return in_place || self.before.table_of(table.id).is_some();
        }
        if let Some(view) = self.after.views.get(key) {
            return self.before.views.get(key).is_some_and(|old| old.id == view.id);
        }
        true
    }

    /// Keeps what would remain if the statement that follows does not run.
    pub(crate) fn keep_floor(&mut self) {
        if self.changing {
            let now = diff::compare(&self.before, &self.after, &self.removed);
            self.floors.extend(now);
        }
    }

    /// The catalogue as it stands, where the file may come back to it.
    pub(crate) fn snapshot(&mut self) -> Option<Snapshot> {
        if !self.may_roll_back {
            return None;
        }
        self.kept += 1;
        if self.kept > MOST_KEPT {
            self.give_up_snapshots();
            self.see(Verdict::Unknown, "", "there are too many transactions to follow");
            return None;
        }
        Some(Snapshot { after: self.after.clone(), seen: self.seen.len() })
    }

    /// Nothing more of this file is taken back, and nothing of it is certain.
    pub(crate) fn give_up_snapshots(&mut self) {
        self.open = None;
        self.savepoints.clear();
        self.may_roll_back = false;
    }

    pub(crate) fn restore(&mut self, snapshot: Snapshot) {
        self.after = snapshot.after;
        self.forget(snapshot.seen);
    }

    /// Takes back what was seen since. What was not understood may have been kept all the same.
    pub(crate) fn forget(&mut self, since: usize) {
        let later = self.seen.split_off(since.min(self.seen.len()));
        self.seen.extend(later.into_iter().filter(|seen| seen.verdict == Verdict::Unknown));
    }

    /// What is gone with the transaction: temporary tables and settings.
    pub(crate) fn drop_at_commit(&mut self) {
        self.after.tables.retain(|_, table| !table.until_commit);
        if let Some(path) = self.path_before.take() {
            self.after.current = path;
        }
    }

    /// What was seen, and what comparing shows, in words of files and lines.
    pub(crate) fn report(mut self) -> Report {
        let mut all = std::mem::take(&mut self.seen);
        all.extend(diff::compare(&self.before, &self.after, &self.removed));
        for floor in std::mem::take(&mut self.floors) {
            if !all.iter().any(|seen| seen.object == floor.object && seen.verdict >= floor.verdict) {
                all.push(floor);
            }
        }
        all.sort_by_key(|seen| seen.statement);
        let findings = all.into_iter().map(|seen| self.finding(seen)).collect();
        Report::new(findings)
    }

    fn finding(&self, seen: Seen) -> Finding {
        let place = seen.statement.and_then(|at| self.places.get(at));
        Finding {
            verdict: seen.verdict,
            file: place.map_or_else(String::new, |place| place.file.to_owned()),
            line: place.map_or(0, |place| place.line),
            statement: place.map_or_else(String::new, |place| shortened(place.text)),
            object: seen.object,
            why: seen.why,
        }
    }
}

/// Whether the word stands somewhere in the text, in whatever case.
fn mentions(text: &str, word: &[u8]) -> bool {
    text.as_bytes().windows(word.len()).any(|window| window[0] | 0x20 == word[0] && window.eq_ignore_ascii_case(word))
}

/// A statement on one line, cut where it is long.
fn shortened(text: &str) -> String {
    let mut line = String::new();
    for word in text.split_whitespace() {
        if line.chars().count() + word.chars().count() > SHOWN {
            let room = SHOWN.saturating_sub(line.chars().count());
            line.extend(word.chars().take(room));
            line.push('…');
            break;
        }
        if !line.is_empty() {
            line.push(' ');
        }
        line.push_str(word);
    }
    line
}
