//! Services that call people: PagerDuty by its Events API v2, Opsgenie by its Alert API. Each takes one message as one incident,
//! and a second of the same id as the same one.

use serde_json::{Value, json};

use super::Undelivered;
use super::message::Message;
use super::post::{headers, post};
use crate::model::Severity;
use crate::policy::{Pager, Secret};
use crate::report::ascii_json;

/// What the services take at most, in characters.
const SUMMARY: usize = 1_024;
const TITLE: usize = 130;
const DESCRIPTION: usize = 15_000;

/// Opens an incident.
pub(super) async fn pagerduty(pager: &Pager, message: &Message) -> Result<(), Undelivered> {
    let severity = match message.worst {
        Severity::Critical => "critical",
        Severity::High => "error",
        Severity::Medium => "warning",
        Severity::Low | Severity::Info => "info",
    };
    let details: Value = serde_json::from_str(&message.data).map_err(|error| Undelivered::final_(error.to_string()))?;
    let event = json!({
        "routing_key": pager.key.expose(),
        "event_action": "trigger",
        "dedup_key": message.id,
        "client": "prodpin",
        "payload": {
            "summary": cut(&message.title, SUMMARY),
            "source": "prodpin",
            "severity": severity,
            "custom_details": details,
        },
    });
    deliver(pager, "v2/enqueue", &event, &[]).await
}

/// Opens an alert.
pub(super) async fn opsgenie(pager: &Pager, message: &Message) -> Result<(), Undelivered> {
    let priority = match message.worst {
        Severity::Critical => "P1",
        Severity::High => "P2",
        Severity::Medium => "P3",
        Severity::Low => "P4",
        Severity::Info => "P5",
    };
    let alert = json!({
        "message": cut(&message.title, TITLE),
        "alias": message.id,
        "description": cut(&message.text, DESCRIPTION),
        "priority": priority,
        "source": "prodpin",
        "tags": ["prodpin"],
    });
    let key = format!("GenieKey {}", pager.key.expose());
    deliver(pager, "v2/alerts", &alert, &[("authorization", &key)]).await
}

async fn deliver(pager: &Pager, path: &str, body: &Value, also: &[(&str, &str)]) -> Result<(), Undelivered> {
    let url = Secret::new(format!("{}/{path}", pager.url.as_str().trim_end_matches('/')));
    let body = ascii_json(body).map_err(|error| Undelivered::final_(error.to_string()))?;
    let with = [&[("content-type", "application/json; charset=utf-8")], also].concat();
    post(&url, pager.private, &body, || headers(&with)).await
}

fn cut(text: &str, most: usize) -> String {
    match text.char_indices().nth(most - 1) {
        Some((at, _)) if text[at..].chars().nth(1).is_some() => format!("{}…", &text[..at]),
        _ => text.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::cut;

    #[test]
    fn what_is_longer_than_a_service_takes_ends_with_an_ellipsis() {
        assert_eq!(cut("abc", 3), "abc");
        assert_eq!(cut("abcd", 3), "ab…");
        assert_eq!(cut("äöüß", 3), "äö…");
        assert_eq!(cut("", 3), "");
    }
}
