//! What a tag has pointed at, oldest first. Nearly all tags have pointed at one thing only, and of those nothing is kept
//! beside the thing itself (I28).

use std::ops::Deref;

use serde::de::{Deserialize, Deserializer, SeqAccess, Visitor};
use serde::ser::{Serialize, Serializer};

use super::Sighting;

/// Sightings of one tag, oldest first: a slice of them, wherever that is kept.
#[derive(Debug, Clone)]
pub struct Sightings(Kept);

#[derive(Debug, Clone)]
enum Kept {
    One(Sighting),
    /// None, or several.
    Several(Vec<Sighting>),
}

impl Sightings {
    /// Adds the latest one.
    pub fn push(&mut self, sighting: Sighting) {
        match &mut self.0 {
            Kept::Several(several) if several.is_empty() => self.0 = Kept::One(sighting),
            Kept::Several(several) => several.push(sighting),
            Kept::One(_) => {
                let Kept::One(first) = std::mem::replace(&mut self.0, Kept::Several(Vec::with_capacity(2))) else {
                    return;
                };
                if let Kept::Several(several) = &mut self.0 {
                    several.extend([first, sighting]);
                }
            }
        }
    }

    /// Takes one of them out.
    pub fn remove(&mut self, at: usize) {
        match &mut self.0 {
            Kept::Several(several) => _ = several.remove(at),
            Kept::One(_) if at == 0 => self.0 = Kept::Several(Vec::new()),
            Kept::One(_) => {}
        }
    }
}

impl Deref for Sightings {
    type Target = [Sighting];

    fn deref(&self) -> &[Sighting] {
        match &self.0 {
            Kept::One(sighting) => std::slice::from_ref(sighting),
            Kept::Several(several) => several,
        }
    }
}

impl PartialEq for Sightings {
    fn eq(&self, other: &Self) -> bool {
        **self == **other
    }
}

impl From<Sighting> for Sightings {
    fn from(sighting: Sighting) -> Self {
        Self(Kept::One(sighting))
    }
}

impl FromIterator<Sighting> for Sightings {
    fn from_iter<T: IntoIterator<Item = Sighting>>(sightings: T) -> Self {
        let mut all = Self(Kept::Several(Vec::new()));
        sightings.into_iter().for_each(|sighting| all.push(sighting));
        all
    }
}

impl Serialize for Sightings {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_seq(self.iter())
    }
}

impl<'de> Deserialize<'de> for Sightings {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct OneByOne;
        impl<'de> Visitor<'de> for OneByOne {
            type Value = Sightings;

            fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str("a list of sightings")
            }

            fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Sightings, A::Error> {
                let mut sightings = Sightings(Kept::Several(Vec::new()));
                while let Some(sighting) = list.next_element()? {
                    sightings.push(sighting);
                }
                Ok(sightings)
            }
        }
        deserializer.deserialize_seq(OneByOne)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{Digest, Mark};

    fn sighting(sequence: u64) -> Sighting {
        let since = Mark { sequence, at: jiff::Timestamp::UNIX_EPOCH };
        Sighting { artifact: Digest::of(&sequence.to_le_bytes()).into(), since, created: None }
    }

    #[test]
    fn it_is_a_list_wherever_it_is_kept() {
        for count in 0..4 {
            let list: Vec<Sighting> = (0..count).map(sighting).collect();
            let mut sightings: Sightings = list.iter().cloned().collect();
            assert_eq!(*sightings, list);
            let text = serde_json::to_string(&sightings).unwrap();
            assert_eq!(text, serde_json::to_string(&list).unwrap());
            assert_eq!(serde_json::from_str::<Sightings>(&text).unwrap(), sightings);
            for at in (0..list.len()).rev() {
                sightings.remove(at);
                assert_eq!(*sightings, list[..at]);
            }
        }
    }
}
