//! Reports: one document, many renderings. Renderers are pure: rows in, text out.
//!
//! `prodpin_core::outcome` is the contract, [`body`] keeps its rows on disk, [`render`] writes any format. The table and Markdown
//! show an overview of bounded size; JSON and CSV hold everything. Text from outside passes through [`escape`].

mod asff;
pub mod attestation;
pub mod body;
pub mod context;
mod csv;
pub mod diff;
pub mod escape;
pub mod forecast;
mod html;
mod json;
mod junit;
mod layout;
mod markdown;
pub mod metrics;
pub mod narrow;
mod ocsf;
mod overview;
mod phrase;
mod pin_totals;
mod prometheus;
pub mod ready;
pub mod render;
mod rows;
mod sarif;
pub mod schema;
mod spool;
mod survival;
mod table;
mod words;

pub use json::ascii as ascii_json;
