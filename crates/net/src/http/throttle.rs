//! How many requests may be in flight at one host: many at first, fewer when it says so, more again when it copes.

use std::collections::HashMap;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use tokio::sync::Semaphore;
use tokio::time::timeout_at;
use url::Url;

use super::fault::Fault;
use prodpin_core::model::Cause;

/// Where concurrency starts: with 50 ms of network in between, 64 in flight are what makes a listing quick.
const START: usize = 64;

/// Below this, complaints of a server do not lower the limit: it refuses some requests, whatever their number, and each
/// of them waits by itself. Too many connections or open files lower it to one.
const FLOOR: usize = 16;

/// So many refusals with no answer in between say that the server takes nobody for now.
const CLOSED: u32 = 16;

/// Complaints closer together than this are about the same burst, and cut the limit once.
const BURST: Duration = Duration::from_millis(100);

/// One limit for each host and port, whatever number of sources look at it.
#[derive(Debug, Clone, Default)]
pub struct Throttles(Arc<Mutex<HashMap<String, Arc<Throttle>>>>);

impl Throttles {
    /// The limit of the host in this URL. The smallest cap that any of its sources has holds for all of them: it says
    /// what the host can bear.
    pub fn for_url(&self, url: &Url, cap: usize) -> Arc<Throttle> {
        let port = url.port_or_known_default().unwrap_or_default();
        self.at(format!("{}:{port}", url.host_str().unwrap_or_default()), cap)
    }

    /// The limit of a place that is no host: AWS counts by account and region.
    pub fn at(&self, place: String, cap: usize) -> Arc<Throttle> {
        let mut known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let throttle = known.entry(place).or_insert_with(|| Arc::new(Throttle::new(cap)));
        throttle.cap_at(cap);
        Arc::clone(throttle)
    }
}

/// Additive increase, multiplicative decrease over one host.
#[derive(Debug)]
pub struct Throttle {
    permits: Semaphore,
    state: Mutex<State>,
    /// Requests that were told to come again later, and wait for that.
    waiting: AtomicUsize,
}

#[derive(Debug)]
struct State {
    /// The limit never grows beyond it.
    cap: usize,
    limit: usize,
    /// Permits still out that the limit does not allow any more: they are not given back.
    to_shed: usize,
    /// Requests that went well since the limit last changed.
    streak: usize,
    last_cut: Option<Instant>,
    /// Refusals since the last answer.
    refused_in_row: u32,
    /// Answers so far.
    went_well: u64,
    /// The server takes nobody until then (F32).
    not_before: Option<Instant>,
}

/// A request that was told to come again later, for as long as it waits.
#[derive(Debug)]
pub struct Waits<'a>(&'a Throttle);

impl Drop for Waits<'_> {
    fn drop(&mut self) {
        self.0.waiting.fetch_sub(1, Ordering::Relaxed);
    }
}

/// The right to have one request in flight.
#[derive(Debug)]
pub struct Permit<'a> {
    throttle: &'a Throttle,
}

impl Throttle {
    /// At most so many requests at once.
    pub fn new(cap: usize) -> Self {
        let cap = cap.max(1);
        let limit = cap.min(START);
        let state = State {
            cap,
            limit,
            to_shed: 0,
            streak: 0,
            last_cut: None,
            refused_in_row: 0,
            went_well: 0,
            not_before: None,
        };
        Self { permits: Semaphore::new(limit), state: Mutex::new(state), waiting: AtomicUsize::new(0) }
    }

    /// The most that may ever be in flight.
    pub fn cap(&self) -> usize {
        self.state().cap
    }

    /// Lowers the cap, never raises it.
    fn cap_at(&self, cap: usize) {
        let mut state = self.state();
        state.cap = state.cap.min(cap.max(1));
        let limit = state.limit.min(state.cap);
        self.lower(&mut state, limit);
    }

    /// Takes permits back: those that are free now, the others as they come home.
    fn lower(&self, state: &mut State, limit: usize) {
        let excess = state.limit - limit;
        state.limit = limit;
        state.to_shed += excess - self.permits.forget_permits(excess);
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Waits for a free place, and for the server's own pause to end; never past the deadline.
    pub async fn acquire(&self, deadline: Option<Instant>) -> Result<Permit<'_>, Fault> {
        let permit = match self.permits.try_acquire() {
            Ok(permit) => permit,
            Err(_) => match deadline {
                None => self.permits.acquire().await.map_err(|_| closed())?,
                Some(end) => {
                    let waited = timeout_at(end.into(), self.permits.acquire()).await;
                    waited.map_err(|_| out_of_time())?.map_err(|_| closed())?
                }
            },
        };
        permit.forget();
        let permit = Permit { throttle: self };
        loop {
            let until = self.state().not_before;
            let Some(until) = until.filter(|until| *until > Instant::now()) else { return Ok(permit) };
            if deadline.is_some_and(|end| until >= end) {
                return Err(Fault::new(
                    Cause::Throttled,
                    "the server asks to wait for longer than the run's deadline; run again later, or with less \
                     concurrency",
                ));
            }
            tokio::time::sleep_until(until.into()).await;
        }
    }

