//! Events as they come in, read into what they ask for. Pure, and strict: an event of a shape that is not known is an
//! error, because an answer to something else would look like success.

use std::fmt;

use serde::Deserialize;
use serde_json::{Map, Value};

use crate::model::{Digest, Mode, Pin, RepositoryName, SourceName, Tag};
use crate::run::Shard;

/// What an event asks for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Trigger {
    /// The schedule's time has come: everything.
    Schedule,
    /// Something happened at these places.
    Happened(Vec<EventSubject>),
    /// Somebody asks.
    Manual(Manual),
    /// Nothing: a message that only tests whether messages come through.
    Test,
    /// Nothing: a pin was pushed onto the very digest that it names, which is what prodpin itself does (A17).
    Pinned,
}

/// Where something happened.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum EventSubject {
    /// A repository in ECR.
    Repository {
        /// The account whose registry it is in.
        account: String,
        /// The region.
        region: String,
        /// Its name.
        name: RepositoryName,
    },
    /// An object in a bucket.
    Object {
        /// The bucket.
        bucket: String,
        /// The key, decoded.
        key: Tag,
    },
}

impl fmt::Display for EventSubject {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Repository { account, region, name } => write!(f, "{name} in ECR of account {account}, {region}"),
            Self::Object { bucket, key } => write!(f, "{key} in the bucket {bucket}"),
        }
    }
}

/// What a person or another program may ask for; what is left out is not narrowed.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Manual {
    /// How the run is meant; else as the function does it.
    pub mode: Option<Mode>,
    /// Only this source.
    pub source: Option<SourceName>,
    /// Only this repository.
    pub repository: Option<RepositoryName>,
    /// Only this share.
    pub shard: Option<Shard>,
}

/// Why an event cannot be answered.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "this event is not understood: {0}; the function takes scheduled events, ECR image actions and S3 object events, also \
     as messages of SNS or SQS, and {{\"mode\", \"source\", \"repository\", \"shard\"}}"
)]
pub struct UnknownEvent(String);

/// So much of what an event says is repeated: it may say megabytes.
const REPEATED: usize = 300;

impl UnknownEvent {
    pub(super) fn new(reason: impl Into<String>) -> Self {
        let mut reason: String = reason.into();
        if let Some((cut, _)) = reason.char_indices().nth(REPEATED) {
            reason.truncate(cut);
            reason.push('…');
        }
        Self(reason)
    }

    /// The same of an event that a message carries.
    pub(super) fn in_a_message(self) -> Self {
        Self::new(format!("in a message, {}", self.0))
    }

    /// Why, without what the function does take.
    #[must_use]
    pub fn reason(&self) -> &str {
        &self.0
    }
}

impl Trigger {
    /// What several events come to: one of them asks for everything, or each for its places.
    pub(super) fn together(triggers: Vec<Self>) -> Self {
        let mut happened = Vec::new();
        let mut nothing = Self::Test;
        for trigger in triggers {
            match trigger {
                Self::Happened(places) => happened.extend(places),
                Self::Test => {}
                Self::Pinned => nothing = Self::Pinned,
                everything @ (Self::Schedule | Self::Manual(_)) => return everything,
            }
        }
        if happened.is_empty() {
            return nothing;
        }
        happened.sort();
        happened.dedup();
        Self::Happened(happened)
    }

    /// Reads an event of any shape that comes by itself.
    pub fn read(event: &Value) -> Result<Self, UnknownEvent> {
        let Value::Object(fields) = event else { return Err(UnknownEvent::new("it is no JSON object")) };
        if fields.contains_key("Records") {
            return records(fields);
        }
        if fields.get("Event").and_then(Value::as_str) == Some("s3:TestEvent") {
            return Ok(Self::Test);
        }
        match fields.get("source").and_then(Value::as_str) {
            Some(source) if source.starts_with("aws.") => of_bus(source, fields),
            _ => manual(event),
        }
    }
}

/// EventBridge: rules, the Scheduler, and services that tell of themselves (G150).
fn of_bus(source: &str, fields: &Map<String, Value>) -> Result<Trigger, UnknownEvent> {
    let kind = text(fields, "detail-type")?;
    match (source, kind) {
        // The two differ in `detail`, which is {} of one and the text "{}" of the other; nothing in it is needed.
        ("aws.events" | "aws.scheduler", "Scheduled Event") => Ok(Trigger::Schedule),
        ("aws.ecr", "ECR Image Action" | "ECR Pull Through Cache Action" | "ECR Replication Action") => {
            let detail = detail(fields)?;
            let name = text(&detail, "repository-name")?;
            let name = name.parse().map_err(|error| UnknownEvent::new(format!("repository-name: {error}")))?;
            if is_own_pin(&detail) {
                return Ok(Trigger::Pinned);
            }
            let (account, region) = (text(fields, "account")?.to_owned(), text(fields, "region")?.to_owned());
            Ok(Trigger::Happened(vec![EventSubject::Repository { account, region, name }]))
        }
        ("aws.s3", kind) if kind.starts_with("Object ") => {
            let detail = detail(fields)?;
            let bucket = text(object(&detail, "bucket")?, "name")?.to_owned();
            let key = key(text(object(&detail, "object")?, "key")?)?;
            Ok(Trigger::Happened(vec![EventSubject::Object { bucket, key }]))
        }
        _ => Err(UnknownEvent::new(format!("source {source:?} with detail-type {kind:?}"))),
    }
}

