//! Ctrl-C and SIGTERM end a run early instead of cutting it off (F88).

use std::time::Duration;

use tokio::sync::oneshot;

use crate::run::Stop;

/// How long a run may take to end once it was asked to: a pod is killed 30 seconds after SIGTERM, and a run that ends
/// by itself before that leaves no half-written files.
const GRACE: Duration = Duration::from_secs(20);

/// A run's end as signals ask for it.
pub(super) struct Signals {
    /// Set by the first signal.
    pub(super) stop: Stop,
    overdue: oneshot::Receiver<()>,
}

impl Signals {
    /// Listens from now on. The first signal asks the run to end; the second one, or a run that is still not done when
    /// the grace is over, makes [`Signals::overdue`] return.
    pub(super) fn listen() -> Self {
        let stop = Stop::default();
        let asked = stop.clone();
        let (late, overdue) = oneshot::channel();
        // Before anything is begun: a signal that comes while the task below was not run yet would end the process.
        let mut heard = Heard::listen();
        tokio::spawn(async move {
            heard.next().await;
            tracing::warn!("asked to end: finishing what is begun and recording it; once more to stop at once");
            asked.ask();
            // Which of the two it was makes no difference, and the run may have ended meanwhile.
            let _ = tokio::time::timeout(GRACE, heard.next()).await;
            let _ = late.send(());
        });
        Self { stop, overdue }
    }

    /// Returns when the run should have ended.
    pub(super) async fn overdue(&mut self) {
        if (&mut self.overdue).await.is_err() {
            std::future::pending().await
        }
    }
}

/// SIGTERM and Ctrl-C, kept in mind from when it is made.
struct Heard {
    #[cfg(unix)]
    signals: [Option<tokio::signal::unix::Signal>; 2],
}

impl Heard {
    fn listen() -> Self {
        #[cfg(unix)]
        {
            use tokio::signal::unix::{SignalKind, signal};
            Self { signals: [SignalKind::terminate(), SignalKind::interrupt()].map(|kind| signal(kind).ok()) }
        }
        #[cfg(not(unix))]
        Self {}
    }

    /// Where signals cannot be listened to, none is ever taken for heard.
    #[cfg(unix)]
    async fn next(&mut self) {
        async fn reported(signal: &mut Option<tokio::signal::unix::Signal>) {
            if let Some(signal) = signal
                && signal.recv().await.is_some()
            {
                return;
            }
            std::future::pending().await
        }
        let [terminate, interrupt] = &mut self.signals;
        tokio::select! {
            () = reported(terminate) => {}
            () = reported(interrupt) => {}
        }
    }

    #[cfg(not(unix))]
    async fn next(&mut self) {
        if tokio::signal::ctrl_c().await.is_err() {
            std::future::pending().await
        }
    }
}

/// SIGHUP, which asks for the policy to be read again. It is kept in mind while nobody waits for it.
pub(super) struct Hangup {
    #[cfg(unix)]
    signal: Option<tokio::signal::unix::Signal>,
}

impl Hangup {
    /// From now on it does not end the process.
    pub(super) fn listen() -> Self {
        #[cfg(unix)]
        {
            use tokio::signal::unix::{SignalKind, signal};
            let signal = signal(SignalKind::hangup());
            if let Err(error) = &signal {
                tracing::warn!("cannot listen for SIGHUP: {error}");
            }
            Self { signal: signal.ok() }
        }
        #[cfg(not(unix))]
        Self {}
    }

    /// Returns when it was heard since the last time.
    pub(super) async fn heard(&mut self) {
        #[cfg(unix)]
        if let Some(signal) = &mut self.signal
            && signal.recv().await.is_some()
        {
            return;
        }
        std::future::pending().await
    }
}
