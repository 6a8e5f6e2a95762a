//! The tree → raw structs, by serde, telling every problem on the way instead of stopping at the first.
//!
//! A field of type [`Spanned`] takes whatever stands there: a value that cannot be read is reported, and its place stays
//! known. Unknown and repeated keys are reported and left out. An enum of tables is chosen by the key that names it
//! (`oci`, `s3`), so that every kind has a list of keys of its own.

use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::fmt;

use serde::Deserialize;
use serde::de::value::SeqDeserializer;
use serde::de::{self, DeserializeSeed, Deserializer, EnumAccess, IntoDeserializer, MapAccess, VariantAccess, Visitor};

use super::problem::{Problems, Span, nearest, quote};
use super::spanned::{SPANNED, Spanned};
use super::tree::{Node, Value};

/// Reads a whole tree.
pub(super) fn read<'n, T: Deserialize<'n>>(node: &'n Node, problems: &'n Problems<'n>) -> Spanned<T> {
    // A failure has been reported by the time it arrives here.
    Spanned::deserialize(Reader { node, problems }).unwrap_or_default()
}

/// Why a value could not be read.
#[derive(Debug)]
struct ReadError {
    span: Option<Span>,
    message: String,
    fix: Option<String>,
}

impl fmt::Display for ReadError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl std::error::Error for ReadError {}

impl de::Error for ReadError {
    fn custom<T: fmt::Display>(message: T) -> Self {
        Self { span: None, message: message.to_string(), fix: None }
    }
}

#[derive(Clone, Copy)]
struct Reader<'n> {
    node: &'n Node,
    problems: &'n Problems<'n>,
}

impl<'n> Reader<'n> {
    fn at(self, node: &'n Node) -> Self {
        Self { node, ..self }
    }

    fn refuse(self, message: String, fix: Option<String>) -> ReadError {
        ReadError { span: Some(self.node.span), message, fix }
    }

    fn expected(self, wanted: &str, fix: Option<String>) -> ReadError {
        self.refuse(format!("expected {wanted}, found {}", self.node.value.kind()), fix)
    }

    /// A whole number. One from the environment arrives as text.
    fn number(self) -> Result<u64, ReadError> {
        let wanted = "a whole number, 0 or more";
        match &self.node.value {
            Value::Number(Some(number), _) => Ok(*number),
            Value::Text(text) if self.node.from_environment => {
                text.trim().parse().map_err(|_| self.expected(wanted, None))
            }
            Value::Text(text) if text.parse::<u64>().is_ok() => {
                Err(self.expected(wanted, Some("leave out the quotes".to_owned())))
            }
            Value::Number(None, spelled) => Err(self.refuse(format!("expected {wanted}, found {spelled}"), None)),
            _ => Err(self.expected(wanted, None)),
        }
    }

    /// The entries of a mapping without those that repeat a key.
    fn entries(self, wanted: &str) -> Result<Vec<(&'n Node, &'n str, &'n Node)>, ReadError> {
        let Value::Map(entries) = &self.node.value else {
            return Err(self.expected(wanted, None));
        };
        let mut kept: Vec<(&Node, &str, &Node)> = Vec::with_capacity(entries.len());
        let mut lines = HashMap::with_capacity(entries.len());
        for (key, value) in entries {
            let name = match &key.value {
                Value::Text(name) | Value::Number(_, name) => name.as_str(),
                other => {
                    self.problems.error(key.span, format!("a key must be text, and this is {}", other.kind()), None);
                    continue;
                }
            };
            match lines.entry(name) {
                Entry::Occupied(first) => {
                    let fix = format!("it is first given on line {}; keep one of them", first.get());
                    self.problems.error(key.span, format!("{} is given twice", quote(name)), fix);
                }
                Entry::Vacant(new) => {
                    new.insert(key.span.line);
                    kept.push((key, name, value));
                }
            }
        }
        Ok(kept)
    }

