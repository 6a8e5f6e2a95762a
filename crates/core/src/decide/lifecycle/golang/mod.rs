//! What a program written in Go reads in a duration, a regular expression and a pattern of paths. Registries whose rules
//! are such texts are simulated by what Go's own readers make of them, the odd cases included.

mod class;
mod duration;
mod path_pattern;
mod regexp;
#[cfg(test)]
pub(super) mod tests;

pub(super) use duration::{DurationError, parse_duration};
pub(super) use path_pattern::matches_path;
pub(super) use regexp::{GoRegexp, GoRegexpError};
