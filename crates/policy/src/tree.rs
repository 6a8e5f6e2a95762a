//! YAML text → a tree that knows where everything stands. Text is bounded before anything is built from it (F67).

use std::fmt;

use serde::Deserialize;
use serde::de::{Deserializer, MapAccess, SeqAccess, Visitor};
use serde_saphyr::{DuplicateKeyPolicy, Error, MergeKeyPolicy, Spanned};

use super::environment::{self, LookUp};
use super::problem::{Problems, Span};

/// A value with its place.
#[derive(Debug)]
pub(super) struct Node {
    pub(super) span: Span,
    pub(super) value: Value,
    /// Whether some of it came from the environment: it may be a secret, so no message quotes it.
    pub(super) from_environment: bool,
}

/// What YAML can say.
#[derive(Debug)]
pub(super) enum Value {
    Null,
    Bool(bool),
    /// A number with its spelling, because `1.10` is a fine tag and `012345678901` a fine account.
    Number(Option<u64>, String),
    Text(String),
    List(Vec<Node>),
    Map(Vec<(Node, Node)>),
}

impl Value {
    /// What it is, for a person.
    pub(super) fn kind(&self) -> &'static str {
        match self {
            Self::Null => "nothing",
            Self::Bool(_) => "true or false",
            Self::Number(..) => "a number",
            Self::Text(_) => "text",
            Self::List(_) => "a list",
            Self::Map(_) => "a mapping",
        }
    }
}

/// No policy nests deeper than five levels; 32 leaves room and no stack at risk.
const MAX_DEPTH: usize = 32;
/// A thousand sources fit; a megabyte of commas does not.
const MAX_NODES: usize = 50_000;

/// Reads the text, and puts the environment's values in. `None` once a problem was told that leaves no tree.
pub(super) fn plant(text: &str, problems: &Problems<'_>, environment: &dyn Fn(&str) -> Option<String>) -> Option<Node> {
    let options = serde_saphyr::options! {
        budget: serde_saphyr::budget! {
            max_depth: MAX_DEPTH,
            flow_nesting_limit: MAX_DEPTH,
            max_nodes: MAX_NODES,
            max_events: 2 * MAX_NODES,
            // One more than allowed, so that a second one is reported as such.
            max_documents: 2,
            max_aliases: 1_000,
            max_anchors: 1_000,
        },
        alias_limits: serde_saphyr::alias_limits! {
            max_total_replayed_events: 20_000,
            max_replay_stack_depth: 8,
        },
        // Reported by the reader, with both places and beside every other problem.
        duplicate_keys: DuplicateKeyPolicy::PassThrough,
        merge_keys: MergeKeyPolicy::Error,
        strict_booleans: true,
        with_snippet: false,
    };
    match serde_saphyr::from_str_with_options::<Spanned<Sprout>>(text, options) {
        Ok(Spanned { value: Sprout::Null, .. }) => {
            let span = Span { line: 1, column: 1, width: 1 };
            problems.error(span, "the policy is empty", "write one with: prodpin init".to_owned());
            None
        }
        Ok(sprout) => Some(grow(sprout, text, problems, Some(environment))),
        Err(error) => {
            tell(&error, problems);
            None
        }
    }
}

/// A value as the YAML library hands it over.
enum Sprout {
    Null,
    Bool(bool),
    Number(Option<u64>, String),
    Text(String),
    List(Vec<Spanned<Sprout>>),
    Map(Vec<(Spanned<Sprout>, Spanned<Sprout>)>),
}

impl<'de> Deserialize<'de> for Sprout {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(SproutVisitor)
    }
}

struct SproutVisitor;

impl<'de> Visitor<'de> for SproutVisitor {
    type Value = Sprout;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a YAML value")
    }

    fn visit_unit<E>(self) -> Result<Sprout, E> {
        Ok(Sprout::Null)
    }

    fn visit_none<E>(self) -> Result<Sprout, E> {
        Ok(Sprout::Null)
    }

    fn visit_bool<E>(self, value: bool) -> Result<Sprout, E> {
        Ok(Sprout::Bool(value))
    }

    fn visit_i64<E>(self, value: i64) -> Result<Sprout, E> {
        Ok(Sprout::Number(u64::try_from(value).ok(), value.to_string()))
    }

    fn visit_u64<E>(self, value: u64) -> Result<Sprout, E> {
        Ok(Sprout::Number(Some(value), value.to_string()))
    }

    fn visit_i128<E>(self, value: i128) -> Result<Sprout, E> {
        Ok(Sprout::Number(None, value.to_string()))
    }

    fn visit_u128<E>(self, value: u128) -> Result<Sprout, E> {
        Ok(Sprout::Number(None, value.to_string()))
    }

    fn visit_f64<E>(self, value: f64) -> Result<Sprout, E> {
        Ok(Sprout::Number(None, value.to_string()))
    }

    fn visit_str<E>(self, value: &str) -> Result<Sprout, E> {
        Ok(Sprout::Text(value.to_owned()))
    }

    fn visit_string<E>(self, value: String) -> Result<Sprout, E> {
        Ok(Sprout::Text(value))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Sprout, A::Error> {
        let mut list = Vec::new();
        while let Some(item) = items.next_element()? {
            list.push(item);
        }
        Ok(Sprout::List(list))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut entries: A) -> Result<Sprout, A::Error> {
        let mut map = Vec::new();
        while let Some(key) = entries.next_key()? {
            map.push((key, entries.next_value()?));
        }
        Ok(Sprout::Map(map))
    }
}

