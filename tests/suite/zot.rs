//! zot by its configuration file: the contract, and whole runs that its collections then put to the proof.

mod contract;
mod runs;
mod server;
