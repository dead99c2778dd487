//! File descriptors: as many as the system allows, and no more connections than they suffice for.

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

/// For the log, segments, directories that are synced, and whatever libraries open.
const RESERVED: u64 = 256;

/// A connection has two handles, and its request may have two files open.
const A_CONNECTION: u64 = 4;

/// Raises the limit of this process to what it may have, and returns how many of the wanted connections it can carry:
/// without a descriptor to spare, a commit could not sync its directories.
pub(super) fn affordable(wanted: usize) -> usize {
    let mut limit = getrlimit(Resource::Nofile);
    if limit.current < limit.maximum || (limit.maximum.is_none() && limit.current.is_some()) {
        // Where this is refused, the limit is what it was.
        let _ = setrlimit(Resource::Nofile, Rlimit { current: limit.maximum, maximum: limit.maximum });
        limit = getrlimit(Resource::Nofile);
    }
    let most = suffices_for(limit.current);
    if most < wanted {
        tracing::warn!(
            connections = most,
            wanted,
            "fewer connections are accepted than are set: the limit on open files (RLIMIT_NOFILE) allows no more"
        );
    }
    wanted.min(most)
}

/// How many connections a number of descriptors suffices for; always a few. No number is no limit.
fn suffices_for(descriptors: Option<u64>) -> usize {
    let Some(descriptors) = descriptors else { return usize::MAX };
    usize::try_from(descriptors.saturating_sub(RESERVED) / A_CONNECTION).unwrap_or(usize::MAX).max(8)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn connections_leave_descriptors_for_commits() {
        for (descriptors, connections) in
            [(None, usize::MAX), (Some(1_048_576), 262_080), (Some(1024), 192), (Some(256), 8), (Some(0), 8)]
        {
            assert_eq!(suffices_for(descriptors), connections, "{descriptors:?}");
        }
    }
}