    /// A request went well.
    pub fn well(&self) {
        let mut state = self.state();
        state.refused_in_row = 0;
        state.went_well += 1;
        if state.limit >= state.cap {
            return;
        }
        state.streak += 1;
        if state.streak >= state.limit {
            state.streak = 0;
            state.limit += 1;
            match state.to_shed.checked_sub(1) {
                Some(to_shed) => state.to_shed = to_shed,
                None => self.permits.add_permits(1),
            }
        }
    }

    /// How many requests went well so far: whoever waits can tell whether others got through meanwhile.
    pub fn went_well(&self) -> u64 {
        self.state().went_well
    }

    /// Notes that a request waits because it was told to.
    pub fn wait(&self) -> Waits<'_> {
        self.waiting.fetch_add(1, Ordering::Relaxed);
        Waits(self)
    }

    /// Whether requests wait because they were told to, and others get through: there is room for more work (F113).
    pub fn is_pacing(&self) -> bool {
        self.waiting.load(Ordering::Relaxed) > 0 && self.permits.available_permits() > 0
    }

    /// The server is overloaded or says that this is too much: half of it. Whoever was refused waits for as long as he
    /// was reported; everyone does only if nobody gets through any more (F113).
    pub fn complaint(&self, pause: Option<Duration>) {
        let now = Instant::now();
        let mut state = self.state();
        state.refused_in_row = state.refused_in_row.saturating_add(1);
        let closed = state.refused_in_row >= CLOSED.min(u32::try_from(state.cap).unwrap_or(CLOSED));
        if closed {
            state.not_before = state.not_before.max(pause.map(|pause| now + pause));
        }
        if state.last_cut.is_some_and(|last| now.duration_since(last) < BURST) {
            return;
        }
        state.last_cut = Some(now);
        state.streak = 0;
        let floor = if pause.is_some() && !closed { FLOOR.min(state.limit) } else { 1 };
        let limit = (state.limit / 2).max(floor);
        self.lower(&mut state, limit);
    }
}

impl Drop for Permit<'_> {
    fn drop(&mut self) {
        let mut state = self.throttle.state();
        match state.to_shed.checked_sub(1) {
            Some(to_shed) => state.to_shed = to_shed,
            None => self.throttle.permits.add_permits(1),
        }
    }
}

/// The deadline comes before its turn.
pub fn out_of_time() -> Fault {
    Fault::new(Cause::TimedOut, "the run's deadline passed before this could be asked; allow more time, or use shards")
}

fn closed() -> Fault {
    Fault::new(Cause::TimedOut, "the source was closed")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn the_limit_halves_and_grows_back() {
        let throttle = Throttle::new(8);
        let held = futures::future::join_all((0..8).map(|_| throttle.acquire(None))).await;
        throttle.complaint(None);
        throttle.complaint(None);
        assert_eq!(throttle.state().limit, 4, "two complaints of one burst cut once");
        drop(held);
        assert_eq!(throttle.permits.available_permits(), 4);
        (0..200).for_each(|_| throttle.well());
        assert_eq!(throttle.state().limit, 8);
        assert_eq!(throttle.permits.available_permits(), 8);
    }

    #[tokio::test]
    async fn sources_of_one_host_share_its_limit_and_the_smallest_cap() {
        let throttles = Throttles::default();
        let of = |url: &str, cap| throttles.for_url(&url.parse().unwrap(), cap);
        let first = of("https://r.example", 8);
        let held = futures::future::join_all((0..6).map(|_| first.acquire(None))).await;
        let second = of("https://R.example:443/", 4);
        assert!(Arc::ptr_eq(&first, &second));
        assert_eq!((first.cap(), first.permits.available_permits()), (4, 0));
        drop(held);
        assert_eq!(first.permits.available_permits(), 4);
        assert_eq!(of("https://r.example", 99).cap(), 4);
        for other in ["https://r.example:444", "http://r.example", "https://s.example"] {
            assert!(!Arc::ptr_eq(&first, &of(other, 8)), "{other}");
        }
    }

    #[tokio::test]
    async fn a_pause_past_the_deadline_is_not_waited_for_f32() {
        let throttle = Throttle::new(8);
        (0..CLOSED).for_each(|_| throttle.complaint(Some(Duration::from_secs(60))));
        let start = Instant::now();
        let fault = throttle.acquire(Some(start + Duration::from_secs(1))).await.unwrap_err();
        assert_eq!(fault.cause, Cause::Throttled);
        assert!(start.elapsed() < Duration::from_secs(1));
        assert_eq!(throttle.permits.available_permits(), 8, "the permit came back");
    }

    #[tokio::test]
    async fn a_host_that_refuses_some_is_paced_and_one_that_refuses_all_is_left_alone_f113() {
        let throttle = Throttle::new(64);
        let end = Some(Instant::now() + Duration::from_secs(1));
        for _ in 0..200 {
            (0..CLOSED - 1).for_each(|_| throttle.complaint(Some(Duration::from_secs(60))));
            throttle.well();
            assert!(throttle.acquire(end).await.is_ok(), "nobody else waits for what one was told");
        }
        {
            let mut state = throttle.state();
            (state.limit, state.last_cut) = (FLOOR, None);
        }
        throttle.complaint(Some(Duration::from_secs(60)));
        assert_eq!(throttle.state().limit, FLOOR, "refusals that have nothing to do with numbers stop nothing");
        (0..CLOSED).for_each(|_| throttle.complaint(Some(Duration::from_secs(60))));
        assert!(throttle.acquire(end).await.is_err(), "nobody gets through: everyone waits");
    }
}
