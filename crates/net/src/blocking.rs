//! Calling what may hang and cannot be ended: a file on a disk whose server is gone, a pipe into which nobody writes, a name
//! look-up. Each has a thread of a pool that everything shares, and keeps it for as long as it hangs.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Instant;

use tokio::sync::Semaphore;
use tokio::task::JoinError;

/// Why there is no answer.
#[derive(Debug)]
pub enum Unread {
    /// It did not come in time.
    Late,
    /// What was called broke.
    Broke(JoinError),
}

/// How many calls there may be of each thing.
static TURNS: Mutex<BTreeMap<String, Arc<Semaphore>>> = Mutex::new(BTreeMap::new());

/// Calls it off the threads that everything else runs on, and waits no longer than until then. There is one call of each
/// thing at a time: who comes while it hangs waits without a thread, or a process that lives for months would run out of
/// them.
pub async fn one<T: Send + 'static>(
    what: &str,
    until: Instant,
    call: impl FnOnce() -> T + Send + 'static,
) -> Result<T, Unread> {
    some(what, 1, until, call).await
}

/// The same for what many need at once: of each thing there are no more calls than this.
pub async fn some<T: Send + 'static>(
    what: &str,
    at_once: usize,
    until: Instant,
    call: impl FnOnce() -> T + Send + 'static,
) -> Result<T, Unread> {
    let turns = {
        let mut turns = TURNS.lock().unwrap_or_else(PoisonError::into_inner);
        turns.entry(what.to_owned()).or_insert_with(|| Arc::new(Semaphore::new(at_once.max(1)))).clone()
    };
    let calling = async {
        // Never closed, so this never fails.
        let turn = turns.acquire_owned().await.ok();
        let blocking = tokio::task::spawn_blocking(move || {
            // Kept until it has answered, whoever still waits for it.
            let _turn = turn;
            call()
        });
        blocking.await
    };
    match tokio::time::timeout_at(until.into(), calling).await {
        Ok(answer) => answer.map_err(Unread::Broke),
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
        let hung = one("the pipe", soon(), move || answered.recv()).await;
        assert!(matches!(hung, Err(Unread::Late)));
        let begun = Arc::new(AtomicU32::new(0));
        for _ in 0..3 {
            let begun = begun.clone();
            let again = one("the pipe", soon(), move || begun.fetch_add(1, Ordering::SeqCst)).await;
            assert!(matches!(again, Err(Unread::Late)));
        }
        assert_eq!(begun.load(Ordering::SeqCst), 0, "no other read of it was begun");
        assert_eq!(one("another file", later(), || 7).await.unwrap(), 7);
        answer.send(()).unwrap();
        assert_eq!(one("the pipe", later(), || 8).await.unwrap(), 8, "it answers again");
        assert!(matches!(one("the pipe", later(), || panic!("a defect")).await, Err::<(), _>(Unread::Broke(_))));
        assert_eq!(one("the pipe", later(), || 9).await.unwrap(), 9);
    }

    #[tokio::test]
    async fn f108_of_what_many_need_a_few_may_hang_and_no_more() {
        let soon = || Instant::now() + Duration::from_millis(50);
        let begun = Arc::new(AtomicU32::new(0));
        let (answer, answered) = mpsc::channel::<()>();
        let answered = Arc::new(Mutex::new(answered));
        for _ in 0..5 {
            let (begun, answered) = (begun.clone(), answered.clone());
            let hung = some("the name", 2, soon(), move || {
                begun.fetch_add(1, Ordering::SeqCst);
                answered.lock().unwrap().recv()
            });
            assert!(matches!(hung.await, Err(Unread::Late)));
        }
        assert_eq!(begun.load(Ordering::SeqCst), 2);
        drop(answer);
    }
}
