//! `prodpin alert`: try whom the policy's alerts tell.

use std::path::Path;
use std::time::{Duration, Instant};

use super::arguments::{AlertArguments, AlertCommand, AlertTestArguments};
use super::exit::{Ending, Misuse};
use super::output::to_stdout;
use crate::alert::send_test;
use crate::policy::{Alert, Policy, load};
use crate::report::escape::terminal;

/// For all of them together, unless said otherwise.
const LONGEST: Duration = Duration::from_secs(60);

pub(super) async fn alert(path: &Path, arguments: &AlertArguments) -> anyhow::Result<Ending> {
    match &arguments.command {
        AlertCommand::Test(arguments) => test(&load(path)?, arguments).await,
    }
}

async fn test(policy: &Policy, arguments: &AlertTestArguments) -> anyhow::Result<Ending> {
    let alerts = chosen(policy, &arguments.names)?;
    let by = Instant::now() + arguments.deadline.unwrap_or(LONGEST);
    let sent = futures::future::join_all(alerts.iter().map(async |alert| (alert, send_test(alert, by).await))).await;
    let mut all = true;
    to_stdout(|out| {
        for (alert, outcome) in &sent {
            match outcome {
                Ok(()) => writeln!(out, "✓ {}: the test message was taken; see that it arrived", alert.name)?,
                Err(reason) => {
                    all = false;
                    writeln!(out, "✗ {}: not delivered: {}", alert.name, terminal(reason))?;
                }
            }
        }
        Ok(())
    })?;
    Ok(if all { Ending::Done } else { Ending::Failed })
}

fn chosen<'p>(policy: &'p Policy, names: &[String]) -> Result<Vec<&'p Alert>, Misuse> {
    let there: Vec<&str> = policy.alerts.iter().map(|alert| &*alert.name).collect();
    if there.is_empty() {
        return Err(Misuse("the policy has no alerts; docs/alerts.md shows some".to_owned()));
    }
    if let Some(other) = names.iter().find(|name| !there.contains(&name.as_str())) {
        return Err(Misuse(format!("the policy has no alert {other:?}; it has {}", there.join(", "))));
    }
    let is_chosen = |alert: &&Alert| names.is_empty() || names.iter().any(|name| **name == *alert.name);
    Ok(policy.alerts.iter().filter(is_chosen).collect())
}
