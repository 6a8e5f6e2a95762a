//! Everything that needs no server: decisions, contracts, hostile input, the command line.

#[path = "../support/mod.rs"]
mod support;

mod contract;
mod policy;
mod purity;
