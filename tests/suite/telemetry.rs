//! Metrics pushed to a collector in this process.

use prodpin::model::Mode;
use prodpin::outcome::report::Row;
use prodpin::report::body::Report;
use prodpin::telemetry::Collector;
use serde_json::Value;

use crate::alerts::Receiver;
use crate::reports::{manifest, report, run, service, target};

fn report_of(services: usize) -> Report {
    let row = |number| {
        let name = format!("shop/api-{number:05}");
        Row { repository: Some(service("shop", &name, vec![target(1, manifest("a"), "v1")])), findings: Vec::new() }
    };
    report(run(Mode::Audit, true, true), (0..services).map(row))
}

fn collector(said: &[(&str, &str)]) -> Result<Option<Collector>, String> {
    Collector::from_variables(&|name| said.iter().find(|(key, _)| *key == name).map(|(_, value)| (*value).to_owned()))
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_sample_arrives_once_in_requests_of_bounded_size() {
    let receiver = Receiver::start(&[200]).await;
    let endpoint = format!("{}/otel/", receiver.url);
    let said = [
        ("OTEL_EXPORTER_OTLP_ENDPOINT", endpoint.as_str()),
        ("OTEL_EXPORTER_OTLP_HEADERS", "x-tenant=payments%20eu,authorization=Bearer%20t0ken"),
    ];
    let collector = collector(&said).unwrap().unwrap();
    assert_eq!(collector.push(&report_of(600), None), Ok(()));
    let requests = receiver.take();
    assert!(requests.len() > 1, "600 services have more samples than one request takes");
    let (mut pinned, mut services) = (Vec::new(), 0);
    for request in &requests {
        assert_eq!(request.path, "/otel/v1/metrics");
        assert_eq!(request.headers["content-type"], "application/json");
        assert_eq!(request.headers["x-tenant"], "payments eu");
        assert_eq!(request.headers["authorization"], "Bearer t0ken");
        let body: Value = serde_json::from_str(&request.body).unwrap();
        let metrics = body["resourceMetrics"][0]["scopeMetrics"][0]["metrics"].as_array().unwrap();
        let points =
            metrics.iter().map(|metric| metric["gauge"]["dataPoints"].as_array().unwrap().len()).sum::<usize>();
        assert!((1..=1_000).contains(&points), "{points}");
        for metric in metrics {
            let points = metric["gauge"]["dataPoints"].as_array().unwrap();
            match metric["name"].as_str().unwrap() {
                "prodpin_targets_pinned" => pinned.extend(points.iter().map(|point| point["asDouble"].as_f64())),
                "prodpin_service_targets" => services += points.len(),
                _ => {}
            }
            assert!(points.iter().all(|point| point["timeUnixNano"].as_str().is_some_and(|at| at.len() == 19)));
        }
    }
    assert_eq!(pinned, [Some(600.0)]);
    assert_eq!(services, 600);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_collector_that_stumbles_is_tried_again_and_one_that_refuses_is_told_without_its_address_i18() {
    let receiver = Receiver::start(&[503, 200]).await;
    let endpoint = format!("{}/v1/metrics?key=s3cret", receiver.url);
    let stumbles = collector(&[("OTEL_EXPORTER_OTLP_METRICS_ENDPOINT", &endpoint)]).unwrap().unwrap();
    assert_eq!(stumbles.push(&report_of(1), None), Ok(()));
    let requests = receiver.take();
    assert_eq!(requests.len(), 2);
    assert_eq!(requests[0].body, requests[1].body);
    assert_eq!(requests[0].path, "/v1/metrics?key=s3cret", "a variable of its own is taken as it stands");

    let receiver = Receiver::start(&[401]).await;
    let endpoint = format!("{}/?key=s3cret", receiver.url);
    let refuses = collector(&[("OTEL_EXPORTER_OTLP_METRICS_ENDPOINT", &endpoint)]).unwrap().unwrap();
    let reported = refuses.push(&report_of(1), None).unwrap_err();
    assert!(reported.contains("401") && !reported.contains("s3cret"), "{reported}");
    assert_eq!(receiver.take().len(), 1, "a refusal is not tried again");
}

#[test]
fn nothing_is_pushed_unless_asked_and_what_cannot_be_understood_is_named_without_its_value_i18() {
    assert!(collector(&[]).unwrap().is_none());
    let endpoint = ("OTEL_EXPORTER_OTLP_ENDPOINT", "http://otel:4318");
    assert!(collector(&[endpoint]).unwrap().is_some());
    assert!(collector(&[endpoint, ("OTEL_SDK_DISABLED", "true")]).unwrap().is_none());
    assert!(collector(&[endpoint, ("OTEL_METRICS_EXPORTER", "none")]).unwrap().is_none());
    for (name, value) in [
        ("OTEL_EXPORTER_OTLP_METRICS_ENDPOINT", "s3cret"),
        ("OTEL_EXPORTER_OTLP_METRICS_ENDPOINT", "file:///s3cret"),
        ("OTEL_EXPORTER_OTLP_HEADERS", "s3cret"),
        ("OTEL_EXPORTER_OTLP_HEADERS", "x=s3cret%0a"),
    ] {
        let reported = collector(&[endpoint, (name, value)]).unwrap_err();
        assert!(reported.contains(name) && !reported.contains("s3cret"), "{reported}");
    }
    let reported = collector(&[endpoint, ("OTEL_EXPORTER_OTLP_PROTOCOL", "grpc")]).unwrap_err();
    assert!(reported.contains("http/json"), "{reported}");
}
