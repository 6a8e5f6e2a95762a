//! The function as it was deployed, and one invocation of it.

use std::sync::Arc;
use std::time::{Duration, Instant};

use futures::FutureExt as _;
use jiff::Timestamp;
use serde_json::Value;

use super::answer::{Answer, Reply, RunSummary};
use super::cover::{Wanted, wanted};
use super::delivery::{Delivery, ItemFailure, RejectedMessage};
use super::event::{Trigger, UnknownEvent};
use crate::alert::AlertError;
use crate::followup::follow_up;
use crate::model::Mode;
use crate::policy::{LedgerLocation, Policy, PolicyError, load, parse};
use crate::run::{Progress, RunError, RunOptions, Stop, run_and_keep};
use crate::telemetry::Collector;

/// Of the time that is left, so much is used: what follows the run needs some, and Lambda cuts without a word (F89).
const SHARE: u32 = 85;

/// Until this share alerts are delivered and metrics pushed, so that what was not is said before the cut.
const TELL: u32 = 92;

/// Past this share nothing is waited for any more.
const CUT: u32 = 95;

/// What one deployment of the function does.
#[derive(Debug, Clone)]
pub struct Function {
    /// The policy it goes by.
    pub policy: Policy,
    /// How its runs are meant. No event makes it do more.
    pub mode: Mode,
    /// Repositories at once.
    pub concurrency: usize,
    /// Whether whoever reads a queue for it (Lambda's event source mapping) was told to heed `batchItemFailures`. Else a
    /// message that is not understood fails the invocation: an answer would have the queue forget it.
    pub partial_batches: bool,
    /// Where metrics go, if anywhere.
    pub collector: Option<Arc<Collector>>,
}

/// Why there is no function.
#[derive(Debug, thiserror::Error)]
pub enum FunctionError {
    /// The policy cannot be used.
    #[error(transparent)]
    Policy(#[from] PolicyError),
    /// Nobody could be reported.
    #[error(transparent)]
    Alert(#[from] AlertError),
    /// Metrics cannot go where they are to go.
    #[error("{0}")]
    Collector(String),
    /// A variable has a value that it cannot have.
    #[error("{name}: {reason}")]
    Variable {
        /// The variable.
        name: &'static str,
        /// What is wrong, and what to write.
        reason: String,
    },
}

/// Why an invocation failed. Lambda tries an asynchronous one again, which does no harm (I13).
#[derive(Debug, thiserror::Error)]
pub enum InvocationError {
    /// The event says nothing that can be done.
    #[error(transparent)]
    Event(#[from] UnknownEvent),
    /// It asks for what this function or its policy does not have.
    #[error("{0}")]
    Refused(String),
    /// There was no run.
    #[error(transparent)]
    Run(#[from] RunError),
    /// The run took place, and not everybody was reported.
    #[error("{error}")]
    NotReported {
        /// Why.
        error: AlertError,
        /// What the run came to.
        reported: Box<RunSummary>,
    },
    /// The report could not be read back.
    #[error("the report could not be read back: {0}")]
    Report(#[from] std::io::Error),
    /// Not everything was read, and nobody waits for the answer: failing is the only way to say so.
    #[error(
        "run {} is incomplete: {}; its report is {}",
        .0.run.id,
        .0.unread.as_deref().unwrap_or("it ended before everything was looked at; raise the timeout, or share the work by shards"),
        .0.report.as_deref().unwrap_or("not kept")
    )]
    Incomplete(Box<RunSummary>),
    /// Messages of a queue were not understood; what the others told of was looked at.
    #[error(
        "{} of {of} messages of the queue not understood, what the others told of was looked at; message {}: {}; all go \
         back to the queue: let the event source mapping report batch item failures and set {PARTIAL}=true, and only \
         those do",
        .refused.len(), .refused[0].message, .refused[0].error
    )]
    Messages {
        /// Those. There is one at least.
        refused: Vec<RejectedMessage>,
        /// So many messages there were.
        of: usize,
        /// What the others came to.
        answer: Answer,
    },
    /// There was too little time.
    #[error(
        "cut off before the function's timeout: what was recorded stays, and the next run does the rest; raise the \
         timeout, or share the work by shards"
    )]
    CutOff,
}

/// The variable that says what the event source mapping was reported.
const PARTIAL: &str = "PRODPIN_REPORT_BATCH_ITEM_FAILURES";

