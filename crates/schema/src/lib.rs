//! Has the database moved forward destructively? Whether the release before still works on the schema after.
//!
//! The migrations of earlier releases are read and applied to a small `catalogue`; those that a change set adds are
//! applied to a copy of it; the two are compared. Comparing makes what is undone within one change set disappear, and
//! judges SQLite's table rebuilds by their outcome. What no comparison shows (rows overwritten, rights taken away) is
//! judged by its words. What is not understood is [`Verdict::Unknown`], never nothing.
//!
//! ```text
//! split → read → apply ─┐
//!                       ├─ diff → Report
//! split → read → apply ─┘
//! ```
//!
//! Pure: texts go in, a report comes out.

mod apply;
mod body;
mod calls;
mod catalogue;
mod chain;
mod cursor;
mod dialect;
mod diff;
mod hidden;
pub mod layout;
mod lex;
mod read;
mod report;
mod session;
mod split;
mod statement;
mod types;
mod verdict;

pub use chain::{Release, chain};
pub use dialect::Dialect;
pub use report::{Finding, Report};
pub use session::{Source, classify, same_meaning};
pub use verdict::Verdict;
