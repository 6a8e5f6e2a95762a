//! How much memory this process may use: a budget that decides how much is in flight (I28). It is the process's, as the
//! kernel's limit is, so it is asked for here and handed through nowhere.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};

use prodpin_core::outcome::size;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

/// Said on the command line or in the environment. Set once, before anything asks.
static STATED: OnceLock<u64> = OnceLock::new();

/// The least that anything can be done in.
pub const LEAST: u64 = 64 << 20;

/// What is planned with where nothing limits this process: enough for a repository of a million tags.
const UNLIMITED: u64 = 4 << 30;

/// What the program takes before it looks at anything: code, runtime, TLS, the ledger's index.
const BASE: u64 = 48 << 20;

/// States the budget in bytes. The first word counts.
pub fn state(bytes: u64) {
    let _ = STATED.set(bytes);
}

/// The budget in bytes, and who says so.
pub fn budget() -> Budget {
    static FOUND: OnceLock<Option<u64>> = OnceLock::new();
    match STATED.get() {
        Some(stated) => Budget { bytes: *stated, limited: true },
        None => match FOUND.get_or_init(|| lambda().or_else(cgroup)) {
            Some(limit) => Budget { bytes: *limit, limited: true },
            None => Budget { bytes: UNLIMITED, limited: false },
        },
    }
}

/// How much memory there is to plan with.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Budget {
    bytes: u64,
    /// Whether anybody or anything set a limit.
    pub limited: bool,
}

impl Budget {
    /// What may be in flight: the budget without what the program itself takes, and without a tenth for the allocator.
    pub fn working(self) -> u64 {
        let bytes = self.bytes.max(LEAST);
        (bytes - bytes / 10).saturating_sub(BASE).max(LEAST / 4)
    }

    /// How many threads may keep memory of their own.
    pub fn threads(self) -> usize {
        self.part(96 << 20, 2, 16)
    }

    /// A part of what may be in flight, within these bounds.
    pub fn part(self, of: u64, least: u64, most: u64) -> usize {
        usize::try_from((self.working() / of.max(1)).clamp(least, most)).unwrap_or(usize::MAX)
    }
}

/// A function has no control group: its service says in megabytes what it has.
fn lambda() -> Option<u64> {
    let megabytes: u64 = std::env::var("AWS_LAMBDA_FUNCTION_MEMORY_SIZE").ok()?.parse().ok()?;
    megabytes.checked_mul(1 << 20)
}

/// The memory limit of the control group that this process is in, v2 or v1. A limit above it in the tree holds as well.
fn cgroup() -> Option<u64> {
    let read = |path: &str| std::fs::read_to_string(path).ok();
    smallest(&read("/proc/self/cgroup")?, &|path| read(path))
}

fn smallest(groups: &str, read: &dyn Fn(&str) -> Option<String>) -> Option<u64> {
    let mut limits = Vec::new();
    for line in groups.lines() {
        let mut parts = line.splitn(3, ':');
        let (Some(_), Some(controllers), Some(group)) = (parts.next(), parts.next(), parts.next()) else { continue };
        let (root, file) = match controllers {
            "" => ("/sys/fs/cgroup", "memory.max"),
            _ if controllers.split(',').any(|name| name == "memory") => {
                ("/sys/fs/cgroup/memory", "memory.limit_in_bytes")
            }
            _ => continue,
        };
        // In a container the group's own path often is not there, and the mount's root is the group.
        let mut group = group.trim_end_matches('/');
        loop {
            limits.extend(read(&format!("{root}{group}/{file}")).and_then(|text| limit(&text)));
            match group.rsplit_once('/') {
                Some((above, _)) => group = above,
                None => break,
            }
        }
    }
    limits.into_iter().min()
}

/// `max`, and v1's number that is no limit, are none.
fn limit(text: &str) -> Option<u64> {
    text.trim().parse().ok().filter(|bytes| *bytes < 1 << 50)
}

