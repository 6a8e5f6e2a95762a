//! One page of a list: what must be there for it to be one, and its objects, each read by itself.
//!
//! An answer that is no list of what was asked for is never an empty one (I4): a proxy that answers `{}`, a `Status` and
//! another kind's list all come with 200. One object that cannot be read costs the others nothing.

use serde::Deserialize;
use serde::de::{DeserializeOwned, Deserializer, IgnoredAny, SeqAccess, Visitor};

use super::connect::most_bytes;
use super::list::{Kind, Namespaced};
use crate::Signalled;
use prodpin_core::model::Cause;
use prodpin_net::lenient::text;

/// Objects that cannot be read are reported one by one, so many of a list.
const MOST_SHOWN: usize = 8;
/// A name in our sentences: the longest that Kubernetes takes.
const LONGEST_NAME: usize = 253;

/// What was read of a list.
pub(super) struct Listed<T> {
    pub(super) objects: Vec<T>,
    /// Those that are there and cannot be read.
    pub(super) odd: Vec<Odd>,
}

impl<T> Default for Listed<T> {
    fn default() -> Self {
        Self { objects: Vec::new(), odd: Vec::new() }
    }
}

/// An object that cannot be read.
pub(super) struct Odd {
    pub(super) namespace: Option<String>,
    name: Option<String>,
    reason: String,
}

impl Odd {
    /// What it is and why; nothing of it is quoted but its name, for it may be a Secret.
    pub(super) fn reported(&self, kind: &Kind) -> String {
        let Self { namespace, name, reason } = self;
        let what = match (namespace, name) {
            (Some(namespace), Some(name)) => format!("{} {namespace}/{name}", kind.kind),
            (None, Some(name)) => format!("{} {name}", kind.kind),
            (Some(namespace), None) => format!("one of the {} in namespace {namespace}", kind.plural),
            (None, None) => format!("one of the {}", kind.plural),
        };
        format!("{what} cannot be read: {reason}")
    }
}

impl<T: Namespaced> Listed<T> {
    pub(super) fn count(&self) -> usize {
        self.objects.len() + self.odd.len()
    }

    /// In a list over all namespaces, an object without one is odd.
    pub(super) fn doubt_homeless(&mut self) {
        let is_homeless = |object: &mut T| object.metadata().namespace.as_deref().is_none_or(str::is_empty);
        let homeless = self.objects.extract_if(.., is_homeless);
        self.odd.extend(homeless.map(|object| Odd {
            namespace: None,
            name: Some(object.metadata().name.clone()),
            reason: "it names no namespace".to_owned(),
        }));
    }

    /// The objects; each that cannot be read is a gap, so that nothing it may name is taken for absent.
    pub(super) fn reported(self, kind: &Kind, said: &mut Signalled) -> Vec<T> {
        for odd in self.odd.iter().take(MOST_SHOWN) {
            said.gap(Cause::Malformed, odd.reported(kind));
        }
        if let Some(more @ 1..) = self.odd.len().checked_sub(MOST_SHOWN) {
            said.gap(Cause::Malformed, format_args!("{more} more of the {} cannot be read", kind.plural));
        }
        self.objects
    }
}

/// Reads a page into what was listed before it, and says what continues it.
pub(super) fn read<T: DeserializeOwned + Namespaced>(
    kind: &Kind,
    body: &[u8],
    into: &mut Listed<T>,
) -> Result<Option<String>, String> {
    // The reason is reported by its place alone: what the parser quotes may be a Secret's.
    let envelope: Envelope = serde_json::from_slice(body)
        .map_err(|error| format!("the answer is no list (line {}, column {})", error.line(), error.column()))?;
    let next = envelope.check(kind)?;
    // The smallest object is some twenty bytes in an answer, and a hundred times that when it is read.
    let most = most_bytes() * 2 / size_of::<T>().max(size_of::<Odd>());
    for (at, object) in Slices::of_items(body).enumerate() {
        if at >= most {
            return Err(format!("one page has more than {most} objects, and {} were asked for", kind.page));
        }
        match read_object(kind, object) {
            Ok(object) => into.objects.push(object),
            Err(odd) => into.odd.push(odd),
        }
    }
    Ok(next)
}

/// What says that an answer is a list, and of what. Items are only looked at for being there.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Envelope {
    kind: Option<String>,
    api_version: Option<String>,
    metadata: Option<PageMetadata>,
    #[serde(default, deserialize_with = "present")]
    items: Option<Items>,
}

#[derive(Deserialize)]
struct PageMetadata {
    #[serde(rename = "continue", default)]
    next: Option<String>,
}

/// Go writes a list of nothing as null (F20).
struct Items;

fn present<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Items>, D::Error> {
    Items::deserialize(deserializer).map(Some)
}

impl<'de> Deserialize<'de> for Items {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Each;
        impl<'de> Visitor<'de> for Each {
            type Value = Items;

            fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str("a list of objects")
            }

            fn visit_unit<E>(self) -> Result<Items, E> {
                Ok(Items)
            }

            fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Items, A::Error> {
                while items.next_element::<IgnoredAny>()?.is_some() {}
                Ok(Items)
            }
        }
        deserializer.deserialize_any(Each)
    }
}

