//! Reports: one document, many renderings. Renderers are pure: rows in, text out.
//!
//! [`document`] is the contract, [`body`] keeps its rows on disk, [`render`] writes any format. The table and Markdown
//! show an overview of bounded size; JSON and CSV hold everything. Text from outside passes through [`escape`].

pub mod body;
mod csv;
pub mod document;
pub mod escape;
pub mod forecast;
mod json;
mod layout;
mod markdown;
mod overview;
mod phrase;
pub mod render;
pub mod schema;
mod spool;
mod table;
mod words;
