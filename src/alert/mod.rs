//! Alerts: what a run found, told to whom it concerns, once, and again only when it worsens.
//!
//! After the commit and never before it (I10): an alert names the position at which the ledger holds what it tells.
//! `choose` decides purely what is news; `message` words it; `post` and `aws` deliver it; what was delivered is an event
//! in the ledger, so that the next run knows. A delivery that fails is not recorded, so the next run tries again, and
//! this one does not end well. What is the case still is then; what only happened is in the `outbox`, by the commit that closes
//! the run, before anything is delivered.

mod aws;
mod choose;
mod dial;
mod message;
mod outbox;
mod page;
mod post;
mod sign;

use std::time::{Duration, Instant};

use jiff::Timestamp;

use self::choose::{Choice, choose};
use self::message::Message;
use self::outbox::Backlog;
pub(crate) use self::outbox::Passing;
use crate::ledger::{Access, Ledger, LedgerError};
use crate::model::{Entry, Event, RunId};
use crate::policy::{Alert, Channel, Policy};
use crate::report::body::Report;

/// All deliveries of a run together take no longer than this, retries included.
const LONGEST: Duration = Duration::from_secs(60);

/// What is left at the end for recording who was reported; less where there is little time at all.
const RECORDING: Duration = Duration::from_secs(3);

/// So many findings go into one event of the ledger.
const FINDINGS_PER_EVENT: usize = 1_000;

/// Why an alert was not delivered. It names no address: that may hold a secret (I18).
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Undelivered {
    /// What happened.
    pub(crate) reason: String,
    /// Whether another try might do better.
    pub(crate) passing: bool,
}

impl Undelivered {
    fn final_(reason: impl Into<String>) -> Self {
        Self { reason: reason.into(), passing: false }
    }

    fn passing(reason: impl Into<String>) -> Self {
        Self { reason: reason.into(), passing: true }
    }
}

/// Why not everybody was reported.
#[derive(Debug, thiserror::Error)]
pub enum AlertError {
    /// There is no committed position to name.
    #[error("alerts need a ledger: what they tell must be on record, and told once; keep one, or remove `alerts:`")]
    NoLedger,
    /// What was reported before could not be read, or what was reported now not be recorded.
    #[error("alerts: {0}")]
    Ledger(#[from] LedgerError),
    /// The report could not be read back.
    #[error("alerts: the report could not be read back: {0}")]
    Report(#[from] std::io::Error),
    /// The ledger's store does not answer.
    #[error(
        "alerts: the ledger did not answer in time; what was not told, or not recorded as told, the next run tells"
    )]
    OutOfTime,
    /// These were not delivered.
    #[error("not everybody was told: {}; the next run tries again", .0.join("; "))]
    Undelivered(Vec<String>),
}

/// How many findings each alert told.
pub type ReportedCounts = Vec<(Box<str>, u64)>;

/// Tells what is news, by every alert of the policy, before this moment at the latest.
pub async fn tell(policy: &Policy, report: &Report, by: Option<Instant>) -> Result<ReportedCounts, AlertError> {
    if policy.alerts.is_empty() {
        return Ok(Vec::new());
    }
    let open = Ledger::open_with(&policy.ledger, &policy.safeguards, Access::Write);
    let ledger = in_time(latest(by), open).await?;
    tell_from(policy, report, &ledger, by).await
}

