//! Metrics of a run, pushed to an OpenTelemetry collector by OTLP over HTTP, where the variables that OpenTelemetry
//! defines for it name one.
//!
//! Metrics are a convenience beside the report and the alerts, so a collector that does not answer is reported as a warning
//! and costs the run nothing but a bounded wait.

mod otlp;

use std::io;
use std::time::Duration;

use reqwest::header::{HeaderMap, HeaderName, HeaderValue};
use tokio::time::Instant;
use url::Url;

use self::otlp::Requests;
use crate::policy::Secret;
use crate::report::body::Report;
use crate::report::metrics::measure;

/// All requests of a run together take no longer than this.
const LONGEST: Duration = Duration::from_secs(30);

/// For one request: what OpenTelemetry takes where nothing is said.
const REQUEST: Duration = Duration::from_secs(10);

/// Tries of one request, and the first wait between them, which doubles.
const TRIES: u32 = 3;
const FIRST_WAIT: Duration = Duration::from_millis(250);

/// Where metrics go.
#[derive(Debug)]
pub struct Collector {
    url: Url,
    headers: HeaderMap,
}

impl Collector {
    /// What the variables say; none if they name no collector.
    pub fn from_variables(environment: &dyn Fn(&str) -> Option<String>) -> Result<Option<Self>, String> {
        let said = |name: &str| {
            let (own, common) = (format!("OTEL_EXPORTER_OTLP_METRICS_{name}"), format!("OTEL_EXPORTER_OTLP_{name}"));
            [(own, true), (common, false)].into_iter().find_map(|(name, own)| {
                let value = environment(&name).filter(|value| !value.trim().is_empty())?;
                Some((name, value, own))
            })
        };
        let off = |name, value: &str| environment(name).is_some_and(|said| said.trim().eq_ignore_ascii_case(value));
        let Some((name, text, own)) = said("ENDPOINT") else { return Ok(None) };
        if off("OTEL_SDK_DISABLED", "true") || off("OTEL_METRICS_EXPORTER", "none") {
            return Ok(None);
        }
        if let Some((name, protocol, _)) = said("PROTOCOL").filter(|(_, protocol, _)| !protocol.starts_with("http/")) {
            return Err(format!("{name} is {protocol:?}, and prodpin speaks OTLP over HTTP only: write http/json"));
        }
        // The address may hold a password, so no message repeats it (I18).
        let mut url: Url = text.trim().parse().map_err(|_| format!("{name} is no URL: write http://HOST:4318"))?;
        if !matches!(url.scheme(), "http" | "https") || url.host().is_none() {
            return Err(format!("{name} is no HTTP address: write http://HOST:4318"));
        }
        if !own {
            let path = format!("{}/v1/metrics", url.path().trim_end_matches('/'));
            url.set_path(&path);
        }
        let headers = match said("HEADERS") {
            Some((name, text, _)) => headers(&Secret::new(text)).ok_or_else(|| {
                format!("{name} is no list of headers: write key=value,key2=value2, with percent-encoded values")
            })?,
            None => HeaderMap::new(),
        };
        Ok(Some(Self { url, headers }))
    }

    /// Pushes a run's metrics, one request in memory at a time. Why they did not arrive, if they did not. Needs a runtime
    /// with more than one thread: rows are read, and each request waited for, on this one.
    /// `by`: when it is too late for anything.
    pub fn push(&self, report: &Report, by: Option<std::time::Instant>) -> Result<(), String> {
        let client = reqwest::Client::builder()
            .user_agent(prodpin_net::http::USER_AGENT)
            .redirect(reqwest::redirect::Policy::none())
            .timeout(REQUEST)
            .build()
            .map_err(|error| error.without_url().to_string())?;
        let longest = Instant::now() + LONGEST;
        let by = by.map_or(longest, |by| longest.min(by.into()));
        let late = || "the collector did not take them in time".to_owned();
        let runtime = tokio::runtime::Handle::current();
        let send = |request| {
            let sent = async { tokio::time::timeout_at(by, self.post(&client, request)).await };
            runtime.block_on(sent).unwrap_or_else(|_| Err(late())).map_err(io::Error::other)
        };
        let pushed = tokio::task::block_in_place(|| {
            let mut send = send;
            let mut requests = Requests::new(report.run.finished, &mut send);
            measure(report, &mut requests)?;
            requests.finish()
        });
        pushed.map_err(|error| error.to_string())
    }

    async fn post(&self, client: &reqwest::Client, request: String) -> Result<(), String> {
        let mut wait = FIRST_WAIT;
        for attempt in 1.. {
            let sent = client
                .post(self.url.clone())
                .headers(self.headers.clone())
                .header(reqwest::header::CONTENT_TYPE, "application/json")
                .body(request.clone())
                .send()
                .await;
            let (passing, reason) = match sent {
                Ok(answer) if answer.status().is_success() => return Ok(()),
                Ok(answer) => (
                    matches!(answer.status().as_u16(), 429 | 502..=504),
                    format!("the collector answered {}", answer.status()),
                ),
                Err(error) => (true, format!("the collector was not reached: {}", innermost(&error.without_url()))),
            };
            if !passing || attempt >= TRIES {
                return Err(reason);
            }
            tokio::time::sleep(wait).await;
            wait *= 2;
        }
        unreachable!("the last try returns")
    }
}

/// `key=value,key2=value2`, values percent-encoded (W3C Baggage, as OpenTelemetry has it).
fn headers(text: &Secret) -> Option<HeaderMap> {
    let mut headers = HeaderMap::new();
    for pair in text.expose().split(',').filter(|pair| !pair.trim().is_empty()) {
        let (name, value) = pair.split_once('=')?;
        let value = percent_encoding::percent_decode_str(value.trim()).decode_utf8().ok()?;
        let mut value = HeaderValue::try_from(value.as_ref()).ok()?;
        value.set_sensitive(true);
        headers.append(HeaderName::try_from(name.trim()).ok()?, value);
    }
    Some(headers)
}

/// The innermost reason says most, and none of them holds the address.
fn innermost(error: &reqwest::Error) -> String {
    let mut reason: &dyn std::error::Error = error;
    while let Some(inner) = reason.source() {
        reason = inner;
    }
    reason.to_string()
}
