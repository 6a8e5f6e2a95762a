//! What lifecycle rules will do, for people and programs.

mod document;

pub use document::{
    Difference, Fate, ForecastDocument, ForecastSection, ForecastSummary, OthersForecast, Preview, RepositoryForecast,
    RulesFound, TargetForecast,
};
