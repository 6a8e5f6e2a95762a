//! What lifecycle rules will do, for people and programs.

mod json;
mod markdown;
mod page;
mod render;
mod rows;
mod sentences;
mod table;

pub use render::{ForecastFormat, render};
pub use rows::{ForecastReport, ForecastWriter};
