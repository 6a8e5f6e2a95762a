//! The function as it was deployed, and one invocation of it.

use std::sync::Arc;
use std::time::{Duration, Instant};

use serde_json::Value;

use super::answer::{Answer, Told};
use super::cover::{Wanted, wanted};
use super::event::{Trigger, UnknownEvent};
use crate::alert::{self, AlertError};
use crate::model::Mode;
use crate::policy::{LedgerLocation, Policy, PolicyError, load, parse};
use crate::run::{Progress, RunError, RunOptions, Stop, run};

/// Of the time that is left, so much is used: what follows the run needs some, and Lambda cuts without a word (F89).
const SHARE: u32 = 85;

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
}

/// Why there is no function.
#[derive(Debug, thiserror::Error)]
pub enum FunctionError {
    /// The policy cannot be used.
    #[error(transparent)]
    Policy(#[from] PolicyError),
    /// Nobody could be told.
    #[error(transparent)]
    Alert(#[from] AlertError),
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
    /// The run took place, and not everybody was told.
    #[error("{error}")]
    Untold {
        /// Why.
        error: AlertError,
        /// What the run came to.
        told: Box<Told>,
    },
    /// The report could not be read back.
    #[error("the report could not be read back: {0}")]
    Report(#[from] std::io::Error),
    /// Not everything was read, and nobody waits for the answer: failing is the only way to say so.
    #[error("run {} is incomplete; its report is {}", .0.run.id, .0.report.as_deref().unwrap_or("not kept"))]
    Incomplete(Box<Told>),
    /// There was too little time.
    #[error(
        "cut off before the function's timeout: what was recorded stays, and the next run does the rest; raise the \
         timeout, or share the work by shards"
    )]
    CutOff,
}

impl Function {
    /// From the process's environment: the policy in `PRODPIN_POLICY_TEXT`, or in the file that `PRODPIN_POLICY` names,
    /// or in `prodpin.yaml` of the package; `PRODPIN_MODE`, `PRODPIN_LEDGER`, `PRODPIN_CONCURRENCY`.
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
        if !policy.alerts.is_empty() && policy.ledger == LedgerLocation::None {
            return Err(AlertError::NoLedger.into());
        }
        Ok(Self { policy, mode, concurrency })
    }

    /// An event may ask for less than the function was made for, and never for more: who may invoke it need not be who
    /// deployed it.
    fn mode(&self, asked: Option<Mode>) -> Result<Mode, InvocationError> {
        match (asked, self.mode) {
            (None, mode) => Ok(mode),
            (Some(Mode::Enforce), Mode::Audit | Mode::EnforceDryRun) => Err(InvocationError::Refused(
                "this function does not pin: deploy it with PRODPIN_MODE=enforce and a role that may".to_owned(),
            )),
            (Some(asked), _) => Ok(asked),
        }
    }
}

struct Quiet;

impl Progress for Quiet {}

/// Answers one event, well before this much time has passed.
pub async fn carry_out(function: &Function, event: &Value, left: Duration) -> Result<Answer, InvocationError> {
    let began = Instant::now();
    let trigger = Trigger::read(event)?;
    let asked = match &trigger {
        Trigger::Manual(manual) => manual.mode,
        _ => None,
    };
    let mode = function.mode(asked)?;
    let policy = &function.policy;
    let Some(Wanted { sources, repositories, shard }) = wanted(policy, &trigger).map_err(InvocationError::Refused)?
    else {
        return Ok(Answer::Nothing { reason: nothing(&trigger).to_owned() });
    };
    let deadline = left * SHARE / 100;
    let options = RunOptions {
        mode,
        sources,
        shard,
        repositories,
        concurrency: function.concurrency,
        deadline: Some(deadline),
        stop: Stop::default(),
    };
    let work = async {
        let report = run(policy, &options, Arc::new(Quiet)).await?;
        let told = alert::tell(policy, &report, Some(began + left * CUT / 100)).await;
        let answer = Told::of(&report, &policy.ledger, policy.fail_on)?;
        for finding in &answer.findings {
            tracing::warn!("{}", serde_json::to_string(finding).unwrap_or_default());
        }
        match told {
            Ok(_) => Ok::<Told, InvocationError>(answer),
            Err(error) => Err(InvocationError::Untold { error, told: Box::new(answer) }),
        }
    };
    let told = tokio::time::timeout(left * CUT / 100, work).await.map_err(|_| InvocationError::CutOff)??;
    // Who asks about one repository reads the answer. A share of the work is asked for by a schedule, which does not.
    let answered = matches!(&trigger, Trigger::Manual(manual) if manual.repository.is_some());
    if !told.run.complete && !answered {
        return Err(InvocationError::Incomplete(Box::new(told)));
    }
    Ok(Answer::Ran(Box::new(told)))
}

fn nothing(trigger: &Trigger) -> &'static str {
    match trigger {
        Trigger::Test => "S3 only tests whether its messages arrive",
        _ => "no source of the policy covers what the event names",
    }
}
