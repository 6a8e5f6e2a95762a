//! Can I roll back now? For a person at 3 a.m., and for programs.

mod drills;
mod json;
mod page;
mod render;
mod rows;
mod sentences;

pub use render::{ReadyFormat, render};
pub use rows::{ReadyReport, ReadyWriter};
