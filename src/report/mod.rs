//! Reports: one document, many renderings. Renderers are pure: rows in, text out.

pub mod body;
pub mod document;
pub mod escape;
pub mod render;
