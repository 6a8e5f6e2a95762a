//! What lifecycle rules will do, for people and programs.

mod document;
mod rows;

pub use document::{
    Difference, Fate, ForecastDocument, ForecastSection, ForecastSummary, OthersForecast, Preview, RepositoryForecast,
    RulesFound, TargetForecast,
};
pub use rows::{ForecastReport, ForecastWriter};
