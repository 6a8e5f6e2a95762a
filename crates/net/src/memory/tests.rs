use std::collections::HashMap;

use super::*;

#[test]
fn the_limit_is_the_smallest_on_the_way_up_i28() {
    let found = |groups: &str, files: &[(&str, &str)]| {
        let files: HashMap<&str, &str> = files.iter().copied().collect();
        smallest(groups, &|path| files.get(path).map(|text| (*text).to_owned()))
    };
    let v2 = "0::/kubepods/pod1/c1\n";
    assert_eq!(found(v2, &[("/sys/fs/cgroup/memory.max", "268435456\n")]), Some(256 << 20), "in a container");
    let tree = [
        ("/sys/fs/cgroup/kubepods/pod1/c1/memory.max", "max\n"),
        ("/sys/fs/cgroup/kubepods/pod1/memory.max", "1073741824\n"),
        ("/sys/fs/cgroup/kubepods/memory.max", "4294967296\n"),
    ];
    assert_eq!(found(v2, &tree), Some(1 << 30));
    let v1 = "12:cpu,cpuacct:/a\n9:memory:/a\n";
    assert_eq!(found(v1, &[("/sys/fs/cgroup/memory/a/memory.limit_in_bytes", "67108864")]), Some(64 << 20));
    assert_eq!(found(v1, &[("/sys/fs/cgroup/memory/a/memory.limit_in_bytes", "9223372036854771712")]), None);
    assert_eq!(found("0::/\n", &[("/sys/fs/cgroup/memory.max", "max")]), None);
    assert_eq!(found("nonsense", &[]), None);
}

#[test]
fn sizes_are_read_whole_or_not_at_all() {
    for (text, bytes) in [("256Mi", 256 << 20), ("1G", 1_000_000_000), ("1 GiB", 1 << 30), ("67108864", 64 << 20)] {
        assert_eq!(read_size(text), Ok(bytes), "{text}");
    }
    for text in ["", "Mi", "-1Gi", "1.5Gi", "12", "63Mi", "1T", "99999999999999999999Gi", "18446744073709551615Gi"] {
        assert!(read_size(text).is_err(), "{text:?}");
    }
}

#[tokio::test]
async fn who_grows_out_of_the_budget_comes_back_alone_f93_i28() {
    let admission = Admission::new(16 << 20);
    let (a, b) = (admission.enter(0).await, admission.enter(4 << 20).await);
    assert_eq!((a.take(4 << 20), b.take(4 << 20)), (Ok(()), Ok(())));
    assert_eq!(a.take(12 << 20), Err(Full), "the other has its part");
    assert!(!a.is_alone());
    drop(a);
    let waiting = admission.enter_alone();
    let mut waiting = std::pin::pin!(waiting);
    assert!(futures::poll!(&mut waiting).is_pending());
    drop(b);
    let alone = waiting.await;
    assert!(alone.is_alone());
    assert_eq!((alone.take(14 << 20), alone.take(2 << 20)), (Ok(()), Err(Full)));
    drop(alone);
    assert!(admission.enter(usize::MAX).await.is_alone(), "known to be too large: alone from the start");
    assert_eq!(Reservation::unlimited().take(usize::MAX), Ok(()));
}

#[test]
fn what_is_set_aside_is_counted_until_it_is_let_go_i28() {
    static ASIDE: AtomicUsize = AtomicUsize::new(0);
    let (one, other) = (Aside::at(&ASIDE, 3), Aside::at(&ASIDE, 4));
    assert_eq!(ASIDE.load(Ordering::Relaxed), 7);
    drop(one);
    assert_eq!(ASIDE.load(Ordering::Relaxed), 4);
    drop(other);
}

/// Whoever takes a part takes it from another.
#[test]
fn what_all_may_take_together_is_what_there_is_i28() {
    for bytes in [0, LEAST, LEAST + 1, 100 << 20, 256 << 20, 1 << 30, UNLIMITED, 64 << 30] {
        let budget = Budget { bytes, limited: true };
        let bodies = 2 * budget.bodies() as u64;
        for (beside, aside) in [(false, 0), (true, budget.aside() as u64)] {
            let repositories = budget.for_repositories(beside);
            assert_eq!(repositories + aside + bodies, budget.working(), "of {bytes} bytes, {beside}");
            assert!(repositories >= budget.working() / 4, "of {bytes} bytes, {beside}: {repositories}");
        }
    }
}

#[tokio::test]
async fn few_large_bodies_or_many_small_ones_are_in_flight_i20_i28() {
    let flight = Flight::new(8 << 20);
    let large = flight.enter(usize::MAX).await;
    {
        let mut second = std::pin::pin!(flight.enter(1));
        assert!(futures::poll!(&mut second).is_pending(), "one that takes all is alone");
        drop(large);
        let _second = second.await;
        let mut third = std::pin::pin!(flight.enter(8 << 20));
        assert!(futures::poll!(&mut third).is_pending(), "and waits for the small ones");
    }
    let mut small = Vec::new();
    for _ in 0..128 {
        small.push(flight.enter(64 << 10).await);
    }
    assert!(futures::poll!(std::pin::pin!(flight.enter(0))).is_pending());
}

#[test]
fn what_may_be_in_flight_leaves_room_for_the_rest_i28() {
    let working = |mib: u64| Budget { bytes: mib << 20, limited: true }.working() >> 20;
    assert_eq!((working(256), working(512), working(1)), (182, 412, 16));
    assert_eq!(Budget { bytes: 256 << 20, limited: true }.part(8, 1 << 20, 16 << 20), 16 << 20);
    let threads = |mib: u64| Budget { bytes: mib << 20, limited: true }.threads();
    assert_eq!((threads(64), threads(256), threads(1024), threads(64 << 10)), (2, 2, 9, 16));
}
