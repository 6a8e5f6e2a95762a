//! One message for each run and alert: as a CloudEvent for programs, as text for people.

use std::io;

use jiff::Timestamp;
use serde_json::{Value, json};

use super::choose::Choice;
use crate::model::{Digest, Finding, Severity};
use crate::outcome::report::RunSection;
use crate::policy::Alert;
use crate::report::{ascii_json, escape};

/// SNS and EventBridge take 256 KiB with everything around the message.
const LONGEST: usize = 200 << 10;

/// Findings in a message for people.
const IN_TEXT: usize = 15;

/// What is reported.
pub(super) struct Message {
    /// The same for every try, by whichever run, so that a receiver who got it twice can tell: two runs at once may tell
    /// the same, and an answer may be lost (I13).
    pub(super) id: String,
    /// The most severe of what is reported.
    pub(super) worst: Severity,
    /// The facts, as JSON.
    pub(super) data: String,
    /// The CloudEvent around them.
    pub(super) event: String,
    /// One line.
    pub(super) title: String,
    /// For Slack.
    pub(super) text: String,
}

impl Message {
    pub(super) fn new(alert: &Alert, run: &RunSection, choice: &Choice) -> io::Result<Self> {
        let id = id(alert, run, choice);
        let mut most = choice.shown.len();
        let (data, event) = loop {
            let facts = facts(alert, run, choice, most);
            let event = json!({
                "specversion": "1.0",
                "id": id,
                "source": format!("/prodpin/policy/{}", run.policy_sha256.hex()),
                "type": "prodpin.findings.v1",
                "time": run.finished.to_string(),
                "subject": alert.name,
                "datacontenttype": "application/json",
                "data": facts,
            });
            let (data, event) = (ascii_json(&facts)?, ascii_json(&event)?);
            // Names may be long; a message that nobody takes tells nobody.
            if event.len() <= LONGEST || most == 0 {
                break (data, event);
            }
            most /= 2;
        };
        let worst = choice.reported.iter().map(|(_, severity)| *severity).max().unwrap_or(Severity::Info);
        Ok(Self { id, worst, data, event, title: title(choice), text: text(run, choice) })
    }
}

impl Message {
    /// A message that says of itself that it is a test.
    pub(super) fn test(alert: &Alert, now: Timestamp) -> io::Result<Self> {
        let id = format!("{}/test-{}", alert.name, now.as_millisecond());
        let facts = json!({ "alert": alert.name, "threshold": alert.severity, "test": true });
        let event = json!({
            "specversion": "1.0",
            "id": id,
            "source": "/prodpin",
            "type": "prodpin.test.v1",
            "time": now.to_string(),
            "subject": alert.name,
            "datacontenttype": "application/json",
            "data": facts,
        });
        let title = format!("prodpin: a test of the alert {}", alert.name);
        let text = format!(
            "*{title}*\nNothing is wrong. Findings of severity {} or above will come this way.",
            alert.severity
        );
        Ok(Self { id, worst: Severity::Info, data: ascii_json(&facts)?, event: ascii_json(&event)?, title, text })
    }
}

fn id(alert: &Alert, run: &RunSection, choice: &Choice) -> String {
    let mut reported: Vec<String> =
        choice.reported.iter().map(|(name, severity)| format!("{name} {severity}")).collect();
    reported.sort_unstable();
    if choice.nameless > 0 {
        reported.push(run.id.to_string());
    }
    format!("{}/{}", alert.name, Digest::sha256(reported.join("\n").as_bytes()).hex())
}

fn facts(alert: &Alert, run: &RunSection, choice: &Choice, most: usize) -> Value {
    let shown = &choice.shown[..most];
    let mut facts = json!({
        "alert": alert.name,
        "threshold": alert.severity,
        "run": run,
        "counts": choice.counts,
        "findings": shown,
        "more": choice.len().saturating_sub(shown.len() as u64),
    });
    if choice.earlier > 0 {
        facts["earlier"] = json!({ "findings": choice.earlier, "runs": choice.earlier_runs });
    }
    facts
}

fn title(choice: &Choice) -> String {
    let counts = Severity::ALL.into_iter().rev().map(|severity| (severity, choice.counts.with_severity(severity)));
    let counts: Vec<String> =
        counts.filter(|(_, count)| *count > 0).map(|(severity, count)| format!("{count} {severity}")).collect();
    let things = if choice.counts.at_least(Severity::Info) == 1 { "finding" } else { "findings" };
    format!("prodpin: {} {things}", counts.join(", "))
}

/// Slack's mark-up, which others take too. What comes from registries stands in code spans, in which nobody is
/// mentioned and nothing is a link.
fn text(run: &RunSection, choice: &Choice) -> String {
    let mut lines = vec![format!("*{}*", title(choice))];
    lines.extend(choice.shown.iter().take(IN_TEXT).map(line));
    let more = choice.len().saturating_sub(IN_TEXT as u64);
    if more > 0 {
        lines.push(format!("… and {more} more"));
    }
    if choice.earlier > 0 {
        let last = choice.earlier_runs.first().map_or_else(String::new, |run| format!(", the last of them `{run}`"));
        lines.push(format!("{} of these are from earlier runs{last}: they could not be told then.", choice.earlier));
    }
    if !run.complete {
        lines.push("The run was incomplete: there may be more.".to_owned());
    }
    let commit = run.ledger.as_ref().map_or_else(String::new, |ledger| format!(", ledger `{}`", ledger.position()));
    lines.push(format!("Run `{}`{commit}. All of it: `prodpin report --run {}`", run.id, run.id));
    lines.join("\n")
}

fn line(finding: &Finding) -> String {
    let about =
        finding.repository.as_ref().map(|name| name.as_str()).or(finding.source.as_ref().map(|source| source.as_str()));
    let about = about.map_or_else(String::new, |about| format!(" {}", escape::markdown_name(about, 80)));
    let said = format!("• {} `{}`{about}: {}", finding.severity, finding.code, escape::markdown(&finding.message));
    // The three that Slack gives a meaning. `<` and `>` are escapes already; this is for what is not.
    said.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;")
}
