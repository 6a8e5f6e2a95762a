//! Can I roll back now? For a person at 3 a.m., and for programs.

mod danger;
mod document;
mod json;
mod page;
mod render;
mod rows;
mod sentences;

pub use document::{
    Database, Forward, Lasts, MovedTag, ReadyDocument, ReadySection, ReadySummary, RepositoryReady, Rung, RunningNow,
    Step, Verdict, WantedNow, Way,
};
pub use render::{ReadyFormat, render};
pub use rows::{ReadyReport, ReadyWriter};
