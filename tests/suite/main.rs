//! Everything that needs no server: decisions, contracts, hostile input, the command line.

mod ledger;