impl InvocationError {
    /// What the run came to, if there was one.
    #[must_use]
    pub fn reported(&self) -> Option<&RunSummary> {
        match self {
            Self::Incomplete(reported) | Self::NotReported { reported, .. } => Some(reported),
            Self::Messages { answer: Answer::Ran(reported), .. } => Some(reported),
            Self::Messages { answer: Answer::Nothing { .. }, .. }
            | Self::Event(_)
            | Self::Refused(_)
            | Self::Run(_)
            | Self::Report(_)
            | Self::CutOff => None,
        }
    }
}

impl Function {
    /// From the process's environment: the policy in `PRODPIN_POLICY_TEXT`, or in the file that `PRODPIN_POLICY` names,
    /// or in `prodpin.yaml` of the package; `PRODPIN_MODE`, `PRODPIN_LEDGER`, `PRODPIN_CONCURRENCY`,
    /// `PRODPIN_REPORT_BATCH_ITEM_FAILURES`, and OpenTelemetry's own.
    pub fn from_environment(environment: &dyn Fn(&str) -> Option<String>) -> Result<Self, FunctionError> {
        let said = |name: &str| environment(name).filter(|value| !value.is_empty());
        let mut policy = match (said("PRODPIN_POLICY_TEXT"), said("PRODPIN_POLICY")) {
            (Some(text), _) => parse(&text, "PRODPIN_POLICY_TEXT", environment).map_err(PolicyError::from)?,
            (None, Some(path)) => load(path.as_ref())?,
            (None, None) => {
                let package = said("LAMBDA_TASK_ROOT").unwrap_or_else(|| ".".to_owned());
                load(&std::path::Path::new(&package).join("prodpin.yaml"))?
            }
        };
        if let Some(text) = said("PRODPIN_LEDGER") {
            policy.ledger = LedgerLocation::parse(&text, std::path::Path::new(""))
                .map_err(|reason| FunctionError::Variable { name: "PRODPIN_LEDGER", reason })?;
        }
        let mode = match said("PRODPIN_MODE").as_deref() {
            None | Some("audit") => Mode::Audit,
            Some("enforce") => Mode::Enforce,
            Some("enforce-dry-run") => Mode::EnforceDryRun,
            Some(_) => {
                let reason = "use one of audit, enforce, enforce-dry-run".to_owned();
                return Err(FunctionError::Variable { name: "PRODPIN_MODE", reason });
            }
        };
        let concurrency = match said("PRODPIN_CONCURRENCY") {
            None => 16,
            Some(text) => {
                let number = text.parse().ok().filter(|number| (1..=1024).contains(number));
                let reason = "write a number from 1 to 1024".to_owned();
                number.ok_or(FunctionError::Variable { name: "PRODPIN_CONCURRENCY", reason })?
            }
        };
        let partial_batches = match said(PARTIAL).as_deref() {
            None | Some("false") => false,
            Some("true") => true,
            Some(_) => {
                let reason =
                    "write true if the event source mapping reports batch item failures, else false".to_owned();
                return Err(FunctionError::Variable { name: PARTIAL, reason });
            }
        };
        if !policy.alerts.is_empty() && policy.ledger == LedgerLocation::None {
            return Err(AlertError::NoLedger.into());
        }
        let collector = Collector::from_variables(environment).map_err(FunctionError::Collector)?.map(Arc::new);
        Ok(Self { policy, mode, concurrency, partial_batches, collector })
    }

    /// An event may ask for less than the function was made for, and never for more: who may invoke it need not be who
    /// deployed it.
    fn mode(&self, asked: Option<Mode>) -> Result<Mode, InvocationError> {
        match (asked, self.mode) {
            (Some(Mode::Enforce), Mode::Audit | Mode::EnforceDryRun) => Err(InvocationError::Refused(
                "this function does not pin: deploy it with PRODPIN_MODE=enforce and a role that may".to_owned(),
            )),
            (Some(Mode::Release), _) | (None, Mode::Release) => Err(InvocationError::Refused(
                "a function releases no pins: run `prodpin release` by hand, with the role of its own".to_owned(),
            )),
            (asked, mode) => Ok(asked.unwrap_or(mode)),
        }
    }
}

struct Quiet;

impl Progress for Quiet {}

/// The longest that Lambda lets a function run (G149).
const LONGEST: Duration = Duration::from_secs(15 * 60);

