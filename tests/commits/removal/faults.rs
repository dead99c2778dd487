//! Removals whose record cannot be written: no bytes go without it.

use std::time::Duration;

use tagstone::registry::{CollectError, CollectRules, Purged, RemovalError, Way, WriteError};
use tagstone_replay::log::memory::Fault;

use super::Site;
use crate::commands::{delete_manifest, digest_of, link, push, tag};
use crate::registry::Answer;

#[test]
fn no_bytes_go_without_their_record() {
    // What survives of the write that failed decides what the next start finds.
    for (fault, is_recorded) in [(Fault::LoseAll, false), (Fault::KeepAll, true), (Fault::KeepFirst, true)] {
        for by_purge in [true, false] {
            let site = Site::new(CollectRules { grace: Duration::ZERO, untagged: None });
            let mut begun = vec![link("a", "blob 1"), push("a", "image 1", &["blob 1"], &["t"])];
            if !by_purge {
                begun.push(delete_manifest("a", "image 1"));
            }
            begun.into_iter().for_each(|one| assert!(matches!(site.submit(one), Answer::Committed(_))));
            site.let_pass(Duration::from_secs(1));
            site.log.fail_next(fault);
            let is_poisoned = if by_purge {
                let done = site.purge("a", Purged::Tag(tag("t")));
                matches!(done, Err(RemovalError::Write(WriteError::Poisoned(_))))
            } else {
                matches!(site.collect(Way::Delete), Err(CollectError::Write(WriteError::Poisoned(_))))
            };
            assert!(is_poisoned, "{fault:?}");
            let contents = ["blob 1", "image 1"].map(digest_of);
            let is_there = |site: &Site| contents.each_ref().map(|of| site.bytes.kept().contents.contains_key(of));
            assert_eq!(is_there(&site), [true, true], "{fault:?}, by a purge: {by_purge}");
            let site = site.restarted();
            assert!(site.removal.collector.finish_removals().unwrap());
            assert_eq!(is_there(&site), [!is_recorded; 2], "{fault:?}, by a purge: {by_purge}");
            let state = site.registry.published.snapshot().state.clone();
            assert_eq!(contents.each_ref().map(|of| state.knows(of)), [!is_recorded; 2]);
            drop(state);
            site.end();
        }
    }
}

#[test]
fn space_is_given_back_by_every_collection_and_behind_purges() {
    let site = Site::new(CollectRules { grace: Duration::ZERO, untagged: None });
    let compacted = |site: &Site| site.disk.faults.lock().unwrap().compacted;
    for one in [link("a", "blob 1"), push("a", "image 1", &["blob 1"], &["t"])] {
        assert!(matches!(site.submit(one), Answer::Committed(_)));
    }
    site.removal.collector.give_back_purged_space();
    assert_eq!(compacted(&site), 0, "nothing was purged");
    site.purge("a", Purged::Tag(tag("t"))).unwrap();
    assert_eq!(compacted(&site), 0, "a purge does not wait for it");
    site.removal.collector.give_back_purged_space();
    assert_eq!(compacted(&site), 1);
    site.removal.collector.give_back_purged_space();
    site.collect(Way::Dry).unwrap();
    assert_eq!(compacted(&site), 1);
    assert_eq!(site.collect(Way::Delete).unwrap().removed.count, 0);
    assert_eq!(compacted(&site), 2);
    site.end();
}