fn grow(sprout: Spanned<Sprout>, text: &str, problems: &Problems<'_>, environment: Option<&LookUp<'_>>) -> Node {
    let (referenced, defined) = (sprout.referenced, sprout.defined);
    let span = Span { line: referenced.line(), column: referenced.column(), width: referenced.span().len() };
    let mut from_environment = false;
    let value = match sprout.value {
        Sprout::Null => Value::Null,
        Sprout::Bool(value) => Value::Bool(value),
        Sprout::Number(value, plain) => Value::Number(value, spelling(text, defined).unwrap_or(plain)),
        Sprout::Text(written) => match environment {
            Some(environment) => {
                let (filled, touched) = environment::fill(&written, span, problems, environment);
                from_environment = touched;
                Value::Text(filled)
            }
            None => Value::Text(written),
        },
        Sprout::List(items) => {
            Value::List(items.into_iter().map(|item| grow(item, text, problems, environment)).collect())
        }
        Sprout::Map(entries) => Value::Map(
            entries
                .into_iter()
                // Keys are names, so nothing is put into them.
                .map(|(key, value)| (grow(key, text, problems, None), grow(value, text, problems, environment)))
                .collect(),
        ),
    };
    let span = if matches!(value, Value::List(_) | Value::Map(_)) { Span { width: 1, ..span } } else { span };
    Node { span, value, from_environment }
}

/// A plain scalar as the text spells it.
fn spelling(text: &str, at: serde_saphyr::Location) -> Option<String> {
    let start = usize::try_from(at.span().byte_offset()?).ok()?;
    let length = usize::try_from(at.span().byte_len()?).ok()?;
    text.get(start..start.checked_add(length)?).map(|found| found.trim().to_owned())
}

/// What the YAML library refused, in our words where it has a reason that we know.
fn tell(error: &Error, problems: &Problems<'_>) {
    let span = error.location().map_or_else(
        || Span { line: 1, column: 1, width: 1 },
        |at| Span { line: at.line().max(1), column: at.column().max(1), width: 1 },
    );
    let error = match error.without_snippet() {
        Error::AliasError { error, .. } => error.without_snippet(),
        plain => plain,
    };
    let nested = (
        "the policy nests too deep, is too large, or repeats itself through aliases".to_owned(),
        Some("no policy needs that; write the entries out".to_owned()),
    );
    let (message, fix) = match error {
        Error::Budget { .. }
        | Error::AliasReplayLimitExceeded { .. }
        | Error::AliasReplayStackDepthExceeded { .. }
        | Error::AliasExpansionLimitExceeded { .. } => nested,
        Error::MergeKeyNotAllowed { .. } => {
            ("merge keys (<<) are not read here".to_owned(), Some("write the entries out".to_owned()))
        }
        Error::MultipleDocuments { .. } => {
            ("a policy is one YAML document, and this is a second one".to_owned(), Some("remove the '---'".to_owned()))
        }
        Error::UnknownAnchor { .. } => (
            "this alias names no anchor".to_owned(),
            Some("put quotes around a value that starts with '*', such as \"*-prod\"".to_owned()),
        ),
        Error::Eof { .. } => ("the policy is empty".to_owned(), Some("write one with: prodpin init".to_owned())),
        other if other.to_string().contains("recursion limit") => nested,
        other => (format!("not YAML: {}", plain(&other.to_string())), hint(&other.to_string())),
    };
    problems.error(span, message, fix);
}

/// The library's message without its own place, on one line.
fn plain(message: &str) -> String {
    let line = message.lines().next().unwrap_or_default();
    let line = line.split(" at line ").next().unwrap_or(line);
    line.strip_prefix("error: ").unwrap_or(line).to_owned()
}

fn hint(message: &str) -> Option<String> {
    message.contains("tab").then(|| "indent with spaces, not with tabs".to_owned())
}
