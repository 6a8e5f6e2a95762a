//! Against real servers, which `tests/run.sh` installs and starts.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on ends; not only in functions marked as tests")]

mod alerts;
mod battery;
mod bucket;
mod bucket_contract;
mod bucket_inventory;
mod bucket_truth;
mod charts;
mod closure;
mod drill;
mod ecr;
mod ecr_contract;
mod estate;
mod evidence;
mod layout;
mod ledger_azure;
mod ledger_bucket;
mod ledger_verifier;
mod proxy;
mod registry;
mod release;
mod servers;
mod signatures;
#[path = "../support/mod.rs"]
mod support;
mod survival;
#[path = "../suite/ledger/tampering.rs"]
mod tampering;
mod vault;
mod vault_bucket;
mod vault_files;
mod whole_runs;
#[path = "../suite/ledger/world.rs"]
#[expect(dead_code, reason = "the suite uses more of it")]
mod world;
mod zot;
