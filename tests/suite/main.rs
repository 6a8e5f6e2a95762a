//! Everything that needs no server: decisions, contracts, hostile input, the command line.

mod estate;
mod policy;
mod reports;
mod scenarios;