/// What is kept for as long as a source is open, such as an index of charts: counted in one place, because several sources
/// have some (I28).
#[derive(Debug)]
pub struct Aside {
    of: &'static AtomicUsize,
    bytes: usize,
}

static SET_ASIDE: AtomicUsize = AtomicUsize::new(0);

impl Aside {
    /// How much more may be set aside.
    pub fn room() -> usize {
        budget().aside().saturating_sub(SET_ASIDE.load(Ordering::Relaxed))
    }

    /// Counts what is kept from now on, until this is dropped.
    pub fn count(bytes: usize) -> Self {
        Self::at(&SET_ASIDE, bytes)
    }

    fn at(of: &'static AtomicUsize, bytes: usize) -> Self {
        of.fetch_add(bytes, Ordering::Relaxed);
        Self { of, bytes }
    }
}

impl Drop for Aside {
    fn drop(&mut self) {
        self.of.fetch_sub(self.bytes, Ordering::Relaxed);
    }
}

/// What is set aside is at most this part of what may be in flight, and repositories then have the rest.
const ASIDE_PART: u64 = 2;

/// No index of charts takes more.
const MOST_ASIDE: u64 = 512 << 20;

impl Budget {
    /// What sources may set aside, all together. No least: it would be taken from what repositories have.
    fn aside(self) -> usize {
        self.part(ASIDE_PART, 0, MOST_ASIDE)
    }

    /// What repositories may take, where sources set something aside or do not: what is left beside that and beside bodies
    /// of manifests and what these consist of.
    pub fn for_repositories(self, beside: bool) -> u64 {
        let working = self.working();
        let aside = if beside { self.aside() as u64 } else { 0 };
        let bodies = 2 * self.bodies() as u64;
        working.saturating_sub(aside + bodies)
    }

    /// What bodies of manifests may take; and what artifacts may consist of.
    fn bodies(self) -> usize {
        self.part(BODIES_PART, LEAST / 32, 256 << 20)
    }
}

/// Bodies of manifests and what parsing makes of them, whoever reads them: they are no part of any repository's
/// reservation, because whoever may push decides how large they are (I20, I28). Few large ones are in memory at once, and
/// many small ones. Nobody waits for one of these while holding one, so nobody waits for ever.
#[derive(Debug)]
pub struct Flight {
    free: Arc<Semaphore>,
    units: u32,
}

/// What one body, or one artifact's parts, may take until this is dropped.
#[derive(Debug)]
pub struct InFlight {
    _permit: Option<OwnedSemaphorePermit>,
}

impl Flight {
    fn new(bytes: usize) -> Self {
        let units = units(bytes).max(1);
        Self { free: Arc::new(Semaphore::new(units as usize)), units }
    }

    /// Waits until there is room for so much; for more than there is in all, until nobody else has any.
    pub async fn enter(&self, bytes: usize) -> InFlight {
        let wanted = units(bytes).clamp(1, self.units);
        // Never closed, so this never fails.
        InFlight { _permit: self.free.clone().acquire_many_owned(wanted).await.ok() }
    }
}

/// What may be in flight of bodies that are read and parsed.
pub fn bodies() -> &'static Flight {
    static BODIES: OnceLock<Flight> = OnceLock::new();
    BODIES.get_or_init(|| Flight::new(budget().bodies()))
}

/// What artifacts may consist of, while their parts are asked for.
pub fn closures() -> &'static Flight {
    static CLOSURES: OnceLock<Flight> = OnceLock::new();
    CLOSURES.get_or_init(|| Flight::new(budget().bodies()))
}

/// Each of the two has this part of what may be in flight.
const BODIES_PART: u64 = 8;

/// One permit of an admission: the smallest amount that is distinguished.
const UNIT: usize = 64 << 10;

/// What a repository takes beside its tags: pages, connections, its targets' manifests.
const EACH_REPOSITORY: usize = 1 << 20;

/// Lets repositories in as long as there is memory for them (I28). Nobody waits while it holds a reservation, so that
/// nobody waits for ever: who has grown out of what is left gives all of it back, and comes again to be alone.
#[derive(Debug, Clone)]
pub struct Admission {
    free: Arc<Semaphore>,
    units: u32,
}

