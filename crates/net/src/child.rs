//! Programs that are asked for credentials: Docker's helpers, and those of a kubeconfig. They may hang, print without
//! end, or ask somebody who is not there, so each has a time, a size, and nobody to ask (F108).

use std::io::ErrorKind;
use std::process::Stdio;
use std::time::{Duration, Instant};

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::process::Command;

/// A longer answer is no credential.
pub const MOST_BYTES: usize = 1 << 20;

/// What a program answered.
pub struct Answered {
    /// Whether it ended well.
    pub success: bool,
    /// What it printed.
    pub stdout: Vec<u8>,
}

/// Why a program answered nothing of use. Nothing that it printed is in here (I18).
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ChildFault {
    /// It is not there, or may not be run.
    #[error("cannot be started: {0}")]
    NotStarted(String),
    /// It ran, and what became of it is not known.
    #[error("was lost: {0}")]
    Lost(String),
    /// It was ended after this long.
    #[error("did not answer within {} s", .0.as_secs_f64())]
    Late(Duration),
    /// It was ended because of all that it printed.
    #[error("printed more than {} KiB, which is no credential", MOST_BYTES >> 10)]
    TooMuch,
}

/// Runs a program with this on its standard input until it ends, for no longer than `limit` and not past `deadline`.
/// Whatever happens, it does not outlive this call.
pub async fn ask(
    mut command: Command,
    input: &[u8],
    limit: Duration,
    deadline: Option<Instant>,
) -> Result<Answered, ChildFault> {
    let began = Instant::now();
    let end = deadline.map_or(began + limit, |deadline| deadline.min(began + limit));
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::null()).kill_on_drop(true);
    let mut child = command.spawn().map_err(|error| ChildFault::NotStarted(error.to_string()))?;
    let (stdin, stdout) = (child.stdin.take(), child.stdout.take());
    let answered = async {
        let tell = async {
            if let Some(mut stdin) = stdin {
                // A program that answers without reading closes its end first; its answer is what counts.
                let _ = stdin.write_all(input).await;
            }
        };
        let listen = async {
            let mut bytes = Vec::new();
            match stdout {
                Some(stdout) => stdout.take(MOST_BYTES as u64 + 1).read_to_end(&mut bytes).await.map(|_| bytes),
                None => Err(std::io::Error::from(ErrorKind::BrokenPipe)),
            }
        };
        let ((), bytes) = tokio::join!(tell, listen);
        let bytes = bytes.map_err(|error| ChildFault::Lost(error.to_string()))?;
        if bytes.len() > MOST_BYTES {
            return Err(ChildFault::TooMuch);
        }
        let status = child.wait().await.map_err(|error| ChildFault::Lost(error.to_string()))?;
        Ok(Answered { success: status.success(), stdout: bytes })
    };
    let outcome = match tokio::time::timeout_at(end.into(), answered).await {
        Ok(outcome) => outcome,
        Err(_) => Err(ChildFault::Late(end.duration_since(began))),
    };
    if outcome.is_err() {
        // Best effort: it is killed when it is dropped as well.
        let _ = child.start_kill();
    }
    outcome
}

#[cfg(test)]
mod tests {
    use super::*;

    async fn sh(script: &str, limit: Duration, deadline: Option<Instant>) -> Result<(bool, usize), ChildFault> {
        let mut command = Command::new("/bin/sh");
        command.args(["-c", script]);
        ask(command, b"question\n", limit, deadline).await.map(|answered| (answered.success, answered.stdout.len()))
    }

    #[tokio::test]
    async fn programs_are_held_to_a_time_and_a_size_f108() {
        let (long, began) = (Duration::from_secs(30), Instant::now());
        assert_eq!(sh("read question; printf %s \"$question\"", long, None).await, Ok((true, 8)));
        assert_eq!(sh("printf no; exit 3", long, None).await, Ok((false, 2)));
        assert_eq!(sh("yes", long, None).await, Err(ChildFault::TooMuch));
        assert_eq!(sh("yes | head -c 100000000", long, None).await, Err(ChildFault::TooMuch));
        let short = Duration::from_millis(200);
        assert_eq!(sh("exec sleep 60", short, None).await, Err(ChildFault::Late(short)));
        assert_eq!(sh("sleep 60 & printf early", short, None).await, Err(ChildFault::Late(short)), "its end is open");
        assert!(matches!(sh("exec sleep 60", long, Some(Instant::now() + short)).await, Err(ChildFault::Late(_))));
        assert!(began.elapsed() < long, "{:?}", began.elapsed());
        let absent = ask(Command::new("/does/not/exist"), b"", long, None).await;
        assert!(matches!(absent, Err(ChildFault::NotStarted(_))));
    }
}