/// How much time an invocation has. Lambda says when it cuts it off, in milliseconds since 1970; `cargo lambda watch` says
/// for how long it may run, in the same place. The first quarter of an hour of 1970 is nobody's deadline any more.
#[must_use]
pub fn time_left(deadline: u64, now: Timestamp) -> Duration {
    let said = Duration::from_millis(deadline);
    if said <= LONGEST {
        return said;
    }
    let now = Duration::from_millis(u64::try_from(now.as_millisecond()).unwrap_or(0));
    said.saturating_sub(now).min(LONGEST)
}

/// Answers one event, well before this much time has passed.
pub async fn carry_out(function: &Function, event: &Value, left: Duration) -> Result<Reply, InvocationError> {
    let began = Instant::now();
    let Delivery { trigger, queued, refused } = Delivery::read(event)?;
    let answer = if queued.is_some_and(|queued| queued == refused.len()) {
        Answer::Nothing { reason: "no message of the queue was understood".to_owned() }
    } else {
        // Boxed: a run is deeply nested as it is, and the compiler counts every layer.
        answer(function, &trigger, began, left).boxed_local().await?
    };
    for RejectedMessage { message, error } in &refused {
        tracing::error!("message {message}: {error}");
    }
    match queued {
        Some(of) if !refused.is_empty() && !function.partial_batches => {
            Err(InvocationError::Messages { refused, of, answer })
        }
        _ => {
            let failures =
                (queued.is_some() && function.partial_batches).then(|| refused.iter().map(ItemFailure::from).collect());
            Ok(Reply { answer, failures })
        }
    }
}

async fn answer(
    function: &Function,
    trigger: &Trigger,
    began: Instant,
    left: Duration,
) -> Result<Answer, InvocationError> {
    let asked = match trigger {
        Trigger::Manual(manual) => manual.mode,
        _ => None,
    };
    let mode = function.mode(asked)?;
    let policy = &function.policy;
    let Some(Wanted { sources, repositories, shard }) = wanted(policy, trigger).map_err(InvocationError::Refused)?
    else {
        return Ok(Answer::Nothing { reason: nothing(trigger) });
    };
    let options = RunOptions {
        mode,
        sources,
        shard,
        repositories,
        concurrency: function.concurrency,
        deadline: Some(left * SHARE / 100),
        stop: Stop::default(),
    };
    let work = async {
        let ran = run_and_keep(policy, &options, Arc::new(Quiet)).await?;
        let by = began + left * TELL / 100;
        let collector = function.collector.as_deref();
        let reported = follow_up(policy, &ran, collector, Some(by), &options.stop, std::future::pending()).await;
        let answer = RunSummary::from_report(&ran.report, &policy.ledger, policy.fail_on)?;
        for finding in &answer.findings {
            tracing::warn!("{}", serde_json::to_string(finding).unwrap_or_default());
        }
        match reported {
            Ok(_) => Ok::<RunSummary, InvocationError>(answer),
            Err(error) => Err(InvocationError::NotReported { error, reported: Box::new(answer) }),
        }
    };
    let reported = tokio::time::timeout(left * CUT / 100, work).await.map_err(|_| InvocationError::CutOff)??;
    // Who asks about one repository reads the answer. A share of the work is asked for by a schedule, which does not.
    let answered = matches!(trigger, Trigger::Manual(manual) if manual.repository.is_some());
    if !reported.run.complete && !answered {
        return Err(InvocationError::Incomplete(Box::new(reported)));
    }
    Ok(Answer::Ran(Box::new(reported)))
}

/// Why there is nothing to look at, with what was named: an event that goes nowhere is a rule or a policy to be mended.
fn nothing(trigger: &Trigger) -> String {
    match trigger {
        Trigger::Test => "S3 only tests whether its messages arrive".to_owned(),
        Trigger::Pinned => "a pin was pushed onto the digest that it names, which is prodpin's own work".to_owned(),
        Trigger::Happened(places) => {
            let named: Vec<String> = places.iter().take(NAMED).map(ToString::to_string).collect();
            let more = if places.len() > NAMED { " and more" } else { "" };
            format!("no source of the policy covers what the event names: {}{more}", named.join(", "))
        }
        Trigger::Schedule | Trigger::Manual(_) => "no source of the policy covers what the event names".to_owned(),
    }
}

/// So many places are named in an answer.
const NAMED: usize = 3;
