//! Reading what may hang: a pipe into which nobody writes, a file on a disk whose server is gone.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Instant;

use tokio::sync::Mutex as Turn;
use tokio::task::JoinError;

/// Why there is no answer.
#[derive(Debug)]
pub(crate) enum Unread {
    /// It did not come in time.
    Late,
    /// What reads it broke.
    Broke(JoinError),
}

/// Whose turn it is to read each thing.
static TURNS: Mutex<BTreeMap<String, Arc<Turn<()>>>> = Mutex::new(BTreeMap::new());

/// Reads off the threads that everything else runs on, and waits no longer than until then.
///
/// A read that hangs cannot be ended and keeps its thread. So there is one of each thing at a time: who comes while it
/// hangs waits without a thread, or a process that lives for months would run out of them.
pub(crate) async fn read<T: Send + 'static>(
    what: &str,
    until: Instant,
    read: impl FnOnce() -> T + Send + 'static,
) -> Result<T, Unread> {
    let turn = TURNS.lock().unwrap_or_else(PoisonError::into_inner).entry(what.to_owned()).or_default().clone();
    let reading = async {
        let turn = turn.lock_owned().await;
        let blocking = tokio::task::spawn_blocking(move || {
            // Kept until it has been read, whoever still waits for it.
            let _turn = turn;
            read()
        });
        blocking.await
    };
    match tokio::time::timeout_at(until.into(), reading).await {
        Ok(read) => read.map_err(Unread::Broke),
        Err(_) => Err(Unread::Late),
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicU32, Ordering};
    use std::sync::mpsc;
    use std::time::Duration;

    use super::*;

    #[tokio::test]
    async fn f108_what_hangs_is_not_read_again_beside_itself_and_hinders_nothing_else() {
        let soon = || Instant::now() + Duration::from_millis(50);
        let later = || Instant::now() + Duration::from_secs(60);
        let (answer, answered) = mpsc::channel::<()>();
        let hung = read("the pipe", soon(), move || answered.recv()).await;
        assert!(matches!(hung, Err(Unread::Late)));
        let begun = Arc::new(AtomicU32::new(0));
        for _ in 0..3 {
            let begun = begun.clone();
            let again = read("the pipe", soon(), move || begun.fetch_add(1, Ordering::SeqCst)).await;
            assert!(matches!(again, Err(Unread::Late)));
        }
        assert_eq!(begun.load(Ordering::SeqCst), 0, "no other read of it was begun");
        assert_eq!(read("another file", later(), || 7).await.unwrap(), 7);
        answer.send(()).unwrap();
        assert_eq!(read("the pipe", later(), || 8).await.unwrap(), 8, "it answers again");
        assert!(matches!(read("the pipe", later(), || panic!("a defect")).await, Err::<(), _>(Unread::Broke(_))));
        assert_eq!(read("the pipe", later(), || 9).await.unwrap(), 9);
    }
}
