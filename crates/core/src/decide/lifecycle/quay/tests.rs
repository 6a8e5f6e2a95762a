//! The simulator against what Quay's own code did, against the guide, and against a second reading of the guide.

mod corpus;
mod golden;
mod literal;
mod timeline;
mod worlds;