    fn unknown_key(self, key: &Node, name: &str, table: &str, known: &'static [&'static str]) {
        if let Some(reported) = misplaced(table, name) {
            return self.problems.error(key.span, reported, None);
        }
        let fix = match nearest(name, known) {
            Some(word) => format!("did you mean {word:?}?"),
            None => format!("{table} takes: {}", known.join(", ")),
        };
        self.problems.error(key.span, format!("unknown key {} in {table}", quote(name)), fix);
    }
}

/// What is known of a key that stands where it does not belong: "unknown" would send people looking for a typing error.
fn misplaced(table: &str, key: &str) -> Option<&'static str> {
    Some(match table {
        "an acr source" if key == "cleanup" => "take cleanup out, and name acr purge commands under purge",
        "an ecr source" | "an s3 source" | "a gitlab source" | "a gar source" | "a harbor source" | "a helm source"
        | "a quay source"
            if key == "cleanup" =>
        {
            "the rules of this source are read where they are: take cleanup out"
        }
        "a dockerhub source" | "a ghcr source" if key == "cleanup" => "it has no such rules: take cleanup out",
        PRODUCTION if key == "helm_releases" => {
            "helm_releases belongs to a cluster: write kubernetes: { helm_releases: true, … }"
        }
        _ => return None,
    })
}

/// How messages call one entry of `production`.
pub(super) const PRODUCTION: &str = "a production rule";

impl<'n> Deserializer<'n> for Reader<'n> {
    type Error = ReadError;

    fn deserialize_any<V: Visitor<'n>>(self, visitor: V) -> Result<V::Value, ReadError> {
        match &self.node.value {
            Value::Null => visitor.visit_unit(),
            Value::Bool(value) => visitor.visit_bool(*value),
            Value::Number(Some(number), _) => visitor.visit_u64(*number),
            Value::Number(None, spelled) | Value::Text(spelled) => visitor.visit_str(spelled),
            Value::List(_) => self.deserialize_seq(visitor),
            Value::Map(_) => self.deserialize_map(visitor),
        }
    }

    fn deserialize_bool<V: Visitor<'n>>(self, visitor: V) -> Result<V::Value, ReadError> {
        match &self.node.value {
            Value::Bool(value) => visitor.visit_bool(*value),
            Value::Text(text) if self.node.from_environment && text == "true" => visitor.visit_bool(true),
            Value::Text(text) if self.node.from_environment && text == "false" => visitor.visit_bool(false),
            _ => Err(self.expected("true or false", None)),
        }
    }

    fn deserialize_u32<V: Visitor<'n>>(self, visitor: V) -> Result<V::Value, ReadError> {
        let number = self.number()?;
        visitor.visit_u32(u32::try_from(number).map_err(|_| self.refuse(format!("{number} is too large"), None))?)
    }

    fn deserialize_u64<V: Visitor<'n>>(self, visitor: V) -> Result<V::Value, ReadError> {
        visitor.visit_u64(self.number()?)
    }

    fn deserialize_str<V: Visitor<'n>>(self, visitor: V) -> Result<V::Value, ReadError> {
        match &self.node.value {
            Value::Text(text) | Value::Number(_, text) => visitor.visit_str(text),
            Value::Bool(value) => Err(self.expected("text", Some(format!("put it in quotes: \"{value}\"")))),
            _ => Err(self.expected("text", None)),
        }
    }

    fn deserialize_string<V: Visitor<'n>>(self, visitor: V) -> Result<V::Value, ReadError> {
        self.deserialize_str(visitor)
    }

    fn deserialize_seq<V: Visitor<'n>>(self, visitor: V) -> Result<V::Value, ReadError> {
        match &self.node.value {
            Value::List(items) => visitor.visit_seq(Items { reader: self, items: items.iter() }),
            Value::Text(text) if !self.node.from_environment => {
                Err(self.expected("a list", Some(format!("write [{}]", quote(text)))))
            }
            _ => Err(self.expected("a list", None)),
        }
    }

    fn deserialize_map<V: Visitor<'n>>(self, visitor: V) -> Result<V::Value, ReadError> {
        let entries = self.entries("a mapping (name: value)")?;
        visitor.visit_map(Pairs { reader: self, entries: entries.into_iter(), value: None })
    }

    fn deserialize_struct<V: Visitor<'n>>(
        self,
        name: &'static str,
        fields: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, ReadError> {
        if name == SPANNED {
            return visitor.visit_map(Placed { reader: self, step: 0 });
        }
        let mut known = self.entries(&format!("{name} (key: value)"))?;
        known.retain(|(key, word, _)| {
            let takes = fields.contains(word);
            if !takes {
                self.unknown_key(key, word, name, fields);
            }
            takes
        });
        visitor.visit_map(Pairs { reader: self, entries: known.into_iter(), value: None })
    }

    fn deserialize_enum<V: Visitor<'n>>(
        self,
        name: &'static str,
        variants: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, ReadError> {
        let listed = variants.join(", ");
        let variant = match &self.node.value {
            Value::Text(word) => variants.iter().find(|variant| *variant == word).ok_or_else(|| {
                let fix = nearest(word, variants).map(|near| format!("did you mean {near:?}?"));
                let found = if self.node.from_environment {
                    "that is none of them".to_owned()
                } else {
                    format!("found {}", quote(word))
                };
                self.refuse(format!("expected one of {listed}; {found}"), fix)
            })?,
            Value::Map(_) => self.kind_of_table(name, variants)?,
            _ => return Err(self.expected(&format!("one of {listed}"), None)),
        };
        visitor.visit_enum(Kind { reader: self, variant })
    }

    fn deserialize_option<V: Visitor<'n>>(self, visitor: V) -> Result<V::Value, ReadError> {
        visitor.visit_some(self)
    }

    fn deserialize_newtype_struct<V: Visitor<'n>>(self, _: &'static str, visitor: V) -> Result<V::Value, ReadError> {
        visitor.visit_newtype_struct(self)
    }

    serde::forward_to_deserialize_any! {
        <V: Visitor<'n>>
        i8 i16 i32 i64 i128 u8 u16 u128 f32 f64 char bytes byte_buf unit unit_struct tuple tuple_struct identifier
        ignored_any
    }
}

