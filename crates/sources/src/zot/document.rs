//! A configuration file as a tree. zot reads it with a library that takes keys in any case, so that here they are in small
//! letters (v2.1.20: `pkg/cli/server/root.go`).

use std::collections::BTreeMap;
use std::fmt;
use std::io::Read as _;
use std::path::Path;

use serde::Deserialize;
use serde::de::{Deserializer, Error, MapAccess, SeqAccess, Visitor};

use prodpin_core::model::Cause;

/// No configuration is larger.
const LARGEST: u64 = 1 << 20;

/// Nothing in one stands deeper.
const DEEPEST: usize = 64;

/// Why it is not known what a configuration says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Unread {
    pub(super) cause: Cause,
    pub(super) detail: String,
}

impl Unread {
    /// It is there, and not as it is known to be.
    pub(super) fn odd(detail: impl Into<String>) -> Self {
        Self { cause: Cause::Malformed, detail: detail.into() }
    }
}

/// A value.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Node {
    /// Nothing, which is as if it were not there.
    Null,
    Bool(bool),
    Number(i64),
    Text(String),
    List(Vec<Self>),
    Table(BTreeMap<String, Self>),
    /// What no setting of storage is: a number with a fraction.
    Other,
}

/// Reads the file. Its name says what it is written in, as for zot itself.
pub(super) fn read(path: &Path) -> Result<Node, Unread> {
    let denied = |error: &std::io::Error| match error.kind() {
        std::io::ErrorKind::PermissionDenied => Cause::Denied,
        _ => Cause::Malformed,
    };
    let failed = |error: std::io::Error| Unread { cause: denied(&error), detail: format!("cannot be read ({error})") };
    let file = std::fs::File::open(path).map_err(failed)?;
    if !file.metadata().map_err(failed)?.is_file() {
        return Err(Unread::odd("is no file"));
    }
    let mut text = String::new();
    file.take(LARGEST + 1).read_to_string(&mut text).map_err(failed)?;
    if text.len() as u64 > LARGEST {
        return Err(Unread::odd(format!("is larger than {LARGEST} bytes")));
    }
    match path.extension().and_then(|extension| extension.to_str()) {
        Some("yaml" | "yml") => yaml(&text),
        Some("toml" | "hcl" | "tfvars" | "properties" | "props" | "prop" | "ini" | "env" | "dotenv") => {
            Err(Unread::odd("is neither JSON nor YAML, and prodpin reads no other; name one of these"))
        }
        // What has another name is tried as JSON first.
        _ => json(&text),
    }
}

pub(super) fn json(text: &str) -> Result<Node, Unread> {
    serde_json::from_str(text).map_err(|error| {
        let (line, column) = (error.line(), error.column());
        let what = if error.is_data() { "has what is not expected there" } else { "is no JSON" };
        Unread::odd(format!("{what}, at line {line}, column {column}"))
    })
}

fn yaml(text: &str) -> Result<Node, Unread> {
    let options = serde_saphyr::options! {
        budget: serde_saphyr::budget! {
            max_depth: DEEPEST,
            flow_nesting_limit: DEEPEST,
            max_documents: 1,
            max_aliases: 0,
            max_anchors: 0,
        },
        with_snippet: false,
    };
    // What stands in it is not quoted: passwords may.
    serde_saphyr::from_str_with_options(text, options).map_err(|_| Unread::odd("is no YAML that prodpin reads"))
}

impl<'de> Deserialize<'de> for Node {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(Sprout)
    }
}

struct Sprout;

