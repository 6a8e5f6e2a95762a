//! One page of a list, as a registry writes it.

use std::fmt;
use std::hash::{DefaultHasher, Hash as _, Hasher as _};

use serde::Deserialize;
use serde::de::{Deserializer, Visitor};

use super::list::List;

/// One number for a name.
pub(super) fn hash(Text(name): &Text) -> u64 {
    let mut hasher = DefaultHasher::new();
    name.hash(&mut hasher);
    hasher.finish()
}

/// What a page holds.
pub(super) trait Names {
    fn names(&self) -> &[Text];

    /// Whether it is a page of this list, by what it says itself; else why not.
    fn belongs_to(&self, _list: List<'_>) -> Result<(), String> {
        Ok(())
    }
}

impl Names for TagPage {
    fn names(&self) -> &[Text] {
        self.tags.as_deref().unwrap_or_default()
    }

    /// A cache that mixes up its answers gives one repository the list of another. A registry behind a prefix may call the
    /// repository by a longer or shorter name than its clients do.
    fn belongs_to(&self, list: List<'_>) -> Result<(), String> {
        let (List::Tags(repository), Some(Text(named))) = (list, &self.name) else { return Ok(()) };
        if named.is_empty() {
            return Ok(());
        }
        let asked = repository.name.as_str();
        let ends = |long: &str, short: &str| {
            long.strip_suffix(short).is_some_and(|front| front.is_empty() || front.ends_with('/'))
        };
        match ends(asked, named) || ends(named, asked) {
            true => Ok(()),
            false => Err(format!(
                "the list names itself as that of {named:.120?}; a cache in between may mix up its answers"
            )),
        }
    }
}

impl Names for CatalogPage {
    fn names(&self) -> &[Text] {
        self.repositories.as_deref().unwrap_or_default()
    }
}

/// One number for the names of a page, in whatever order; names by themselves would be memory (I20).
pub(super) fn fingerprint(names: &[Text]) -> u64 {
    names.iter().map(hash).fold(names.len() as u64, u64::wrapping_add)
}

/// A page of tags; `null` is an empty one (F20), and a document without the field is none.
#[derive(Deserialize)]
pub(super) struct TagPage {
    // Read by hand, because a plain `Option` may also be absent.
    #[serde(deserialize_with = "Option::deserialize")]
    pub(super) tags: Option<Vec<Text>>,
    /// Whose tags they are; some registries leave it out.
    #[serde(default)]
    name: Option<Text>,
}

/// A page of the catalog.
#[derive(Deserialize)]
pub(super) struct CatalogPage {
    #[serde(deserialize_with = "Option::deserialize")]
    pub(super) repositories: Option<Vec<Text>>,
}

/// A name as it came, not judged yet.
pub(super) struct Text(pub(super) String);

impl<'de> Deserialize<'de> for Text {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_str(TextVisitor)
    }
}

struct TextVisitor;

impl Visitor<'_> for TextVisitor {
    type Value = Text;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a name")
    }

    fn visit_str<E>(self, text: &str) -> Result<Text, E> {
        Ok(Text(text.to_owned()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn null_is_empty_and_absent_is_malformed_f20() {
        let tags = |text: &str| {
            let page = serde_json::from_str::<TagPage>(text).ok()?;
            Some(page.tags.unwrap_or_default().into_iter().map(|text| text.0).collect::<Vec<_>>())
        };
        assert_eq!(tags(r#"{"name":"a","tags":["1","a\u0062"]}"#), Some(vec!["1".to_owned(), "ab".to_owned()]));
        assert_eq!(tags(r#"{"name":"a","tags":null}"#), Some(vec![]));
        assert_eq!(tags(r#"{"name":"a","tags":[]}"#), Some(vec![]));
        assert_eq!(tags(r#"{"name":"a"}"#), None);
        assert_eq!(tags(r#"{"tags":[1]}"#), None);
        assert_eq!(tags(r#"{"errors":[]}"#), None);
    }
}
