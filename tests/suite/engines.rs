//! Registries' own cleanups as the guide has them word by word, sharing no code with the program, and each held against
//! what the real one did: Harbor, Quay, zot and ACR against recordings, Google's against its vendor's example, GitLab's
//! against nothing but the guide. What prodpin does in such registries is judged by them (I22).

pub(crate) mod acr;
pub(crate) mod gitlab;
pub(crate) mod google;
pub(crate) mod harbor;
pub(crate) mod pattern;
pub(crate) mod quay;
mod recorded;
pub(crate) mod world;
pub(crate) mod zot;
