//! What a person asks of the simulators ([`super::lifecycle`]): one row for each repository, and how far a source's own
//! preview agrees.

mod rehearsal;
mod row;

pub use rehearsal::{Previewed, compare};
pub use row::row;
