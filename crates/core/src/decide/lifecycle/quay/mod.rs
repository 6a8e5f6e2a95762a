//! Quay: what its auto-prune policies, tag expiry, immutable tags and garbage collection make of a namespace (K52–54), equal to what
//! its own code made of the cases that the tests hold it to, of the release 3.18.0 and of the main branch after it.
//!
//! - [`world`] is a namespace as Quay's database has it, with all rows of its tags, also of the past.
//! - [`policy`] and [`immutability`] read policies, or say why Quay refuses them; [`pattern`] their expressions, [`span`] their
//!   spans of time.
//! - [`operation`] is what the API does to tags, `labels` what a new tag inherits, [`signature`] what goes with its image.
//! - [`prune`] is the worker, [`collect`] the garbage collection, [`doubt`] what neither determines.
//! - [`timeline`] follows them into the time to come, [`pins`] says what a pin does to others.
//!
//! Rules look at tags, not at artifacts: a pin is a tag like others unless it is immutable, and under a policy by number it
//! takes the place of another. So whoever judges a pin runs the world with it and without it, and compares.

pub mod collect;
pub mod doubt;
pub mod immutability;
mod labels;
pub mod operation;
pub mod pattern;
pub mod pins;
pub mod policy;
pub mod prune;
pub mod signature;
pub mod span;
pub mod timeline;
pub mod world;

#[cfg(test)]
mod tests;
