//! The ledger through its public face: on a directory, in memory, on a store that fails on command.
#![allow(clippy::unwrap_used, reason = "a helper of a test that cannot go on ends that test")]

mod anchored;
mod attacked;
mod caches;
mod contended;
mod crashes;
mod cut_off;
mod damage;
mod earlier;
mod flaky;
mod forged;
mod killed;
mod kms;
mod lax;
mod looking_back;
mod machine;
mod places;
mod proofs;
mod scale;
mod strangers;
mod tampering;
pub(crate) mod world;
mod writers;