impl<'n> Reader<'n> {
    /// The one key of a table that says which kind it is.
    fn kind_of_table(
        self,
        name: &'static str,
        variants: &'static [&'static str],
    ) -> Result<&'static &'static str, ReadError> {
        let entries = self.entries(name)?;
        let mut named = entries.iter().filter_map(|(_, word, _)| variants.iter().find(|variant| *variant == word));
        match (named.next(), named.next()) {
            (Some(variant), None) => Ok(variant),
            (Some(first), Some(second)) => {
                let message = format!("{name} is one of {}; this has {first:?} and {second:?}", variants.join(", "));
                Err(self.refuse(message, Some("write two entries".to_owned())))
            }
            (None, _) => {
                let later = entries.iter().find_map(|(key, word, _)| Some((key.span, misplaced(name, word)?)));
                if let Some((span, message)) = later {
                    return Err(ReadError { span: Some(span), message: message.to_owned(), fix: None });
                }
                let near = entries.iter().find_map(|(key, word, _)| Some((key.span, word, nearest(word, variants)?)));
                if let Some((span, word, near)) = near {
                    let message = format!("unknown key {} in {name}", quote(word));
                    return Err(ReadError { span: Some(span), message, fix: Some(format!("did you mean {near:?}?")) });
                }
                let fix = format!("it needs one of: {}", variants.join(", "));
                Err(self.refuse(format!("{name} that does not say of which kind it is"), Some(fix)))
            }
        }
    }
}

