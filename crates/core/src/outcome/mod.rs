//! What prodpin says, as data: the documents that every format renders and every program reads.

pub mod drilled;
mod finding_counts;
pub mod forecast;
pub mod identity;
pub mod known_as;
pub mod ready;
pub mod release;
pub mod report;
mod rollback;
pub mod size;
pub mod status;
