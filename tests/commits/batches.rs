//! One batch: its order, what is shown when, and what one command cannot do to the others.

use std::sync::{Arc, Mutex};

use tagstone::registry::{Published, Rejection};
use tagstone_replay::log::Log;
use tagstone_replay::log::memory::MemoryLog;
use tagstone_schema::limits;

use crate::commands::{delete_blob, delete_manifest, digest_of, image, link, name, push, put};
use crate::fake_disk::Step;
use crate::registry::{Answer, Registry, answers, begin, folded, records, told_by};

#[test]
fn each_command_meets_what_the_one_before_left() {
    let (mut registry, log) = Registry::in_memory(100);
    let in_use = Rejection::InUse { repository: name("a"), digest: digest_of("blob"), by: vec![digest_of("image")] };
    let answers = registry.commit(vec![
        link("a", "blob"),
        push("a", "image", &["blob"], &["x", "y"]),
        delete_blob("a", "blob"),
        push("a", "image", &["blob"], &["x"]),
        delete_manifest("a", "image"),
        delete_blob("a", "blob"),
        delete_blob("a", "blob"),
    ]);
    let unknown = Rejection::BlobUnknown { repository: name("a"), digest: digest_of("blob") };
    let expected = [
        Answer::Committed(2),
        Answer::Committed(3),
        Answer::Rejected(in_use),
        Answer::Unchanged,
        Answer::Committed(4),
        Answer::Committed(5),
        Answer::Rejected(unknown),
    ];
    assert_eq!(answers, expected);
    assert_eq!(registry.tally.0.lock().unwrap().0, [4], "one batch");
    assert_eq!(registry.seen(), told_by(&log));
}

#[test]
fn a_push_under_many_tags_is_one_record() {
    let (mut registry, log) = Registry::in_memory(100);
    assert_eq!(registry.commit(vec![push("a", "image", &[], &["x", "y", "z"])]), [Answer::Committed(2)]);
    assert_eq!(records(&log)[1].events.len(), 4);
}

#[test]
fn a_batch_is_no_larger_than_its_bound() {
    let (mut registry, log) = Registry::in_memory(2);
    let blobs: Vec<_> = (0..5).map(|blob| link("a", &blob.to_string())).collect();
    registry.commit(blobs);
    assert_eq!(registry.tally.0.lock().unwrap().0, [2, 2, 1]);
    assert_eq!(log.head().seq, 6);
}

#[test]
fn nothing_is_shown_or_answered_before_all_of_it_is_durable() {
    let mut log = MemoryLog::default();
    begin(&mut log);
    let before = told_by(&log);
    let readers: Arc<Mutex<Option<Published>>> = Arc::default();
    let (go_on, gate) = std::sync::mpsc::channel();
    let (arrived, arrivals) = std::sync::mpsc::channel();
    let at = {
        let readers = readers.clone();
        Arc::new(Mutex::new(move |step| {
            let seen = readers.lock().unwrap().as_ref().unwrap().snapshot();
            arrived.send((step, seen.head, seen.state.fingerprint().to_string())).unwrap();
            gate.recv().unwrap();
        }))
    };
    let mut registry = Registry::watched(log.clone(), folded(&log), 100, at);
    *readers.lock().unwrap() = Some(registry.published.clone());
    let mut waiting = vec![registry.queue(link("a", "blob")), registry.queue(push("a", "image", &["blob"], &["x"]))];
    registry.start();
    for expected in [Step::Storing, Step::Stored, Step::Appending, Step::Appended] {
        let (step, head, fingerprint) = arrivals.recv().unwrap();
        assert_eq!((step, (head, fingerprint)), (expected, before.clone()));
        for one in &mut waiting {
            assert!(futures_util::FutureExt::now_or_never(one).is_none(), "answered at {step:?}");
        }
        assert_eq!(log.head().seq, if step == Step::Appended { 3 } else { 1 });
        go_on.send(()).unwrap();
    }
    assert_eq!(answers(waiting), [Answer::Committed(2), Answer::Committed(3)]);
    assert_eq!(registry.seen(), told_by(&log));
}

#[test]
fn whoever_was_answered_reads_what_was_committed() {
    let (mut registry, _log) = Registry::in_memory(100);
    registry.start();
    for blob in 0..50 {
        let Answer::Committed(seq) = registry.submit(link("a", &blob.to_string())) else { panic!("not committed") };
        assert_eq!(registry.published.load().head.seq, seq);
    }
}

