//! Everything that needs no server: decisions, contracts, hostile input, the command line.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on ends; not only in functions marked as tests")]

mod alerts;
mod book;
mod charts;
mod closure_pins;
mod command_line;
mod contract;
mod deliveries;
mod deployment;
mod documents;
mod ecr;
mod engines;
mod estate;
mod forecast;
mod forecast_ecr;
mod forecast_s3;
mod harbor;
mod history;
mod hostile_output;
mod invocation;
mod ledger;
mod limits;
mod lying_registry;
mod no_harm;
mod objects;
mod policy;
mod properties;
mod protocol;
mod purity;
mod ready;
mod release;
mod release_faults;
mod release_order;
mod reported;
mod reported_times;
mod reporting_policy;
mod reports;
mod reports_files;
mod reports_formats;
mod rolled_back;
mod scenarios;
mod scenarios_ecr;
mod scenarios_s3;
mod schema_change;
mod signals;
mod steadiness;
#[path = "../support/mod.rs"]
mod support;
mod survival;
mod telemetry;
mod three_words;
mod transport;
mod vault;
mod watch;
mod witness;
