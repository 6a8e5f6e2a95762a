//! The ledger through its public face: on a directory, in memory, on a store that fails on command.

mod caches;
mod crashes;
mod damage;
mod flaky;
mod looking_back;
mod places;
mod world;
mod writers;
