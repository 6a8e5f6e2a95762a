//! What S3 lifecycle rules do to rollback targets.

mod cases;
mod documents;
mod laws;
pub(crate) mod literal;
mod odd;
pub(crate) mod world;