#[test]
fn a_command_is_committed_although_its_client_has_gone() {
    let (mut registry, log) = Registry::in_memory(100);
    let gone = registry.queue(link("a", "blob"));
    let stays = registry.queue(push("a", "image", &["blob"], &[]));
    drop(gone);
    registry.start();
    assert_eq!(answers(vec![stays]), [Answer::Committed(3)]);
    assert_eq!(log.head().seq, 3);
    assert!(registry.bytes.kept().contents.contains_key(&digest_of("blob")));
}

#[test]
fn a_change_too_large_for_a_record_is_refused_alone() {
    let blobs: Vec<_> = (0..2_400).map(|blob| blob.to_string()).collect();
    let mut large = image("a", "large", &[], &["x"]);
    large.references = blobs.iter().map(|blob| digest_of(blob)).collect();
    let (mut registry, log) = Registry::in_memory(100);
    let answers = registry.commit(vec![
        push("a", "before", &[], &["x"]),
        put(large),
        push("a", "after", &[], &["y"]),
        delete_manifest("a", "large"),
    ]);
    let unknown = Rejection::ManifestUnknown { repository: name("a"), digest: digest_of("large") };
    let expected = [
        Answer::Committed(2),
        Answer::Rejected(Rejection::TooLarge { limit: limits::RECORD_BYTES }),
        Answer::Committed(3),
        Answer::Rejected(unknown),
    ];
    assert_eq!(answers, expected);
    assert!(!registry.bytes.kept().contents.contains_key(&digest_of("large")));
    assert_eq!(registry.seen(), told_by(&log));
}

/// The name is reserved, which the network side refuses and the decision does not ask: the fold stands behind both.
#[test]
fn an_illegal_event_is_a_bug_that_harms_nobody_else() {
    let (mut registry, log) = Registry::in_memory(100);
    let answers = registry.commit(vec![
        push("a", "before", &[], &["x"]),
        link("as-of/seq-1/a", "blob"),
        push("a", "after", &[], &["x"]),
        push("as-of/seq-1/a", "image", &[], &["x"]),
    ]);
    assert_eq!(answers, [Answer::Committed(2), Answer::Bug, Answer::Committed(3), Answer::Bug]);
    assert!(!registry.handle.is_poisoned());
    assert!(!registry.bytes.kept().contents.contains_key(&digest_of("blob")));
    assert_eq!(registry.seen(), told_by(&log));
    assert_eq!(registry.submit(link("a", "blob")), Answer::Committed(4));
}

#[test]
fn a_push_of_what_is_known_brings_its_bytes_back_and_writes_no_record() {
    let (mut registry, log) = Registry::in_memory(100);
    let image = || push("a", "image", &["blob"], &["x"]);
    registry.commit(vec![link("a", "blob"), image()]);
    let before = (log.head(), registry.seen());
    registry.bytes.kept().contents.clear();
    assert_eq!(registry.submit(link("a", "blob")), Answer::Unchanged);
    assert_eq!(registry.submit(image()), Answer::Unchanged);
    let mut file = link("a", "blob");
    file.contents.clear();
    file.renamed.push(digest_of("blob"));
    assert_eq!(registry.submit(file), Answer::Unchanged);
    let kept = registry.bytes.kept();
    assert_eq!(kept.contents.len(), 2);
    assert!(kept.renamed.contains(&digest_of("blob")));
    drop(kept);
    assert_eq!((log.head(), registry.seen()), before);
}

#[test]
fn the_bytes_of_a_refused_command_are_not_kept() {
    let (mut registry, log) = Registry::in_memory(100);
    let answers = registry.commit(vec![push("a", "image", &["missing"], &["x"])]);
    assert!(matches!(&answers[..], [Answer::Rejected(Rejection::ReferencesMissing { .. })]));
    assert!(registry.bytes.kept().contents.is_empty());
    assert_eq!(log.head().seq, 1);
}

#[test]
fn what_waits_when_the_registry_stops_is_committed() {
    let (mut registry, log) = Registry::in_memory(1);
    let waiting: Vec<_> = (0..10).map(|blob| registry.queue(link("a", &blob.to_string()))).collect();
    assert_eq!(registry.handle.waiting(), 10);
    registry.start();
    drop(registry);
    assert!(answers(waiting).iter().all(|one| matches!(one, Answer::Committed(_))));
    assert_eq!(log.head().seq, 11);
}
