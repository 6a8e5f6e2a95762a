//! What live lifecycle rules will do: pure simulators, one for each kind of rules.

pub mod ecr;
pub mod s3;
