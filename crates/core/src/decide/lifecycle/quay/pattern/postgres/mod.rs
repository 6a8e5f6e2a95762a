//! Advanced regular expressions of PostgreSQL 15 (its manual, 9.7.3; its `backend/regex`), as the operator `~` reads them: what a
//! policy's `tagPattern` is looked at with.

mod bracket;
mod escape;
mod lexer;
mod names;
mod parser;

pub(super) use parser::parse;
