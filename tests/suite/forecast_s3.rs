//! What S3 lifecycle rules do to rollback targets.

mod cases;
mod documents;
mod laws;
mod literal;
mod world;
