//! Against canned answers: what real servers do too rarely, or must never do.

mod bucket;
mod listings;
mod looking;
mod permissions;
mod pinning;
mod refusals;

use super::*;

fn repository(name: &str) -> RepositoryName {
    name.parse().unwrap()
}

fn artifact(text: &str) -> ArtifactId {
    text.parse().unwrap()
}
