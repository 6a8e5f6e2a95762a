//! How an event came: by itself, or as messages of SNS or SQS that carry it. Pure.
//!
//! ```text
//! SQS batch ─► message ─┬────────────────────────► event
//!                       └─► SNS notification ─────► event
//! SNS ─────────────────────► notification ────────► event
//! ```
//!
//! Nothing delivers deeper than that, so nothing deeper is read.

use std::borrow::Cow;

use serde::Serialize;
use serde_json::{Map, Value};

use super::event::{Trigger, UnknownEvent, object, text};

/// What an invocation delivers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Delivery {
    /// What its messages come to, taken together.
    pub trigger: Trigger,
    /// How many messages of a queue there were; none if it came otherwise. They go back to the queue if the invocation
    /// fails.
    pub queued: Option<usize>,
    /// The messages of the queue that were not understood.
    pub refused: Vec<RejectedMessage>,
}

/// A message that was not understood. The others are answered all the same: one that nobody can read would else hold up
/// those beside it until the queue gives up on all of them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RejectedMessage {
    /// Its id in the queue.
    pub message: String,
    /// Why.
    pub error: UnknownEvent,
}

/// Names a message that is to go back to the queue, in Lambda's words.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct ItemFailure {
    #[serde(rename = "itemIdentifier")]
    message: String,
}

impl From<&RejectedMessage> for ItemFailure {
    fn from(refused: &RejectedMessage) -> Self {
        Self { message: refused.message.clone() }
    }
}

/// The largest batch that a queue hands over.
const MESSAGES: usize = 10_000;

/// No queue and no topic takes a larger message.
const LONGEST: usize = 1 << 20;

/// Lambda's ids are UUIDs; what is longer is none, and is not repeated in a log.
const LONGEST_ID: usize = 100;

impl Delivery {
    /// Reads an event of any shape that there is, out of whatever it came in.
    pub fn read(event: &Value) -> Result<Self, UnknownEvent> {
        let direct = |trigger| Self { trigger, queued: None, refused: Vec::new() };
        match event.get("Records") {
            Some(Value::Array(records)) => match service(records)? {
                "aws:sqs" => queue(records),
                "aws:sns" => topic(records).map(direct),
                _ => Trigger::read(event).map(direct),
            },
            _ => Trigger::read(event).map(direct),
        }
    }
}

/// Who all of the records are from. No service mixes its own with another's.
fn service(records: &[Value]) -> Result<&str, UnknownEvent> {
    if records.len() > MESSAGES {
        return Err(UnknownEvent::new(format!("{} records, and no service sends more than {MESSAGES}", records.len())));
    }
    let first = records.first().map_or("", from);
    if records.iter().any(|record| from(record) != first) {
        return Err(UnknownEvent::new("its records are from several services"));
    }
    Ok(first)
}

/// SNS begins the word with a capital.
fn from(record: &Value) -> &str {
    let source = record.get("eventSource").or_else(|| record.get("EventSource"));
    source.and_then(Value::as_str).unwrap_or("nobody")
}

fn queue(records: &[Value]) -> Result<Delivery, UnknownEvent> {
    let (mut triggers, mut refused) = (Vec::new(), Vec::new());
    for record in records {
        let Value::Object(record) = record else { return Err(UnknownEvent::new("a record is no object")) };
        // Without an id it cannot be given back alone, so all of them are.
        let message = text(record, "messageId")?;
        if message.is_empty() || message.len() > LONGEST_ID {
            return Err(UnknownEvent::new("a message's messageId is none"));
        }
        match text(record, "body").and_then(carried).and_then(|event| in_queue(&event)) {
            Ok(trigger) => triggers.push(trigger),
            Err(error) => refused.push(RejectedMessage { message: message.to_owned(), error }),
        }
    }
    Ok(Delivery { trigger: Trigger::together(triggers), queued: Some(records.len()), refused })
}

/// A message's body: the event itself, or the notification of a topic that feeds the queue without raw delivery.
fn in_queue(event: &Value) -> Result<Trigger, UnknownEvent> {
    match event {
        Value::Object(fields) if fields.contains_key("TopicArn") => notification(fields),
        event => reported(event),
    }
}

/// SNS hands over one notification at a time, but in a list.
fn topic(records: &[Value]) -> Result<Trigger, UnknownEvent> {
    let triggers = records.iter().map(|record| match record {
        Value::Object(record) => notification(object(record, "Sns")?),
        _ => Err(UnknownEvent::new("a record is no object")),
    });
    Ok(Trigger::together(triggers.collect::<Result<Vec<_>, _>>()?))
}

fn notification(fields: &Map<String, Value>) -> Result<Trigger, UnknownEvent> {
    let kind = text(fields, "Type")?;
    if kind != "Notification" {
        return Err(UnknownEvent::new(format!("a topic's message of type {kind:?}, which carries no event")));
    }
    reported(&carried(text(fields, "Message")?)?)
}

/// An event that a message carries. Nobody waits for what a queue or a topic delivers, so nothing can be asked there; and
/// who may write to one need not be whom the function's policy lets invoke it.
fn reported(event: &Value) -> Result<Trigger, UnknownEvent> {
    match Trigger::read(event).map_err(UnknownEvent::in_a_message)? {
        Trigger::Manual(_) => {
            Err(UnknownEvent::new("a message asks for a run by hand, which only who invokes the function can"))
        }
        trigger => Ok(trigger),
    }
}

/// The JSON in a message.
fn carried(text: &str) -> Result<Value, UnknownEvent> {
    if text.len() > LONGEST {
        return Err(UnknownEvent::new(format!("a message of {} bytes, and none has more than {LONGEST}", text.len())));
    }
    serde_json::from_str(text).map_err(|error| {
        // What a stranger wrote is not repeated; where it broke is enough.
        let at: Cow<'_, str> = match (error.line(), error.column()) {
            (0, _) => "at its beginning".into(),
            (line, column) => format!("at line {line}, column {column}").into(),
        };
        UnknownEvent::new(format!("a message is no JSON, {at}"))
    })
}
