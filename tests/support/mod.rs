//! What several test binaries share. Each is usable by itself through `#[path]`: examples and benchmarks do so.

pub(crate) mod acr;
pub(crate) mod behind;
pub(crate) mod chart;
pub(crate) mod contract;
pub(crate) mod ecr;
pub(crate) mod gar;
pub(crate) mod github;
pub(crate) mod gitlab;
pub(crate) mod harbor;
pub(crate) mod hub;
pub(crate) mod left_out;
pub(crate) mod oci;
pub(crate) mod push;
pub(crate) mod quay;
pub(crate) mod registry;
pub(crate) mod serve;

/// Whether there is at least one, and this holds for every one: `all` alone is true of none.
#[allow(dead_code, reason = "not every program that includes this asks")]
pub(crate) fn each<T>(these: impl IntoIterator<Item = T>, holds: impl FnMut(T) -> bool) -> bool {
    let mut these = these.into_iter().peekable();
    these.peek().is_some() && these.all(holds)
}