impl Admission {
    /// Over this many bytes.
    pub fn new(bytes: u64) -> Self {
        let units = u32::try_from(bytes / UNIT as u64).unwrap_or(u32::MAX).max(1);
        Self { free: Arc::new(Semaphore::new(units as usize)), units }
    }

    /// Waits until there is room for what a repository is known to take.
    pub async fn enter(&self, bytes: usize) -> Reservation {
        let wanted = units(bytes.saturating_add(EACH_REPOSITORY));
        self.reserve(wanted.min(self.units)).await
    }

    /// Waits until there is nobody else.
    pub async fn enter_alone(&self) -> Reservation {
        self.reserve(self.units).await
    }

    async fn reserve(&self, wanted: u32) -> Reservation {
        // Never closed, so this never fails.
        let permit = self.free.clone().acquire_many_owned(wanted).await.ok();
        let held = Share { permit, used: EACH_REPOSITORY, full: false };
        Reservation { of: Some((self.clone(), Mutex::new(held))), alone: wanted == self.units }
    }
}

fn units(bytes: usize) -> u32 {
    u32::try_from(bytes.div_ceil(UNIT)).unwrap_or(u32::MAX)
}

/// Memory that a repository may take while it is looked at.
#[derive(Debug)]
pub struct Reservation {
    of: Option<(Admission, Mutex<Share>)>,
    alone: bool,
}

#[derive(Debug)]
struct Share {
    permit: Option<OwnedSemaphorePermit>,
    used: usize,
    /// Whether more was wanted than there was.
    full: bool,
}

/// There is no more memory for a repository.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Full;

impl Reservation {
    /// One that never ends.
    #[must_use]
    pub fn unlimited() -> Self {
        Self { of: None, alone: true }
    }

    /// Of so many bytes and no more, for a look by itself.
    #[must_use]
    pub fn with_limit(bytes: u64) -> Self {
        let admission = Admission::new(bytes);
        let permit = admission.free.clone().try_acquire_many_owned(admission.units).ok();
        Self { of: Some((admission, Mutex::new(Share { permit, used: 0, full: false }))), alone: true }
    }

    /// Whether nobody else holds any: then there is no more to wait for.
    pub fn is_alone(&self) -> bool {
        self.alone
    }

    /// Whether more was wanted than there was.
    pub fn was_full(&self) -> bool {
        let held = self.of.as_ref().map(|(_, held)| held.lock().unwrap_or_else(PoisonError::into_inner));
        held.is_some_and(|held| held.full)
    }

    /// Counts what is about to be kept.
    pub fn take(&self, bytes: usize) -> Result<(), Full> {
        let Some((admission, held)) = &self.of else { return Ok(()) };
        let mut held = held.lock().unwrap_or_else(PoisonError::into_inner);
        let taken = held.take(admission, bytes);
        held.full |= taken.is_err();
        taken
    }
}

impl Share {
    fn take(&mut self, admission: &Admission, bytes: usize) -> Result<(), Full> {
        let held = self;
        let needed = held.used.saturating_add(bytes);
        let has = held.permit.as_ref().map_or(0, OwnedSemaphorePermit::num_permits);
        let more = (units(needed) as usize).saturating_sub(has);
        if more > 0 {
            let more = u32::try_from(more).map_err(|_| Full)?;
            let permit = admission.free.clone().try_acquire_many_owned(more).map_err(|_| Full)?;
            match &mut held.permit {
                Some(permits) => permits.merge(permit),
                none => *none = Some(permit),
            }
        }
        held.used = needed;
        Ok(())
    }
}

/// Reads a size to plan with, which is not less than what anything needs.
pub fn read_size(text: &str) -> Result<u64, String> {
    let bytes = size::read(text)?;
    match bytes < LEAST {
        true => Err(format!("write at least {}Mi", LEAST >> 20)),
        false => Ok(bytes),
    }
}

#[cfg(test)]
mod tests;