struct Items<'n> {
    reader: Reader<'n>,
    items: std::slice::Iter<'n, Node>,
}

impl<'n> de::SeqAccess<'n> for Items<'n> {
    type Error = ReadError;

    fn next_element_seed<T: DeserializeSeed<'n>>(&mut self, seed: T) -> Result<Option<T::Value>, ReadError> {
        self.items.next().map(|item| seed.deserialize(self.reader.at(item))).transpose()
    }
}

struct Pairs<'n> {
    reader: Reader<'n>,
    entries: std::vec::IntoIter<(&'n Node, &'n str, &'n Node)>,
    value: Option<&'n Node>,
}

impl<'n> MapAccess<'n> for Pairs<'n> {
    type Error = ReadError;

    fn next_key_seed<K: DeserializeSeed<'n>>(&mut self, seed: K) -> Result<Option<K::Value>, ReadError> {
        let Some((key, _, value)) = self.entries.next() else {
            return Ok(None);
        };
        self.value = Some(value);
        seed.deserialize(self.reader.at(key)).map(Some)
    }

    fn next_value_seed<V: DeserializeSeed<'n>>(&mut self, seed: V) -> Result<V::Value, ReadError> {
        let value = self.value.take().unwrap_or(self.reader.node);
        seed.deserialize(self.reader.at(value))
    }
}

/// A table or word as one variant of an enum.
struct Kind<'n> {
    reader: Reader<'n>,
    variant: &'static str,
}

impl<'n> EnumAccess<'n> for Kind<'n> {
    type Error = ReadError;
    type Variant = Reader<'n>;

    fn variant_seed<V: DeserializeSeed<'n>>(self, seed: V) -> Result<(V::Value, Reader<'n>), ReadError> {
        Ok((seed.deserialize(self.variant.into_deserializer())?, self.reader))
    }
}

impl<'n> VariantAccess<'n> for Reader<'n> {
    type Error = ReadError;

    fn unit_variant(self) -> Result<(), ReadError> {
        Ok(())
    }

    fn newtype_variant_seed<T: DeserializeSeed<'n>>(self, seed: T) -> Result<T::Value, ReadError> {
        seed.deserialize(self)
    }

    fn tuple_variant<V: Visitor<'n>>(self, _: usize, visitor: V) -> Result<V::Value, ReadError> {
        self.deserialize_seq(visitor)
    }

    fn struct_variant<V: Visitor<'n>>(
        self,
        fields: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, ReadError> {
        self.deserialize_struct("an entry", fields, visitor)
    }
}

/// The two halves that [`Spanned`] asks for: first the place, then the value, whose failure is reported here.
struct Placed<'n> {
    reader: Reader<'n>,
    step: u8,
}

impl<'n> MapAccess<'n> for Placed<'n> {
    type Error = ReadError;

    fn next_key_seed<K: DeserializeSeed<'n>>(&mut self, _: K) -> Result<Option<K::Value>, ReadError> {
        Ok(None)
    }

    fn next_value_seed<V: DeserializeSeed<'n>>(&mut self, seed: V) -> Result<V::Value, ReadError> {
        let node = self.reader.node;
        self.step += 1;
        if self.step == 1 {
            let Span { line, column, width } = node.span;
            let numbers = [line, column, width, u64::from(node.from_environment)];
            return seed.deserialize(SeqDeserializer::new(numbers.into_iter()));
        }
        if matches!(node.value, Value::Null) {
            let refused =
                self.reader.refuse("this key has no value".to_owned(), Some("remove it, or write one".to_owned()));
            return Err(self.reported(refused));
        }
        seed.deserialize(self.reader).map_err(|refused| self.reported(refused))
    }
}

impl Placed<'_> {
    fn reported(&self, refused: ReadError) -> ReadError {
        let span = refused.span.unwrap_or(self.reader.node.span);
        self.reader.problems.error(span, refused.message.clone(), refused.fix.clone());
        refused
    }
}
