//! The repository as it will be after pinning.

use std::borrow::Cow;
use std::collections::BTreeSet;

use crate::model::{Digest, EcrImage, ImageStatus, Pin, Tag};

/// The images as they will be when these are pinned. An image that is archived, or on its way, cannot be tagged before
/// it is restored (A43, A54), so it gets no pin here either.
#[must_use]
pub fn with_pins<'a>(images: &'a [EcrImage], pinned: &BTreeSet<Digest>) -> Cow<'a, [EcrImage]> {
    let lacks = |image: &EcrImage| {
        image.status == ImageStatus::Active
            && pinned.contains(&image.digest)
            && !image.tags.iter().any(|tag| is_pin(tag, image))
    };
    if !images.iter().any(lacks) {
        return Cow::Borrowed(images);
    }
    let pin = |image: &EcrImage| {
        let mut image = image.clone();
        if lacks(&image)
            && let Ok(pin) = Pin::for_digest(&image.digest).to_string().parse::<Tag>()
        {
            image.tags = image.tags.iter().cloned().chain([pin]).collect();
        }
        image
    };
    Cow::Owned(images.iter().map(pin).collect())
}

/// The images as they would be without the pins that are there.
#[must_use]
pub fn without_pins(images: &[EcrImage]) -> Vec<EcrImage> {
    let bare = |image: &EcrImage| {
        let tags = image.tags.iter().filter(|tag| !is_pin(tag, image)).cloned().collect();
        EcrImage { tags, ..image.clone() }
    };
    images.iter().map(bare).collect()
}

fn is_pin(tag: &Tag, image: &EcrImage) -> bool {
    Pin::read(tag).is_some_and(|pin| pin.names(&image.digest))
}
