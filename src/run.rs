//! The only orchestration.
