//! Ctrl-C and SIGTERM end a run early instead of cutting it off (F88).

use tokio::sync::watch;

use crate::run::Stop;

/// Listens from now on. The first signal asks the run to end; a second one ends the program as it would without us.
pub(super) fn on_signals() -> Stop {
    let (ask, asked) = watch::channel(false);
    tokio::spawn(async move {
        signalled().await;
        tracing::warn!("asked to end: finishing what is begun and committing it; once more to stop at once");
        // Nobody listens any more if the run has ended by itself.
        let _ = ask.send(true);
        signalled().await;
        std::process::exit(130);
    });
    Stop::when(asked)
}

#[cfg(unix)]
async fn signalled() {
    use tokio::signal::unix::{SignalKind, signal};
    let Ok(mut terminate) = signal(SignalKind::terminate()) else {
        let _ = tokio::signal::ctrl_c().await;
        return;
    };
    tokio::select! {
        _ = terminate.recv() => {}
        _ = tokio::signal::ctrl_c() => {}
    }
}

#[cfg(not(unix))]
async fn signalled() {
    let _ = tokio::signal::ctrl_c().await;
}
