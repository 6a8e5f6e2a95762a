//! One pool of memory for all threads, where memory is limited. The C library's allocator has one for each thread, and what
//! one thread let go of is of no use to the others: in a run over 200,000 tags that is two fifths of all that is held. Only
//! a variable that is there when a program starts says otherwise.

/// What glibc reads. Set by anybody, it is left as it is.
const POOLS: &str = "MALLOC_ARENA_MAX";

/// Starts this program again in its own place with that variable set: the same process, arguments and open files. Where
/// that is not possible it goes on as it is.
#[cfg(all(target_os = "linux", target_env = "gnu"))]
pub(crate) fn share_one_pool() {
    use std::os::unix::process::CommandExt as _;

    if !super::budget().limited || std::env::var_os(POOLS).is_some() {
        return;
    }
    let mut arguments = std::env::args_os();
    let (Some(name), Ok(program)) = (arguments.next(), std::env::current_exe()) else { return };
    // Comes back only if it failed.
    let _ = std::process::Command::new(program).arg0(name).args(arguments).env(POOLS, "1").exec();
}

/// Other allocators have no such pools, or give back what they do not need.
#[cfg(not(all(target_os = "linux", target_env = "gnu")))]
pub(crate) fn share_one_pool() {
    let _ = POOLS;
}
