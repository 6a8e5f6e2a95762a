//! Against real servers, which `tests/run.sh` installs and starts.

#[path = "../support/mod.rs"]
mod support;

mod bucket;
mod bucket_contract;
mod layout;
mod registry;
mod servers;
