//! Delivery over HTTPS: no redirect is followed, no answer is read, and no error repeats the address (I18).

use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use reqwest::header::{CONTENT_TYPE, HeaderMap, HeaderName, HeaderValue};
use serde_json::json;
use url::Url;

use super::dial::Dialer;
use super::message::Message;
use super::{Undelivered, sign};
use crate::policy::Secret;
use crate::report::ascii_json;

/// Tries of one delivery, and the first wait between them, which doubles.
const TRIES: u32 = 5;
const FIRST_WAIT: Duration = Duration::from_millis(500);

/// For one try.
const CONNECT: Duration = Duration::from_secs(10);
const REQUEST: Duration = Duration::from_secs(15);

/// Posts the signed CloudEvent.
pub(super) async fn webhook(
    url: &Secret,
    secret: &Secret,
    private: bool,
    message: &Message,
) -> Result<(), Undelivered> {
    let headers = || {
        // Of this try: receivers refuse what was signed long ago.
        let now = Timestamp::now().as_second();
        let signature = sign::signature(secret, &message.id, now, &message.event)
            .ok_or_else(|| Undelivered::final_("its secret begins with whsec_ and is not base64"))?;
        headers(&[
            ("content-type", "application/cloudevents+json; charset=utf-8"),
            ("webhook-id", &message.id),
            ("webhook-timestamp", &now.to_string()),
            ("webhook-signature", &signature),
        ])
    };
    post(url, private, &message.event, headers).await
}

/// Posts the text.
pub(super) async fn slack(url: &Secret, private: bool, message: &Message) -> Result<(), Undelivered> {
    let body = ascii_json(&json!({ "text": message.text })).map_err(|error| Undelivered::final_(error.to_string()))?;
    post(url, private, &body, || headers(&[(CONTENT_TYPE.as_str(), "application/json; charset=utf-8")])).await
}

/// Header values are checked here: one with a line break in it is refused (F79).
pub(super) fn headers(pairs: &[(&str, &str)]) -> Result<HeaderMap, Undelivered> {
    let mut headers = HeaderMap::new();
    for (name, value) in pairs {
        let name = HeaderName::try_from(*name).map_err(|_| Undelivered::final_("a header's name is malformed"))?;
        let value = HeaderValue::try_from(*value).map_err(|_| Undelivered::final_("a header's value is malformed"))?;
        headers.insert(name, value);
    }
    Ok(headers)
}

pub(super) async fn post(
    url: &Secret,
    private: bool,
    body: &str,
    headers: impl Fn() -> Result<HeaderMap, Undelivered>,
) -> Result<(), Undelivered> {
    let url: Url = url.expose().parse().map_err(|_| Undelivered::final_("its address is malformed"))?;
    let dialer = Dialer::new(private);
    dialer.check(&url)?;
    let mut builder = reqwest::Client::builder()
        .user_agent(prodpin_net::http::USER_AGENT)
        .redirect(reqwest::redirect::Policy::none())
        .referer(false)
        .connect_timeout(CONNECT)
        .timeout(REQUEST)
        .dns_resolver(Arc::new(dialer));
    if url.scheme() == "http" {
        // Only this machine is reached without TLS, and never through another one.
        builder = builder.no_proxy();
    }
    let client = builder.build().map_err(|error| Undelivered::final_(error.without_url().to_string()))?;
    let mut wait = FIRST_WAIT;
    for attempt in 1.. {
        let sent = client.post(url.clone()).headers(headers()?).body(body.to_owned()).send().await;
        let outcome = sent.map_err(of_error).and_then(|answer| of_status(answer.status()));
        match outcome {
            Err(undelivered) if undelivered.passing && attempt < TRIES => {
                tracing::debug!(attempt, "an alert is tried again: {}", undelivered.reason);
                tokio::time::sleep(wait).await;
                wait *= 2;
            }
            other => return other,
        }
    }
    unreachable!("the last try returns")
}

fn of_status(status: reqwest::StatusCode) -> Result<(), Undelivered> {
    match status.as_u16() {
        200..=299 => Ok(()),
        300..=399 => Err(Undelivered::final_(format!("its host answered {status}, and no redirect is followed"))),
        408 | 425 | 429 | 500..=599 => Err(Undelivered::passing(format!("its host answered {status}"))),
        _ => Err(Undelivered::final_(format!("its host answered {status}"))),
    }
}

fn of_error(error: reqwest::Error) -> Undelivered {
    let error = error.without_url();
    // The innermost reason says most, and none of them holds the path or a header.
    let mut reason: &dyn std::error::Error = &error;
    while let Some(inner) = reason.source() {
        reason = inner;
    }
    let reason = format!("its host was not reached: {reason}");
    if error.is_builder() { Undelivered::final_(reason) } else { Undelivered::passing(reason) }
}