/// Whether a push only made a pin say what pins say. Every pin is a push, and would else be looked at once more.
fn is_own_pin(detail: &Map<String, Value>) -> bool {
    let said = |name| detail.get(name).and_then(Value::as_str);
    let pin = || Pin::read(&said("image-tag")?.parse().ok()?);
    let digest = || said("image-digest")?.parse::<Digest>().ok();
    said("action-type") == Some("PUSH") && matches!((pin(), digest()), (Some(pin), Some(digest)) if pin.names(&digest))
}

/// S3's own notifications: several at once, keys form-urlencoded (B80).
fn records(fields: &Map<String, Value>) -> Result<Trigger, UnknownEvent> {
    let Some(Value::Array(records)) = fields.get("Records") else {
        return Err(UnknownEvent::new("Records is no list"));
    };
    let mut places = Vec::new();
    for record in records {
        let Value::Object(record) = record else { return Err(UnknownEvent::new("a record is no object")) };
        let source = record.get("eventSource").or_else(|| record.get("EventSource")).and_then(Value::as_str);
        if source != Some("aws:s3") {
            let source = source.unwrap_or("nobody");
            return Err(UnknownEvent::new(format!(
                "a record is from {source:?}, and only those from \"aws:s3\" are read"
            )));
        }
        let s3 = object(record, "s3")?;
        let bucket = text(object(s3, "bucket")?, "name")?.to_owned();
        let encoded = text(object(s3, "object")?, "key")?;
        places.push(EventSubject::Object { bucket, key: key(&decoded(encoded)?)? });
    }
    if places.is_empty() {
        return Err(UnknownEvent::new("it has no records"));
    }
    Ok(Trigger::together(vec![Trigger::Happened(places)]))
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawManual {
    mode: Option<Mode>,
    source: Option<String>,
    repository: Option<String>,
    shard: Option<String>,
}

fn manual(event: &Value) -> Result<Trigger, UnknownEvent> {
    let raw: RawManual = serde_json::from_value(event.clone()).map_err(|error| UnknownEvent::new(error.to_string()))?;
    let wrong = |name: &'static str| move |error: String| UnknownEvent::new(format!("{name}: {error}"));
    let manual = Manual {
        mode: raw.mode,
        source: raw
            .source
            .map(|text| text.parse().map_err(|error| UnknownEvent::new(format!("source: {error}"))))
            .transpose()?,
        repository: raw
            .repository
            .map(|text| text.parse().map_err(|error| UnknownEvent::new(format!("repository: {error}"))))
            .transpose()?,
        shard: raw.shard.map(|text| text.parse().map_err(wrong("shard"))).transpose()?,
    };
    // An empty event is what a console sends by accident.
    if manual == Manual::default() {
        return Err(UnknownEvent::new("it says nothing; to look at everything, say {\"mode\": \"audit\"}"));
    }
    Ok(Trigger::Manual(manual))
}

/// `detail` as an object, whether it came as one or as its text (G150).
fn detail(fields: &Map<String, Value>) -> Result<Map<String, Value>, UnknownEvent> {
    let read = match fields.get("detail") {
        Some(Value::Object(detail)) => Some(detail.clone()),
        Some(Value::String(text)) => serde_json::from_str(text).ok(),
        _ => None,
    };
    read.ok_or_else(|| UnknownEvent::new("detail is no object"))
}

pub(super) fn object<'v>(fields: &'v Map<String, Value>, name: &str) -> Result<&'v Map<String, Value>, UnknownEvent> {
    fields
        .get(name)
        .and_then(Value::as_object)
        .ok_or_else(|| UnknownEvent::new(format!("{name} is missing, or no object")))
}

pub(super) fn text<'v>(fields: &'v Map<String, Value>, name: &str) -> Result<&'v str, UnknownEvent> {
    fields.get(name).and_then(Value::as_str).ok_or_else(|| UnknownEvent::new(format!("{name} is missing, or no text")))
}

fn key(text: &str) -> Result<Tag, UnknownEvent> {
    text.parse().map_err(|error| UnknownEvent::new(format!("object key: {error}")))
}

/// As in a form: `+` is a blank, `%2F` a slash.
fn decoded(text: &str) -> Result<String, UnknownEvent> {
    let broken = || UnknownEvent::new("an object's key is not form-urlencoded UTF-8");
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.bytes();
    while let Some(byte) = rest.next() {
        bytes.push(match byte {
            b'+' => b' ',
            b'%' => {
                let mut digit = || rest.next().and_then(|digit| char::from(digit).to_digit(16));
                let (high, low) = (digit().ok_or_else(broken)?, digit().ok_or_else(broken)?);
                u8::try_from(high << 4 | low).map_err(|_| broken())?
            }
            other => other,
        });
    }
    String::from_utf8(bytes).map_err(|_| broken())
}
