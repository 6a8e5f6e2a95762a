//! Delivery to SNS and EventBridge, with the AWS credential chain. The SDK retries by itself.

use std::time::Duration;

use aws_config::SdkConfig;
use aws_sdk_eventbridge::types::PutEventsRequestEntry;
use aws_sdk_sns::error::{ProvideErrorMetadata, SdkError};
use aws_sdk_sns::types::MessageAttributeValue;

use super::Undelivered;
use super::message::Message;
use crate::policy::AwsPlace;
use prodpin_net::aws::{self, NamesItself};

/// For one try.
const ATTEMPT: Duration = Duration::from_secs(15);
const TRIES: u32 = 5;

/// SNS takes a subject of at most this many characters.
const SUBJECT: usize = 100;

async fn config(place: &AwsPlace) -> SdkConfig {
    let retries = aws_config::retry::RetryConfig::standard().with_max_attempts(TRIES);
    let mut loader =
        aws::loader(place.region.as_deref(), None).timeout_config(aws::timeouts(ATTEMPT, None)).retry_config(retries);
    if let Some(endpoint) = &place.endpoint {
        loader = loader.endpoint_url(endpoint.as_str());
    }
    loader.load().await
}

/// Publishes the CloudEvent. Subscriptions can filter by severity.
pub(super) async fn sns(topic: &str, place: &AwsPlace, message: &Message) -> Result<(), Undelivered> {
    let client = {
        let config = aws_sdk_sns::config::Builder::from(&config(place).await).interceptor(NamesItself);
        aws_sdk_sns::Client::from_conf(config.build())
    };
    let text = |value: &str| MessageAttributeValue::builder().data_type("String").string_value(value).build();
    let severity = text(message.worst.as_str()).map_err(|error| Undelivered::final_(error.to_string()))?;
    let kind = text("application/cloudevents+json").map_err(|error| Undelivered::final_(error.to_string()))?;
    let mut publish = client
        .publish()
        .topic_arn(topic)
        .subject(message.title.chars().take(SUBJECT).collect::<String>())
        .message(&message.event)
        .message_attributes("severity", severity)
        .message_attributes("content-type", kind);
    if topic.ends_with(".fifo") {
        publish = publish.message_group_id("prodpin").message_deduplication_id(dedupe(&message.id));
    }
    publish.send().await.map(|_| ()).map_err(|error| failure("Publish", &error))
}

/// FIFO topics take letters, digits and punctuation without spaces, 128 of them.
fn dedupe(id: &str) -> String {
    id.chars().filter(char::is_ascii_graphic).take(128).collect()
}

/// Puts the facts on the bus. An event that the bus refuses comes back inside a 200 (F46).
pub(super) async fn eventbridge(bus: &str, place: &AwsPlace, message: &Message) -> Result<(), Undelivered> {
    let client = {
        let config = aws_sdk_eventbridge::config::Builder::from(&config(place).await).interceptor(NamesItself);
        aws_sdk_eventbridge::Client::from_conf(config.build())
    };
    let entry = PutEventsRequestEntry::builder()
        .event_bus_name(bus)
        .source("prodpin")
        .detail_type("prodpin findings")
        .detail(&message.data)
        .resources(&message.id)
        .build();
    let answer = client.put_events().entries(entry).send().await.map_err(|error| failure("PutEvents", &error))?;
    if answer.failed_entry_count() == 0 {
        return Ok(());
    }
    let why = answer.entries().iter().find_map(|entry| entry.error_code()).unwrap_or("no reason given");
    Err(Undelivered::final_(format!("PutEvents: the bus refused the event: {why}")))
}

fn failure<E, R>(call: &str, error: &SdkError<E, R>) -> Undelivered
where
    E: ProvideErrorMetadata + std::error::Error + 'static,
    R: std::fmt::Debug,
{
    let reason = match error.code() {
        Some(code) => format!("{call}: {code}: {}", error.message().unwrap_or("no further word")),
        None => format!("{call}: {}", chain(error)),
    };
    Undelivered::final_(reason)
}

/// What each error in the chain says, once: what it is made of is nobody's business.
fn chain(error: &dyn std::error::Error) -> String {
    let causes = std::iter::successors(Some(error), |error| error.source()).map(ToString::to_string);
    let mut said: Vec<String> = causes.collect();
    said.dedup();
    said.join(": ")
}
