//! What Argo Rollouts shows of the release that a Rollout brings in: whether it was promoted, and how its analyses ended.

use std::sync::Arc;

use serde::Deserialize;

use super::objects::{TemplatedStatus, nullable};
use prodpin_core::model::{Analysis, AnalysisOutcome, Delivery, Stage};

/// The analyses of a canary.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub(super) struct CanaryRuns {
    current_step_analysis_run_status: Option<Run>,
    current_background_analysis_run_status: Option<Run>,
}

/// Those before and after a blue-green switch.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub(super) struct BlueGreenRuns {
    pre_promotion_analysis_run_status: Option<Run>,
    post_promotion_analysis_run_status: Option<Run>,
}

#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default)]
struct Run {
    #[serde(deserialize_with = "nullable")]
    status: String,
    #[serde(deserialize_with = "nullable")]
    message: String,
}

/// How far it came; none of what shows no rollout.
pub(super) fn delivery(status: &TemplatedStatus) -> Option<Delivery> {
    let (current, stable) = (status.current_pod_hash.as_deref()?, status.stable_rs.as_deref().unwrap_or_default());
    let stage = match status.phase.as_str() {
        _ if status.abort => Stage::GivenUp,
        "Degraded" => Stage::Degraded,
        // A first release has no stable one beside it.
        _ if stable.is_empty() || current == stable => Stage::Over,
        _ => Stage::Underway,
    };
    let runs = [
        &status.canary.current_step_analysis_run_status,
        &status.canary.current_background_analysis_run_status,
        &status.blue_green.post_promotion_analysis_run_status,
        &status.blue_green.pre_promotion_analysis_run_status,
    ];
    let analyses = runs.into_iter().flatten().filter_map(analysis);
    let gravest = analyses.max_by_key(|analysis| weight(analysis.outcome));
    // Once aborted, it may show nothing but its message.
    let analysis = gravest.or_else(|| {
        let metric = metric(&status.message).filter(|_| stage == Stage::GivenUp)?;
        Some(Analysis { outcome: AnalysisOutcome::Failed, metric: Some(metric) })
    });
    Some(Delivery { stage, analysis })
}

fn analysis(run: &Run) -> Option<Analysis> {
    let outcome = match run.status.as_str() {
        "Pending" | "Running" => AnalysisOutcome::Running,
        "Successful" => AnalysisOutcome::Successful,
        "Failed" => AnalysisOutcome::Failed,
        "Error" => AnalysisOutcome::Error,
        "Inconclusive" => AnalysisOutcome::Inconclusive,
        _ => return None,
    };
    Some(Analysis { outcome, metric: metric(&run.message) })
}

fn weight(outcome: AnalysisOutcome) -> u8 {
    match outcome {
        AnalysisOutcome::Successful => 0,
        AnalysisOutcome::Running => 1,
        AnalysisOutcome::Inconclusive => 2,
        AnalysisOutcome::Error => 3,
        AnalysisOutcome::Failed => 4,
    }
}

/// The metric in `Metric "error-rate" assessed Failed due to failed (1) > failureLimit (0)`.
fn metric(message: &str) -> Option<Arc<str>> {
    let lower = message.to_ascii_lowercase();
    let start = lower.find("metric \"")? + "metric \"".len();
    let (name, rest) = message.get(start..)?.split_once('"')?;
    let plain = |byte: u8| byte.is_ascii_graphic() || byte == b' ';
    let is_name = (1..=100).contains(&name.len()) && name.bytes().all(plain);
    (is_name && rest.starts_with(" assessed ")).then(|| name.into())
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn told(status: &Value) -> Option<(Stage, Option<String>)> {
        let status: TemplatedStatus = serde_json::from_value(status.clone()).unwrap();
        delivery(&status).map(|it| (it.stage, it.analysis.map(|analysis| analysis.sentence())))
    }

    #[test]
    fn what_a_rollout_shows_of_its_analyses_is_told() {
        let failed = r#"Metric "error-rate" assessed Failed due to failed (1) > failureLimit (0)"#;
        let aborted = format!(
            "RolloutAborted: Rollout aborted update to revision 3: Step-based analysis phase error/failed: {failed}"
        );
        let run = |status: &str, message: &str| json!({ "name": "api-7d-3-1", "status": status, "message": message });
        let both = |more: Value| {
            let mut status = json!({ "currentPodHash": "b", "stableRS": "a" });
            status.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
            status
        };
        let cases = [
            (json!({}), None),
            (json!({ "readyReplicas": 2 }), None),
            (json!({ "currentPodHash": "a", "stableRS": "a", "phase": "Healthy" }), Some((Stage::Over, None))),
            (json!({ "currentPodHash": "a", "phase": "Progressing" }), Some((Stage::Over, None))),
            (both(json!({ "canary": null, "blueGreen": null })), Some((Stage::Underway, None))),
            (
                both(json!({ "canary": { "currentStepAnalysisRunStatus": run("Running", "") } })),
                Some((Stage::Underway, Some("an analysis is running"))),
            ),
            (
                both(json!({ "abort": true, "phase": "Degraded",
                             "canary": { "currentBackgroundAnalysisRunStatus": run("Successful", ""),
                                         "currentStepAnalysisRunStatus": run("Failed", failed) } })),
                Some((Stage::GivenUp, Some("last analysis failed: error-rate"))),
            ),
            (
                both(json!({ "abort": true, "message": aborted })),
                Some((Stage::GivenUp, Some("last analysis failed: error-rate"))),
            ),
            (both(json!({ "abort": true, "message": "by hand" })), Some((Stage::GivenUp, None))),
            (
                both(json!({ "blueGreen": { "prePromotionAnalysisRunStatus": run("Inconclusive", "no verdict") } })),
                Some((Stage::Underway, Some("last analysis was inconclusive, and waits for a person"))),
            ),
            (
                both(json!({ "phase": "Degraded", "message": "ProgressDeadlineExceeded: timed out" })),
                Some((Stage::Degraded, None)),
            ),
            // A message holds whatever somebody called a metric.
            (
                both(
                    json!({ "canary": { "currentStepAnalysisRunStatus": run("Failed", "Metric \"\u{1b}[2J\" assessed Failed") } }),
                ),
                Some((Stage::Underway, Some("last analysis failed"))),
            ),
        ];
        for (status, expected) in cases {
            let expected = expected.map(|(stage, said)| (stage, said.map(str::to_owned)));
            assert_eq!(told(&status), expected, "{status}");
        }
    }
}