/// The same, recorded in a ledger that is open.
pub(crate) async fn tell_from(
    policy: &Policy,
    report: &Report,
    ledger: &Ledger,
    by: Option<Instant>,
) -> Result<ReportedCounts, AlertError> {
    if policy.alerts.is_empty() {
        return Ok(Vec::new());
    }
    if report.run.ledger.is_none() {
        return Err(AlertError::NoLedger);
    }
    let (now, by) = (Instant::now(), latest(by));
    // Another run may have told some of it meanwhile.
    in_time(by, ledger.look_again()).await?;
    // Who was reported is recorded in what is left after that.
    let delivered_by = by - RECORDING.min(by.saturating_duration_since(now) / 5);
    let backlog = Backlog::load(ledger, &policy.alerts);
    let (mut reported, mut failed) = (Vec::new(), Vec::new());
    let deliveries = policy.alerts.iter().map(async |alert| {
        let mut choice = choose(report, alert.severity, &ledger.reported(&alert.name))?;
        backlog.add_to(&mut choice, alert, policy, report, ledger, delivered_by).await;
        Ok::<_, std::io::Error>((alert, deliver(alert, report, choice, delivered_by).await?))
    });
    for outcome in futures::future::join_all(deliveries).await {
        match outcome? {
            (alert, Ok(choice)) => {
                reported.push((alert.name.clone(), choice.len()));
                let sent = entries(&report.run.id, &alert.name, choice, backlog.delivered_until(&alert.name));
                in_time(by, ledger.commit(sent)).await?;
            }
            (alert, Err(undelivered)) => {
                tracing::error!(alert = %alert.name, "alert {} was not delivered: {}", alert.name, undelivered.reason);
                failed.push(format!("alert {}: {}", alert.name, undelivered.reason));
            }
        }
    }
    if failed.is_empty() {
        for (gone, delivered) in backlog.inherited() {
            let sent = entries(&report.run.id, gone, Choice::default(), Some(delivered));
            in_time(by, ledger.commit(sent)).await?;
        }
        Ok(reported)
    } else {
        Err(AlertError::Undelivered(failed))
    }
}

/// When all deliveries are over at the latest.
fn latest(by: Option<Instant>) -> Instant {
    let longest = Instant::now() + LONGEST;
    by.map_or(longest, |by| by.min(longest))
}

/// Not past this moment: a store that hangs must not hold up the end of a run (I20).
async fn in_time<T>(by: Instant, work: impl Future<Output = Result<T, LedgerError>>) -> Result<T, AlertError> {
    let done = tokio::time::timeout_at(by.into(), work).await.map_err(|_| AlertError::OutOfTime)?;
    Ok(done?)
}

/// Delivers what there is to tell; nothing is delivered at once.
async fn deliver(
    alert: &Alert,
    report: &Report,
    choice: Choice,
    by: Instant,
) -> Result<Result<Choice, Undelivered>, std::io::Error> {
    if choice.len() == 0 {
        return Ok(Ok(choice));
    }
    let message = Message::new(alert, &report.run, &choice)?;
    Ok(send(alert, &message, by).await.map(|()| choice))
}

async fn send(alert: &Alert, message: &Message, by: Instant) -> Result<(), Undelivered> {
    let sent = async {
        match &alert.channel {
            Channel::Webhook { url, secret, private } => post::webhook(url, secret, *private, message).await,
            Channel::Slack { url, private } => post::slack(url, *private, message).await,
            Channel::PagerDuty(pager) => page::pagerduty(pager, message).await,
            Channel::Opsgenie(pager) => page::opsgenie(pager, message).await,
            Channel::Sns { topic, aws } => aws::sns(topic, aws, message).await,
            Channel::EventBridge { bus, aws } => aws::eventbridge(bus, aws, message).await,
        }
    };
    let sent = tokio::time::timeout_at(by.into(), sent).await;
    sent.unwrap_or_else(|_| Err(Undelivered::passing("no answer before the time for alerts was over")))
}

/// Sends a message that says it is a test, before this moment at the latest. The error is why it was not taken.
pub async fn send_test(alert: &Alert, by: Instant) -> Result<(), String> {
    let message = Message::test(alert, Timestamp::now()).map_err(|error| error.to_string())?;
    send(alert, &message, by).await.map_err(|undelivered| undelivered.reason)
}

/// What the ledger keeps of a delivery. That its outbox is delivered is in the last of these.
fn entries(run: &RunId, alert: &str, choice: Choice, delivered: Option<u64>) -> Vec<Entry> {
    let at = Timestamp::now();
    let entry = |reported: Vec<_>, forgotten: Vec<_>, delivered| Entry {
        run: run.clone(),
        at,
        repository: None,
        event: Event::AlertSent { alert: alert.into(), reported, forgotten, delivered },
    };
    let reported =
        choice.reported.chunks(FINDINGS_PER_EVENT).map(|reported| entry(reported.to_vec(), Vec::new(), None));
    let forgotten =
        choice.forgotten.chunks(FINDINGS_PER_EVENT).map(|forgotten| entry(Vec::new(), forgotten.to_vec(), None));
    let delivered = delivered.map(|delivered| entry(Vec::new(), Vec::new(), Some(delivered)));
    reported.chain(forgotten).chain(delivered).collect()
}
