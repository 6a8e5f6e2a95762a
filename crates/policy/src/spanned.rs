//! Values with their places: the fields of the raw structs.

use std::borrow::Cow;
use std::fmt;
use std::marker::PhantomData;

use schemars::{JsonSchema, Schema, SchemaGenerator};
use serde::Deserialize;
use serde::de::{Deserializer, MapAccess, Visitor};

use super::problem::Span;

/// The name by which the reader knows that a place is asked for, too.
pub(super) const SPANNED: &str = "a value with its place";

/// A value as the policy gives it, with its place.
#[derive(Debug)]
pub(super) struct Spanned<T> {
    span: Option<Span>,
    value: Option<T>,
    /// Whether some of it came from the environment, so that no message may quote it.
    pub(super) from_environment: bool,
}

impl<T> Default for Spanned<T> {
    fn default() -> Self {
        Self { span: None, value: None, from_environment: false }
    }
}

impl<T> Spanned<T> {
    /// Where it stands, if it is written at all, readable or not.
    pub(super) fn span(&self) -> Option<Span> {
        self.span
    }

    /// The value, if it is written and could be read.
    pub(super) fn value(&self) -> Option<&T> {
        self.value.as_ref()
    }

    /// The value with its place.
    pub(super) fn read(&self) -> Option<(Span, &T)> {
        self.span.zip(self.value.as_ref())
    }
}

/// A mapping from names that the writer chooses, in the order of the file.
#[derive(Debug)]
pub(super) struct Entries<T>(pub(super) Vec<(Spanned<String>, Spanned<T>)>);

impl<'de, T: Deserialize<'de>> Deserialize<'de> for Spanned<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct SpannedVisitor<T>(PhantomData<T>);

        impl<'de, T: Deserialize<'de>> Visitor<'de> for SpannedVisitor<T> {
            type Value = Spanned<T>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(SPANNED)
            }

            fn visit_map<A: MapAccess<'de>>(self, mut halves: A) -> Result<Spanned<T>, A::Error> {
                let [line, column, width, from_environment] = halves.next_value::<[u64; 4]>()?;
                let span = Some(Span { line, column, width });
                Ok(Spanned { span, value: halves.next_value().ok(), from_environment: from_environment == 1 })
            }
        }

        deserializer.deserialize_struct(SPANNED, &[], SpannedVisitor(PhantomData))
    }
}

impl<'de, T: Deserialize<'de>> Deserialize<'de> for Entries<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct EntriesVisitor<T>(PhantomData<T>);

        impl<'de, T: Deserialize<'de>> Visitor<'de> for EntriesVisitor<T> {
            type Value = Entries<T>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a mapping")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Entries<T>, A::Error> {
                let mut entries = Vec::new();
                while let Some(entry) = map.next_entry()? {
                    entries.push(entry);
                }
                Ok(Entries(entries))
            }
        }

        deserializer.deserialize_map(EntriesVisitor(PhantomData))
    }
}

impl<T: JsonSchema> JsonSchema for Spanned<T> {
    fn inline_schema() -> bool {
        T::inline_schema()
    }

    fn schema_name() -> Cow<'static, str> {
        T::schema_name()
    }

    fn schema_id() -> Cow<'static, str> {
        T::schema_id()
    }

    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        T::json_schema(generator)
    }
}

impl<T: JsonSchema> JsonSchema for Entries<T> {
    fn inline_schema() -> bool {
        true
    }

    fn schema_name() -> Cow<'static, str> {
        "Entries".into()
    }

    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        std::collections::BTreeMap::<String, T>::json_schema(generator)
    }
}
