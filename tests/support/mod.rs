//! What several test binaries share. Each is usable by itself through `#[path]`: examples and benchmarks do so.

pub(crate) mod chart;
pub(crate) mod contract;
pub(crate) mod ecr;
pub(crate) mod oci;
pub(crate) mod push;
pub(crate) mod registry;
pub(crate) mod serve;
