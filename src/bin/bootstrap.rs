//! The AWS Lambda function: the runtime's protocol around [`prodpin::invocation`].

use std::io::Write as _;
use std::pin::Pin;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use lambda_runtime::{Error, LambdaEvent, service_fn};
use prodpin::invocation::{Answer, Function, InvocationError, Told, carry_out};
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
    let runtime = match tokio::runtime::Builder::new_multi_thread().enable_all().build() {
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

type Invoked = Pin<Box<dyn Future<Output = Result<Answer, Error>>>>;

async fn invoke(function: &Function, name: &str, event: LambdaEvent<Value>) -> Result<Answer, Error> {
    // Milliseconds since 1970, by the clock of the machine that will cut it off, which is this one.
    let deadline = i64::try_from(event.context.deadline).unwrap_or(i64::MAX);
    let left = u64::try_from(deadline.saturating_sub(Timestamp::now().as_millisecond())).unwrap_or(0);
    let answer = carry_out(function, &event.payload, Duration::from_millis(left)).await;
    match &answer {
        Ok(Answer::Ran(told)) | Err(InvocationError::Incomplete(told) | InvocationError::Untold { told, .. }) => {
            write_metrics(told, name)
        }
        _ => {}
    }
    answer.map_err(|error| {
        tracing::error!("{error}");
        Error::from(error.to_string())
    })
}

/// CloudWatch takes metrics from lines on stdout. Where nobody reads them, nothing is lost but them.
fn write_metrics(told: &Told, name: &str) {
    let _ = writeln!(std::io::stdout().lock(), "{}", told.metrics(name));
}
