//! What belongs to an artifact and is an artifact of its own: the manifests below an index, and what is attached to it by
//! a tag or by naming it as its subject (C91). A cleanup of untagged manifests takes each of them by itself (I26).

use super::{ArtifactId, Digest, PinState, Tag};

/// What belongs to one artifact, each with its own pin.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Parts {
    /// Whether their pins were asked for.
    pub asked: bool,
    /// The manifests below it that were found, the upper levels first.
    pub below: Vec<Part>,
    /// What is attached to it and to what is below it, and is to have a pin.
    pub attached: Vec<Attached>,
    /// How much more is attached, beyond what is pinned of it.
    pub beyond: usize,
    /// What was attached when it was looked at before, and is so no more.
    pub lost: Vec<LostAttachment>,
    /// Why it is not known what is attached to it, where that is so and is no gap of the inventory.
    pub unread: Option<String>,
}

/// One of them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Part {
    /// Its digest.
    pub digest: Digest,
    /// What it is to a person, where that is known: `platform linux/arm64`.
    pub name: Option<Box<str>>,
    /// Its own pin, as just read.
    pub pin: PinState,
}

/// A signature, an attestation, a bill of materials, or whatever else names an artifact as what it is about.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Attached {
    /// Itself.
    pub part: Part,
    /// What it is attached to.
    pub subject: Digest,
    /// By what: the tag whose name has the subject's digest, or its own type where it names its subject.
    pub by: Box<str>,
}

/// What was attached, and is found no more by those who look for it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LostAttachment {
    /// Its digest.
    pub digest: Digest,
    /// What it was attached to.
    pub subject: Digest,
    /// By what, as [`Attached::by`].
    pub by: Box<str>,
    /// What its tag names instead, which does not have all that it had.
    pub instead: Option<Digest>,
    /// Whether its own bytes are still kept by a pin.
    pub kept: bool,
    /// Its repository as clients name it, with the registry's host, where the source knows that.
    pub place: Option<Box<str>>,
}

impl Part {
    /// The same before its pin was asked for.
    #[must_use]
    pub fn unasked(digest: Digest, name: Option<&str>) -> Self {
        Self { digest, name: name.map(Into::into), pin: PinState::Unknown }
    }
}

impl Parts {
    /// Every part with a pin of its own.
    pub fn all(&self) -> impl Iterator<Item = &Part> {
        self.below.iter().chain(self.attached.iter().map(|attached| &attached.part))
    }

    /// The same, to note their pins.
    pub fn all_mut(&mut self) -> impl Iterator<Item = &mut Part> {
        self.below.iter_mut().chain(self.attached.iter_mut().map(|attached| &mut attached.part))
    }

    /// The part that is this artifact.
    #[must_use]
    pub fn find(&self, artifact: &ArtifactId) -> Option<&Part> {
        let digest = artifact.digest()?;
        self.all().find(|part| part.digest == *digest)
    }
}

/// `sha256-<hex>` and `sha256-<hex>.<kind>`: what a tag that attaches something is about, and as what: none for the list of
/// referrers that a registry without their interface has (C91).
#[must_use]
pub fn attaching_tag(tag: &Tag) -> Option<(Digest, Option<&str>)> {
    let (algorithm, rest) = tag.as_str().split_once('-').filter(|(name, _)| matches!(*name, "sha256" | "sha512"))?;
    let (hex, kind) = rest.split_once('.').map_or((rest, None), |(hex, kind)| (hex, Some(kind)));
    let plain = |kind: &str| !kind.is_empty() && kind.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-');
    let digest = format!("{algorithm}:{hex}").parse().ok()?;
    kind.is_none_or(plain).then_some((digest, kind))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tags_that_attach_name_what_they_are_about_c91() {
        let digest = Digest::sha256(b"x");
        let hex = digest.hex();
        let tag = |text: &str| text.parse::<Tag>().unwrap();
        for (text, read) in [
            (format!("sha256-{hex}"), Some(None)),
            (format!("sha256-{hex}.sig"), Some(Some("sig"))),
            (format!("sha256-{hex}.att"), Some(Some("att"))),
            (format!("sha256-{hex}."), None),
            (format!("sha256-{hex}.a.b"), None),
            (format!("sha256-{}", &hex[1..]), None),
            (format!("sha512-{hex}.sig"), None),
            (format!("x-sha256-{hex}.sig"), None),
            ("v1.0.0".to_owned(), None),
        ] {
            let tag = tag(&text);
            let found = attaching_tag(&tag);
            assert_eq!(found.as_ref().map(|(_, kind)| *kind), read, "{text}");
            assert!(found.is_none_or(|(about, _)| about == digest), "{text}");
        }
    }
}
