//! Ctrl-C and SIGTERM end a run early instead of cutting it off (F88).

use crate::run::Stop;

/// What a shell reports for a program that Ctrl-C ended.
const INTERRUPTED: i32 = 130;

/// Listens from now on. The first signal asks the run to end; a second one ends the program at once.
pub(super) fn on_signals() -> Stop {
    let stop = Stop::default();
    let asked = stop.clone();
    tokio::spawn(async move {
        signalled().await;
        tracing::warn!("asked to end: finishing what is begun and recording it; once more to stop at once");
        asked.ask();
        signalled().await;
        std::process::exit(INTERRUPTED);
    });
    stop
}

#[cfg(unix)]
async fn signalled() {
    use tokio::signal::unix::{SignalKind, signal};
    let Ok(mut terminate) = signal(SignalKind::terminate()) else {
        return interrupted().await;
    };
    tokio::select! {
        _ = terminate.recv() => {}
        () = interrupted() => {}
    }
}

#[cfg(not(unix))]
async fn signalled() {
    interrupted().await;
}

/// Where signals cannot be listened to, none is ever taken for heard.
async fn interrupted() {
    if tokio::signal::ctrl_c().await.is_err() {
        std::future::pending().await
    }
}