impl<'de> Visitor<'de> for Sprout {
    type Value = Node;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a value")
    }

    fn visit_unit<E: Error>(self) -> Result<Node, E> {
        Ok(Node::Null)
    }

    fn visit_none<E: Error>(self) -> Result<Node, E> {
        Ok(Node::Null)
    }

    fn visit_some<D: Deserializer<'de>>(self, deserializer: D) -> Result<Node, D::Error> {
        Node::deserialize(deserializer)
    }

    fn visit_bool<E: Error>(self, value: bool) -> Result<Node, E> {
        Ok(Node::Bool(value))
    }

    fn visit_i64<E: Error>(self, value: i64) -> Result<Node, E> {
        Ok(Node::Number(value))
    }

    fn visit_u64<E: Error>(self, value: u64) -> Result<Node, E> {
        Ok(i64::try_from(value).map_or(Node::Other, Node::Number))
    }

    fn visit_f64<E: Error>(self, _: f64) -> Result<Node, E> {
        Ok(Node::Other)
    }

    fn visit_str<E: Error>(self, value: &str) -> Result<Node, E> {
        Ok(Node::Text(value.to_owned()))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Node, A::Error> {
        let mut list = Vec::new();
        while let Some(item) = items.next_element()? {
            list.push(item);
        }
        Ok(Node::List(list))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut entries: A) -> Result<Node, A::Error> {
        let mut table = BTreeMap::new();
        while let Some((key, value)) = entries.next_entry::<String, Node>()? {
            // Which of two zot would take is not known.
            if table.insert(key.to_lowercase(), value).is_some() {
                return Err(A::Error::custom("a key stands there twice"));
            }
        }
        Ok(Node::Table(table))
    }
}

/// A table of which every key is known.
pub(super) struct Table<'n> {
    place: String,
    entries: &'n BTreeMap<String, Node>,
}

impl<'n> Table<'n> {
    /// Reads a table. What has a key that is not known may mean something that is not known either.
    pub(super) fn of(node: &'n Node, place: &str, known: &[&str]) -> Result<Self, Unread> {
        let table = Self::any(node, place)?;
        match table.entries.keys().find(|key| !known.contains(&key.as_str())) {
            Some(key) => Err(Unread::odd(format!("{place} has {key:.40?}, which prodpin does not know"))),
            None => Ok(table),
        }
    }

    /// The same, whatever other keys it has.
    pub(super) fn any(node: &'n Node, place: &str) -> Result<Self, Unread> {
        match node {
            Node::Table(entries) => Ok(Self { place: place.to_owned(), entries }),
            _ => Err(Unread::odd(format!("{place} is no table of settings"))),
        }
    }

    /// What stands under a key; nothing is as if the key were not there.
    pub(super) fn get(&self, key: &str) -> Option<&'n Node> {
        self.entries.get(key).filter(|node| **node != Node::Null)
    }

    pub(super) fn entries(&self) -> impl Iterator<Item = (&'n str, &'n Node)> {
        self.entries.iter().map(|(key, node)| (key.as_str(), node))
    }

    pub(super) fn place_of(&self, key: &str) -> String {
        format!("{}.{key}", self.place)
    }

    pub(super) fn boolean(&self, key: &str) -> Result<Option<bool>, Unread> {
        match self.get(key) {
            None => Ok(None),
            Some(Node::Bool(value)) => Ok(Some(*value)),
            Some(_) => Err(self.odd(key, "neither true nor false")),
        }
    }

    pub(super) fn number(&self, key: &str) -> Result<Option<i64>, Unread> {
        match self.get(key) {
            None => Ok(None),
            Some(Node::Number(value)) => Ok(Some(*value)),
            Some(_) => Err(self.odd(key, "no whole number")),
        }
    }

    pub(super) fn text(&self, key: &str) -> Result<Option<&'n str>, Unread> {
        match self.get(key) {
            None => Ok(None),
            Some(Node::Text(value)) => Ok(Some(value)),
            Some(_) => Err(self.odd(key, "no text")),
        }
    }

    pub(super) fn list(&self, key: &str) -> Result<&'n [Node], Unread> {
        match self.get(key) {
            None => Ok(&[]),
            Some(Node::List(list)) => Ok(list),
            Some(_) => Err(self.odd(key, "no list")),
        }
    }

    pub(super) fn texts(&self, key: &str) -> Result<Vec<String>, Unread> {
        let text = |node: &Node| match node {
            Node::Text(text) => Ok(text.clone()),
            _ => Err(self.odd(key, "no list of texts")),
        };
        self.list(key)?.iter().map(text).collect()
    }

    pub(super) fn odd(&self, key: &str, what: &str) -> Unread {
        Unread::odd(format!("{} is {what}", self.place_of(key)))
    }
}
