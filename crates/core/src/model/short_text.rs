//! Text of which a repository has a million: short ones stand where they are held, longer ones are shared, and either takes
//! two words there (F93, I28). Of many that come together several stand in one piece of memory.

use std::cmp::Ordering;
use std::fmt;
use std::hash::{Hash, Hasher};
use std::ops::Deref;
use std::sync::Arc;

/// So many bytes stand in the place itself.
const HERE: usize = 14;

/// So many bytes are one piece of memory that several texts stand in: what the allocator adds is little for each then, and
/// one text that outlives the others holds no more than this.
const PIECE: usize = 512;

/// The longest text that shares a piece.
const MOST_SHARED: usize = 72;

/// A text that is never changed.
#[derive(Clone)]
pub(super) struct ShortText(Kept);

/// The bytes behind a length are zeros. A pointer to an array is one word, and one to a slice is two: so there are a few
/// sizes, each as long as what the allocator would give anyway.
#[derive(Clone)]
enum Kept {
    Here(u8, [u8; HERE]),
    Up24(u8, Arc<[u8; 24]>),
    Up40(u8, Arc<[u8; 40]>),
    Up72(u8, Arc<[u8; 72]>),
    /// So long, from there.
    Within(u8, u16, Arc<[u8; PIECE]>),
    Long(Arc<Box<str>>),
}

impl ShortText {
    /// Moves texts that have memory of their own, and share it with nobody, into pieces together.
    pub(super) fn pack<'t>(texts: impl Iterator<Item = &'t mut Self>) {
        let (mut together, mut bytes, mut filled) = (Vec::new(), [0; PIECE], 0);
        for text in texts.filter(|text| text.has_own_memory()) {
            let length = text.len();
            if filled + length > PIECE {
                settle(&mut together, &bytes);
                filled = 0;
            }
            bytes[filled..filled + length].copy_from_slice(text.as_bytes());
            together.push((text, filled, length));
            filled += length;
        }
        settle(&mut together, &bytes);
    }

    fn has_own_memory(&self) -> bool {
        match &self.0 {
            Kept::Up24(_, bytes) => Arc::strong_count(bytes) == 1,
            Kept::Up40(_, bytes) => Arc::strong_count(bytes) == 1,
            Kept::Up72(_, bytes) => Arc::strong_count(bytes) == 1,
            Kept::Here(..) | Kept::Within(..) | Kept::Long(_) => false,
        }
    }

    fn as_str(&self) -> &str {
        let (length, bytes): (&u8, &[u8]) = match &self.0 {
            Kept::Here(length, bytes) => (length, bytes),
            Kept::Up24(length, bytes) => (length, &bytes[..]),
            Kept::Up40(length, bytes) => (length, &bytes[..]),
            Kept::Up72(length, bytes) => (length, &bytes[..]),
            Kept::Within(length, from, bytes) => (length, bytes.get(usize::from(*from)..).unwrap_or_default()),
            Kept::Long(text) => return text,
        };
        // They were taken from a text, so this never fails.
        std::str::from_utf8(&bytes[..usize::from(*length)]).unwrap_or_default()
    }
}

/// Has texts stand in this piece. One alone stays where it is.
fn settle(together: &mut Vec<(&mut ShortText, usize, usize)>, bytes: &[u8; PIECE]) {
    if together.len() > 1 {
        let piece = Arc::new(*bytes);
        for (text, from, length) in together.iter_mut() {
            text.0 = Kept::Within(*length as u8, *from as u16, piece.clone());
        }
    }
    together.clear();
}

/// The bytes and zeros behind them, with their length.
fn filled<const N: usize>(text: &str) -> (u8, [u8; N]) {
    let mut bytes = [0; N];
    bytes.iter_mut().zip(text.bytes()).for_each(|(slot, byte)| *slot = byte);
    (text.len() as u8, bytes)
}

impl From<&str> for ShortText {
    fn from(text: &str) -> Self {
        Self(match text.len() {
            ..=HERE => {
                let (length, bytes) = filled(text);
                Kept::Here(length, bytes)
            }
            15..=24 => {
                let (length, bytes) = filled(text);
                Kept::Up24(length, Arc::new(bytes))
            }
            25..=40 => {
                let (length, bytes) = filled(text);
                Kept::Up40(length, Arc::new(bytes))
            }
            41..=MOST_SHARED => {
                let (length, bytes) = filled(text);
                Kept::Up72(length, Arc::new(bytes))
            }
            _ => Kept::Long(Arc::new(text.into())),
        })
    }
}

impl Deref for ShortText {
    type Target = str;

    fn deref(&self) -> &str {
        self.as_str()
    }
}

impl fmt::Debug for ShortText {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(self.as_str(), f)
    }
}

impl PartialEq for ShortText {
    fn eq(&self, other: &Self) -> bool {
        self.as_str() == other.as_str()
    }
}

impl Eq for ShortText {}

impl PartialOrd for ShortText {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for ShortText {
    fn cmp(&self, other: &Self) -> Ordering {
        self.as_str().cmp(other.as_str())
    }
}

/// As the text does, so that a name is found by its text.
impl Hash for ShortText {
    fn hash<H: Hasher>(&self, hasher: &mut H) {
        self.as_str().hash(hasher);
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn it_is_the_text_whatever_its_length(one in ".{0,90}", other in ".{0,90}") {
            let (short, another) = (ShortText::from(one.as_str()), ShortText::from(other.as_str()));
            prop_assert_eq!(&*short, &one);
            prop_assert_eq!(short == another, one == other);
            prop_assert_eq!(short.cmp(&another), one.cmp(&other));
            prop_assert_eq!(&*short.clone(), &one);
        }
    }

    proptest! {
        #[test]
        fn packing_changes_no_text_f93(mut texts in proptest::collection::vec(".{0,60}", 0..60)) {
            let mut packed: Vec<ShortText> = texts.iter().map(|text| ShortText::from(text.as_str())).collect();
            let shared = packed.first().cloned();
            ShortText::pack(packed.iter_mut());
            ShortText::pack(packed.iter_mut());
            prop_assert!(packed.iter().map(|text| &**text).eq(texts.iter().map(String::as_str)));
            prop_assert_eq!(shared.as_ref(), packed.first());
            packed.truncate(1);
            texts.truncate(1);
            prop_assert!(packed.iter().map(|text| &**text).eq(texts.iter().map(String::as_str)));
        }
    }

    #[test]
    fn it_takes_two_words_f93() {
        assert_eq!(size_of::<ShortText>(), 16);
        for length in 0..300 {
            let text = "x".repeat(length);
            assert_eq!(&*ShortText::from(text.as_str()), text);
        }
    }
}
