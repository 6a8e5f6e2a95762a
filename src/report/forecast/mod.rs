//! What lifecycle rules will do, for people and programs.

mod document;
mod json;
mod markdown;
mod page;
mod render;
mod rows;
mod sentences;
mod table;

pub use document::{
    Difference, Fate, ForecastDocument, ForecastSection, ForecastSummary, OthersForecast, Preview, RepositoryForecast,
    RulesFound, TargetForecast,
};
pub use render::{ForecastFormat, render};
pub use rows::{ForecastReport, ForecastWriter};