impl Envelope {
    /// What continues it, if it is a list of this kind: its own (`PodList`), or the one that names none (`List`), as
    /// what stands in front of an API server writes it.
    fn check(self, kind: &Kind) -> Result<Option<String>, String> {
        let (own, version) = (format!("{}List", kind.kind), kind.api_version());
        let said = match (self.kind.as_deref(), self.api_version.as_deref()) {
            (Some(said), Some(of)) if said == own && of == version => None,
            (Some("List"), Some("v1")) => None,
            (None, _) => Some("it says no kind".to_owned()),
            (Some(said), None) if said == own => Some("it says no apiVersion".to_owned()),
            (Some(said), of) => {
                let said: String = [said, of.unwrap_or("no apiVersion")].join(", ").chars().take(80).collect();
                Some(format!("it says that it is {said:?}"))
            }
        };
        let lack = said.or_else(|| match (&self.metadata, &self.items) {
            (None, _) => Some("it has no metadata".to_owned()),
            (_, None) => Some("it has no items".to_owned()),
            _ => None,
        });
        match lack {
            Some(lack) => Err(format!("the answer is no {own} of {version}: {lack}; see what answers in its place")),
            None => Ok(self.metadata.and_then(|metadata| metadata.next)),
        }
    }
}

/// One object. What it says of itself must be what was asked for.
fn read_object<T: DeserializeOwned + Namespaced>(kind: &Kind, text: &[u8]) -> Result<T, Odd> {
    let head = || serde_json::from_slice::<Head>(text).unwrap_or_default();
    let odd = |head: &Head, reason: String| Odd {
        namespace: head.metadata.namespace.clone().filter(|namespace| !namespace.is_empty()),
        name: head
            .metadata
            .name
            .iter()
            .filter(|name| !name.is_empty())
            .map(|name| name.chars().take(LONGEST_NAME).collect())
            .next(),
        reason,
    };
    let object: T = serde_json::from_slice(text).map_err(|error| {
        odd(&head(), format!("it is not as Kubernetes writes it (line {}, column {})", error.line(), error.column()))
    })?;
    let head = head();
    if head.kind.as_deref().is_some_and(|said| said != kind.kind) {
        return Err(odd(&head, "it says that it is of another kind".to_owned()));
    }
    if object.metadata().name.is_empty() {
        return Err(odd(&head, "it has no name".to_owned()));
    }
    Ok(object)
}

/// As much of an object as says which it is, whatever else is wrong with it.
#[derive(Default, Deserialize)]
#[serde(default)]
struct Head {
    #[serde(deserialize_with = "text")]
    kind: Option<String>,
    metadata: HeadMetadata,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct HeadMetadata {
    #[serde(deserialize_with = "text")]
    name: Option<String>,
    #[serde(deserialize_with = "text")]
    namespace: Option<String>,
}

/// The items of a list as they stand in its text, which is JSON and an object that has them once: both were seen before.
struct Slices<'t> {
    text: &'t [u8],
    at: usize,
}

impl<'t> Slices<'t> {
    fn of_items(text: &'t [u8]) -> Self {
        let mut slices = Self { text, at: 0 };
        slices.skip_to(b"{");
        slices.at += 1;
        loop {
            slices.skip_space();
            let key = slices.value();
            slices.skip_to(b":");
            slices.at += 1;
            slices.skip_space();
            match serde_json::from_slice::<String>(key) {
                Ok(key) if key == "items" => break,
                Ok(_) if slices.at < text.len() => {
                    slices.value();
                    slices.skip_to(b",}");
                    slices.at += 1;
                }
                // Never: whoever asks has seen that there are items.
                _ => break,
            }
        }
        match slices.text.get(slices.at) {
            Some(b'[') => slices.at += 1,
            // Null.
            _ => slices.at = text.len(),
        }
        slices
    }

    fn skip_to(&mut self, any: &[u8]) {
        let rest = self.text.get(self.at..).unwrap_or_default();
        self.at += rest.iter().position(|byte| any.contains(byte)).unwrap_or(rest.len());
    }

    fn skip_space(&mut self) {
        let rest = self.text.get(self.at..).unwrap_or_default();
        self.at += rest.iter().position(|byte| !byte.is_ascii_whitespace()).unwrap_or(rest.len());
    }

    /// The value that begins here: to the end of its text, of its outermost bracket, or of its word.
    fn value(&mut self) -> &'t [u8] {
        let begin = self.at;
        let (mut depth, mut quoted, mut escaped) = (0_usize, false, false);
        while let Some(&byte) = self.text.get(self.at) {
            match byte {
                _ if escaped => escaped = false,
                b'\\' if quoted => escaped = true,
                b'"' => quoted = !quoted,
                _ if quoted => {}
                b'{' | b'[' => depth += 1,
                b'}' | b']' if depth > 0 => depth -= 1,
                b',' | b':' | b'}' | b']' if depth == 0 => break,
                _ => {}
            }
            self.at += 1;
            let is_whole = depth == 0 && !quoted && matches!(byte, b'"' | b'}' | b']');
            if is_whole {
                break;
            }
        }
        self.text.get(begin..self.at).unwrap_or_default()
    }
}

impl<'t> Iterator for Slices<'t> {
    type Item = &'t [u8];

    fn next(&mut self) -> Option<&'t [u8]> {
        self.skip_space();
        if self.text.get(self.at).is_none_or(|byte| *byte == b']') {
            return None;
        }
        let value = self.value();
        self.skip_to(b",]");
        match self.text.get(self.at) {
            Some(b',') => self.at += 1,
            _ => self.at = self.text.len(),
        }
        Some(value)
    }
}

#[cfg(test)]
mod tests;
