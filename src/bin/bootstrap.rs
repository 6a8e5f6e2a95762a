//! The AWS Lambda function: the runtime's protocol around [`prodpin::invocation`].

use std::io::Write as _;
use std::pin::Pin;
use std::process::ExitCode;
use std::sync::Arc;

use jiff::Timestamp;
use lambda_runtime::{Diagnostic, LambdaEvent, service_fn};
use prodpin::invocation::{Answer, Function, InvocationError, Reply, RunSummary, carry_out, time_left};
use serde_json::Value;

fn main() -> ExitCode {
    prodpin::cli::log_for_a_service();
    let function = match Function::from_environment(&|name| std::env::var(name).ok()) {
        Ok(function) => Arc::new(function),
        Err(error) => {
            tracing::error!("{error}");
            return ExitCode::from(2);
        }
    };
    for warning in &function.policy.warnings {
        tracing::warn!("{warning}");
    }
    let name: Arc<str> = std::env::var("AWS_LAMBDA_FUNCTION_NAME").unwrap_or_else(|_| "prodpin".to_owned()).into();
    let runtime = match prodpin::cli::runtime() {
        Ok(runtime) => runtime,
        Err(error) => {
            tracing::error!("{error}");
            return ExitCode::FAILURE;
        }
    };
    let ended = runtime.block_on(lambda_runtime::run(service_fn(move |event: LambdaEvent<Value>| {
        let (function, name) = (Arc::clone(&function), Arc::clone(&name));
        // Boxed: the runtime wraps a dozen layers around it, and the compiler counts every one.
        Box::pin(async move { invoke(&function, &name, event).await }) as Invoked
    })));
    match ended {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            tracing::error!("{error}");
            ExitCode::FAILURE
        }
    }
}

type Invoked = Pin<Box<dyn Future<Output = Result<Reply, Diagnostic>>>>;

async fn invoke(function: &Function, name: &str, event: LambdaEvent<Value>) -> Result<Reply, Diagnostic> {
    // By the clock of the machine that will cut it off, which is this one.
    let left = time_left(event.context.deadline, Timestamp::now());
    let reply = carry_out(function, &event.payload, left).await;
    let reported = match &reply {
        Ok(Reply { answer: Answer::Ran(reported), .. }) => Some(&**reported),
        Ok(Reply { answer: Answer::Nothing { reason }, .. }) => {
            tracing::warn!("nothing to look at: {reason}");
            None
        }
        Err(error) => error.reported(),
    };
    if let Some(reported) = reported {
        write_metrics(reported, name);
    }
    reply.map_err(|error| {
        tracing::error!("{error}");
        Diagnostic { error_type: kind(&error).to_owned(), error_message: error.to_string() }
    })
}

/// What a metric filter or whoever looks through dead letters tells failures apart by.
fn kind(error: &InvocationError) -> &'static str {
    match error {
        InvocationError::Event(_) => "UnknownEvent",
        InvocationError::Refused(_) => "Refused",
        InvocationError::Run(_) => "NoRun",
        InvocationError::NotReported { .. } => "AlertsNotDelivered",
        InvocationError::Report(_) => "ReportLost",
        InvocationError::Incomplete(_) => "Incomplete",
        InvocationError::Messages { .. } => "UnknownMessages",
        InvocationError::CutOff => "CutOff",
    }
}

/// CloudWatch takes metrics from lines on stdout. Where nobody reads them, nothing is lost but them.
fn write_metrics(reported: &RunSummary, name: &str) {
    let _ = writeln!(std::io::stdout().lock(), "{}", reported.metrics(name));
}
