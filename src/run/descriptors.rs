//! How many connections there may be, given how many files this process may have open (F95). Connections are what a
//! run has most of; were they to take every descriptor, it would be the ledger that fails.

/// For everything but connections to sources: standard streams, the runtime, name resolution, the spool, the ledger's
/// files or its store's connections.
const RESERVED: usize = 32;

/// The most connections for each of so many sources; none if the system does not say.
pub(super) fn connections(sources: usize) -> Option<usize> {
    let limits = std::fs::read_to_string("/proc/self/limits").ok()?;
    Some(share(soft_limit(&limits)?, sources))
}

fn share(descriptors: usize, sources: usize) -> usize {
    // Where there is less than is reserved, one after the other is the most that can be tried.
    (descriptors.saturating_sub(RESERVED) / sources.max(1)).max(1)
}

/// Linux's table: `Max open files   1024   1048576   files`; `unlimited` is no limit.
fn soft_limit(limits: &str) -> Option<usize> {
    let line = limits.lines().find_map(|line| line.strip_prefix("Max open files"))?;
    line.split_whitespace().next()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn connections_leave_room_for_the_ledger_f95() {
        let limits = "Limit                     Soft Limit           Hard Limit           Units     \n\
                      Max processes             unlimited            unlimited            processes \n\
                      Max open files            64                   1048576              files     \n";
        assert_eq!(soft_limit(limits), Some(64));
        assert_eq!(soft_limit(&limits.replace("64  ", "unlimited")), None);
        assert_eq!(share(64, 1), 32);
        assert_eq!(share(64, 4), 8);
        assert_eq!(share(20, 3), 1);
        assert_eq!(share(1024, 0), 992);
    }
}
