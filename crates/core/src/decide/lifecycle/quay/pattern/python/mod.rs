//! Expressions of Python's module `regex` (its documentation, version 0 behaviour), as an immutability policy's are read.
//!
//! What of its many additions no name of a tag can show, or what is not worked out (fuzzy matching, calls of groups, named
//! lists, version 1), is beyond: such an expression is valid, and what it matches is not known.

mod escape;
mod fuzzy;
mod group;
mod parser;
mod property;
mod quantifier;
mod set;
mod source;

pub(super) use parser::parse;
