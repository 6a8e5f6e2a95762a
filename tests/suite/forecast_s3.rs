//! What S3 lifecycle rules do to rollback targets.

mod cases;
mod laws;
mod literal;
mod world;
