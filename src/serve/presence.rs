//! Whether the bytes are there that the state promises, as far as a start can tell without taking long.
//!
//! A log that was restored from an export comes without its content. The registry serves all the same, and answers 404 for what
//! is missing; an operator should hear of that before a client does.

use tagstone_replay::fold::State;
use tagstone_schema::Digest;

use crate::content::ContentStore;

/// How many manifests and how many blobs are looked for: some milliseconds' worth of looking up files.
const LOOKED_FOR: usize = 1_000;

/// Warns if content is missing.
pub(super) fn warn_of_missing(state: &State, content: &ContentStore) {
    let (looked_for, missing) = missing(state, content, LOOKED_FOR);
    if missing > 0 {
        tracing::warn!(
            missing,
            looked_for,
            "content is missing, and is answered with 404; bring back the directories `blobs` and `segments`. \
             `tagstone-replay verify --blobs` lists all that is missing"
        );
    }
}

/// How many of the first manifests and blobs were looked for, and how many of those are missing.
fn missing(state: &State, content: &ContentStore, most: usize) -> (usize, usize) {
    let repositories = || state.repositories().map(|(_, repository)| repository);
    let manifests = repositories().flat_map(|one| one.manifests().map(|manifest| &manifest.digest)).take(most);
    let blobs = repositories().flat_map(|one| one.blobs().map(|(digest, _)| digest)).take(most);
    manifests
        .chain(blobs)
        .fold((0, 0), |(all, missing), digest: &Digest| (all + 1, missing + usize::from(!content.contains(digest))))
}
