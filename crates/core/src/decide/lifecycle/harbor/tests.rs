//! The simulator against what Harbor did, against the guide, and against a second reading of the guide.

mod corpus;
mod golden;
mod literal;
mod outlook;
mod pins;
mod replication;
mod world;
