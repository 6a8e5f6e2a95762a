//! What a pin does to others. A tag that rules count takes the place of another (K53), so that the world with it is to be
//! compared with the world without.

use super::doubt::Outcome;
use super::operation::{Done, Operation};
use super::world::{Millis, World};

/// The world with one more tag on the manifest, made immutable if told, as the API makes it; and what came of that. A
/// manifest that no tag names any more is restored.
#[must_use]
pub fn with_pin(
    world: &World,
    repository: usize,
    manifest: usize,
    name: &str,
    immutable: bool,
    now: Millis,
) -> (World, Done) {
    let mut world = world.clone();
    let create = Operation::Create { tag: name.to_owned(), manifest, restore: true };
    let mut done = world.operate(repository, &create, now, name);
    if done == Done::Ok && immutable && world.features.immutable_tags {
        // What the manifest's label would have it end at (K52c).
        let never = Operation::SetExpiration { tag: name.to_owned(), expires_s: None };
        let immutable = Operation::SetImmutable { tag: name.to_owned(), immutable };
        for operation in [never, immutable] {
            done = if done == Done::Ok { world.operate(repository, &operation, now, name) } else { done };
        }
    }
    (world, done)
}

/// The rows, by repository and place, that stay in the one outcome and go in the other.
#[must_use]
pub fn worsened(without: &Outcome, with: &Outcome) -> Vec<(usize, usize)> {
    let mut worse = Vec::new();
    let repositories = without.world.repositories.iter().zip(&with.world.repositories);
    for (repository, (without, with)) in repositories.enumerate() {
        for row in &without.tags {
            let after = with.tags.iter().position(|other| other.id == row.id);
            let goes = after.filter(|after| row.ended_by.is_none() && with.tags[*after].ended_by.is_some());
            worse.extend(goes.map(|place| (repository, place)));
        }
    }
    worse
}
