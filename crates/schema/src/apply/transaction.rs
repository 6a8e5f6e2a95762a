//! Transactions: what is taken back, and where nobody can say whether it is.
//!
//! A tool may run a file in a transaction of its own, or statement by statement. Where that decides what remains, the
//! answer is unknown.

use crate::dialect::Dialect;
use crate::session::Session;
use crate::statement::Action;
use crate::verdict::Verdict;

/// More savepoints at once than anybody writes: each holds a whole catalogue.
const MOST_SAVEPOINTS: usize = 16;

/// Where the session is.
#[derive(Debug, Default)]
pub(crate) struct TransactionState {
    /// A transaction was begun by the file.
    pub(crate) begun: bool,
    /// Something was done since the file or the transaction began, or since the last one ended.
    pub(crate) done: bool,
    /// Something was done before the transaction began, which may be a part of one that the tool began.
    before: bool,
    /// A savepoint of SQLite began the transaction, and its release ends it.
    by_savepoint: bool,
}

pub(crate) fn apply(session: &mut Session<'_>, action: Action) {
    let whole = session.after.dialect.schema_changes_roll_back();
    match action {
        Action::Begin => begin(session, whole),
        Action::Commit => end(session),
        Action::Rollback => rollback(session, whole),
        Action::Savepoint(name) => savepoint(session, name, whole),
        Action::Release(name) => release(session, &name, whole),
        Action::RollbackTo(name) => rollback_to(session, &name, whole),
        _ => {}
    }
}

fn unclear(session: &mut Session<'_>, why: &str) {
    session.see(Verdict::Unknown, "", why);
}

fn begin(session: &mut Session<'_>, whole: bool) {
    if session.transaction.begun {
        match session.after.dialect {
            // Only a warning: the transaction goes on.
            Dialect::Postgres => return,
            Dialect::Mysql | Dialect::Mariadb => end(session),
            _ => return unclear(session, "a transaction begins within another one"),
        }
    }
    session.transaction =
        TransactionState { begun: true, before: session.transaction.done, ..TransactionState::default() };
    session.rows_mark = Some(session.seen.len());
    session.open = session.snapshot().filter(|_| whole);
}

/// The transaction is over, whatever it did.
fn end(session: &mut Session<'_>) {
    session.open = None;
    session.rows_mark = None;
    session.savepoints.clear();
    session.transaction = TransactionState::default();
    session.drop_at_commit();
}

fn rollback(session: &mut Session<'_>, whole: bool) {
    let (outside, before) = (!session.transaction.begun && session.transaction.done, session.transaction.before);
    if whole && (outside || before) {
        unclear(session, "a ROLLBACK: how much it takes back depends on whether the tool began a transaction");
    }
    if let Some(snapshot) = session.open.take() {
        session.restore(snapshot);
    } else if let Some(mark) = session.rows_mark.filter(|_| !whole) {
        session.forget(mark);
    }
    end(session);
}

fn savepoint(session: &mut Session<'_>, name: String, whole: bool) {
    if !whole {
        return;
    }
    if !session.transaction.begun && session.after.dialect == Dialect::Sqlite {
        begin(session, whole);
        session.transaction.by_savepoint = true;
    }
    if !session.transaction.begun {
        // Without a transaction it fails; within the tool's it holds. Going back to it shows the difference.
        return;
    }
    if session.savepoints.len() >= MOST_SAVEPOINTS {
        session.give_up_snapshots();
        return unclear(session, "there are too many savepoints to follow");
    }
    let snapshot = session.snapshot();
    session.savepoints.push((name, snapshot));
}

fn release(session: &mut Session<'_>, name: &str, whole: bool) {
    let found = session.savepoints.iter().rposition(|(known, _)| known == name);
    match found {
        Some(0) if session.transaction.by_savepoint => end(session),
        Some(at) => session.savepoints.truncate(at),
        None if whole && session.transaction.begun => unclear(session, "a savepoint is released that is not there"),
        None => {}
    }
}

fn rollback_to(session: &mut Session<'_>, name: &str, whole: bool) {
    if !whole {
        return;
    }
    let found = session.savepoints.iter().rposition(|(known, _)| known == name);
    match found.map(|at| (at, session.savepoints[at].1.clone())) {
        Some((at, Some(snapshot))) => {
            session.restore(snapshot);
            session.savepoints.truncate(at + 1);
        }
        _ => unclear(session, "how far back the savepoint lies is not known"),
    }
}

/// What ends with the file. A transaction that nobody ended is undone, unless a tool goes on with it.
pub(crate) fn end_of_file(session: &mut Session<'_>) {
    if session.transaction.begun && session.transaction.done {
        unclear(session, "a transaction does not end in its file: whether it is kept depends on the tool");
    }
    end(session);
}
