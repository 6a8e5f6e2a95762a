//! `prodpin schema-change`: whether the database has moved forward destructively between two revisions.
//!
//! Reads the files of two commits or two folders, and lets `prodpin_schema`, which does no I/O, judge them.

mod document;
mod files;
mod git;
mod junit;
mod links;
mod markdown;
mod render;
mod sarif;

pub use document::{Document, schema_text};
pub use files::Side;
pub use render::{Format, render};

use prodpin_schema::Dialect;
use prodpin_schema::layout::{Unreadable, compare};

/// Why there is no answer.
#[derive(Debug, thiserror::Error)]
pub enum SchemaChangeError {
    /// What was asked cannot be answered: the revision, the folder, the dialect.
    #[error("{0}")]
    Asked(String),
    /// Reading failed.
    #[error("{0}")]
    Reading(String),
}

/// Reads both sides and judges what lies between them.
///
/// # Errors
///
/// Where a side cannot be read, has no migrations, or does not show its dialect.
pub fn schema_change(from: &Side, to: &Side, dialect: Option<Dialect>) -> Result<Document, SchemaChangeError> {
    let (before, after) = (files::read(from)?, files::read(to)?);
    let judged = compare(&before.files, &after.files, dialect).map_err(|why| match why {
        Unreadable::NoMigrations => SchemaChangeError::Asked(format!(
            "neither {from} nor {to} has migrations: look into the folder that holds them with --from DIR and --to DIR, \
             or see docs/schema-change.md for the layouts that are known"
        )),
        Unreadable::NoDialect(folder) => SchemaChangeError::Asked(format!(
            "the dialect of the migrations in {} cannot be told: say --dialect postgres, mysql, mariadb, sqlite or mssql",
            if folder.is_empty() { "the top folder" } else { &folder }
        )),
    })?;
    Ok(Document::new(before.named, after.named, judged))
}
