//! Gauges as OTLP requests in JSON: opentelemetry-proto's `ExportMetricsServiceRequest` in the JSON mapping that OTLP/HTTP
//! defines (64-bit numbers as text, enumerations as numbers, lowerCamelCase).

use std::io;

use serde_json::{Value, json};

use crate::report::ascii_json;
use crate::report::metrics::Metrics;

/// Collectors refuse requests above a few MiB: so many samples are a tenth of that.
pub(super) const SAMPLES: usize = 1_000;

/// Collects samples into requests, and hands over each that is full.
pub(super) struct Requests<'a> {
    at: String,
    full: &'a mut dyn FnMut(String) -> io::Result<()>,
    gauge: (&'static str, &'static str),
    metrics: Vec<Value>,
    points: Vec<Value>,
    held: usize,
}

impl<'a> Requests<'a> {
    /// Of samples taken at that moment.
    pub(super) fn new(at: jiff::Timestamp, full: &'a mut dyn FnMut(String) -> io::Result<()>) -> Self {
        let at = at.as_nanosecond().to_string();
        Self { at, full, gauge: ("", ""), metrics: Vec::new(), points: Vec::new(), held: 0 }
    }

    /// Hands over the rest.
    pub(super) fn finish(mut self) -> io::Result<()> {
        self.close();
        self.hand_over()
    }

    fn close(&mut self) {
        if self.points.is_empty() {
            return;
        }
        let (name, description) = self.gauge;
        let points = std::mem::take(&mut self.points);
        self.metrics.push(json!({ "name": name, "description": description, "gauge": { "dataPoints": points } }));
    }

    fn hand_over(&mut self) -> io::Result<()> {
        if self.metrics.is_empty() {
            return Ok(());
        }
        let version = env!("CARGO_PKG_VERSION");
        let request = json!({ "resourceMetrics": [{
            "resource": { "attributes": [text("service.name", "prodpin"), text("service.version", version)] },
            "scopeMetrics": [{
                "scope": { "name": "prodpin", "version": version },
                "metrics": std::mem::take(&mut self.metrics),
            }],
        }] });
        self.held = 0;
        (self.full)(ascii_json(&request)?)
    }
}

impl Metrics for Requests<'_> {
    fn gauge(&mut self, name: &'static str, help: &'static str) -> io::Result<()> {
        self.close();
        self.gauge = (name, help);
        Ok(())
    }

    fn sample(&mut self, labels: &[(&'static str, &str)], value: f64) -> io::Result<()> {
        let attributes: Vec<Value> = labels.iter().map(|(key, value)| text(key, value)).collect();
        self.points.push(json!({ "attributes": attributes, "timeUnixNano": self.at, "asDouble": value }));
        self.held += 1;
        if self.held == SAMPLES {
            self.close();
            self.hand_over()?;
        }
        Ok(())
    }
}

fn text(key: &str, value: &str) -> Value {
    json!({ "key": key, "value": { "stringValue": value } })
}
