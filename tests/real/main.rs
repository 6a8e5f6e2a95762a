//! Against real servers, which `tests/run.sh` installs and starts.

mod bucket;
mod bucket_contract;
mod estate;
mod layout;
mod ledger_bucket;
mod proxy;
mod registry;
mod servers;
#[path = "../support/mod.rs"]
mod support;
mod whole_runs;
