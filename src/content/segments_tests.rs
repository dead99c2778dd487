use std::fs;
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};

use tagstone_replay::content::scan::Scanner;
use tagstone_replay::content::segment::{HEADER_BYTES, encode_header};
use tagstone_replay::content::{ContentProblem, ContentReader};
use tagstone_schema::Algorithm;

use super::*;

#[path = "damage_tests.rs"]
mod damage;

const SMALL_SEGMENT: u64 = 4096;

fn content(text: &str) -> (Digest, Bytes) {
    let text = format!("{text:-<100}");
    (hash_of(Algorithm::Sha256, text.as_bytes()), Bytes::from(text))
}

fn directory() -> (tempfile::TempDir, Layout) {
    let directory = tempfile::tempdir().unwrap();
    let layout = Layout::new(directory.path().join("data"));
    (directory, layout)
}

/// Three contents in a segment that is cut behind them, as its bytes.
fn three(layout: &Layout) -> ([(Digest, Bytes); 3], Vec<u8>, Vec<Entry>) {
    let contents = ["first", "second", "third"].map(content);
    SegmentStore::open(layout).unwrap().append(&contents).unwrap();
    let entries: Vec<_> =
        Scanner::new(1, &File::open(layout.segment(1)).unwrap()).unwrap().collect::<io::Result<_>>().unwrap();
    let mut bytes = fs::read(layout.segment(1)).unwrap();
    bytes.truncate(usize::try_from(entries[2].end()).unwrap());
    (contents, bytes, entries)
}

fn states(layout: &Layout, number: u32) -> Vec<State> {
    Scanner::new(number, &File::open(layout.segment(number)).unwrap())
        .unwrap()
        .map(|entry| entry.unwrap().state)
        .collect()
}

fn holds_anywhere(root: &Path, marker: &[u8]) -> bool {
    fs::read_dir(root).unwrap().map(|file| file.unwrap().path()).any(|path| {
        if path.is_dir() {
            holds_anywhere(&path, marker)
        } else {
            fs::read(path).unwrap().windows(marker.len()).any(|window| window == marker)
        }
    })
}

/// A store of several segments: eight contents, of which the first six are in sealed ones.
fn several(layout: &Layout) -> (SegmentStore, Vec<(Digest, Bytes)>) {
    let store = SegmentStore::open_with(layout, SMALL_SEGMENT).unwrap();
    let contents: Vec<_> = (0..8)
        .map(|n| {
            let bytes = Bytes::from(format!("marker-{n}-").repeat(120));
            (hash_of(Algorithm::Sha256, &bytes), bytes)
        })
        .collect();
    for one in &contents {
        store.append(std::slice::from_ref(one)).unwrap();
    }
    (store, contents)
}

#[test]
fn contents_are_stored_once_and_survive() {
    let (_directory, layout) = directory();
    let store = SegmentStore::open(&layout).unwrap();
    let text = Bytes::from_static(b"with another algorithm");
    let empty = (hash_of(Algorithm::Sha256, b""), Bytes::new());
    let contents = [content("one"), (hash_of(Algorithm::Sha512, &text), text), content("one"), empty];
    for _ in 0..2 {
        store.append(&contents).unwrap();
    }
    store.append(&[]).unwrap();
    assert_eq!(states(&layout, 1), [State::Live; 3]);
    drop(store);
    let store = SegmentStore::open(&layout).unwrap();
    for (digest, bytes) in &contents {
        assert!(store.contains(digest));
        assert_eq!(store.len_of(digest), Some(bytes.len() as u64));
        assert_eq!(store.read(digest).unwrap().as_ref(), Some(bytes));
    }
    let (missing, _) = content("missing");
    assert!(!store.contains(&missing) && store.read(&missing).unwrap().is_none());
    assert_eq!((store.count(), store.len_of(&missing)), (3, None));
}

#[test]
fn a_torn_tail_costs_only_what_was_torn() {
    let (_directory, layout) = directory();
    let (contents, bytes, entries) = three(&layout);
    let from = usize::try_from(entries[2].offset).unwrap();
    let whole = from + HEADER_BYTES + contents[2].1.len();
    for cut in from..bytes.len() {
        let mut zeroed = bytes.clone();
        zeroed[cut..].fill(0);
        for image in [&bytes[..cut], &zeroed[..]] {
            fs::write(layout.segment(1), image).unwrap();
            let store = SegmentStore::open(&layout).unwrap();
            assert!(store.contains(&contents[0].0) && store.contains(&contents[1].0), "cut at {cut}");
            assert_eq!(store.contains(&contents[2].0), cut >= whole, "cut at {cut}");
            if cut % 16 == 0 {
                let next = content("next");
                store.append(&[next.clone(), contents[2].clone()]).unwrap();
                drop(store);
                let store = SegmentStore::open(&layout).unwrap();
                for (digest, bytes) in contents.iter().chain([&next]) {
                    assert_eq!(store.read(digest).unwrap().as_ref(), Some(bytes), "cut at {cut}");
                }
                // What is torn behind a sound header may have been acknowledged, for all that anybody can tell.
                let torn = states(&layout, 1).iter().filter(|state| **state != State::Live).count();
                assert!(torn <= usize::from((from + HEADER_BYTES..whole).contains(&cut)), "cut at {cut}");
            }
        }
    }
}

#[test]
fn a_header_within_content_hides_nothing_behind_it() {
    let (_directory, layout) = directory();
    let mut forged = vec![7; 600];
    let (victim, _) = content("victim");
    for (at, state) in [(40, State::Live), (168, State::Erased)] {
        let entry = Entry { digest: victim.clone(), offset: at + HEADER_BYTES as u64, length: 4000, state };
        let at = usize::try_from(at).unwrap();
        forged[at..at + HEADER_BYTES].copy_from_slice(&encode_header(1, &entry));
    }
    let forged = (hash_of(Algorithm::Sha256, &forged), Bytes::from(forged));
    let behind = content("behind");
    SegmentStore::open(&layout).unwrap().append(&[forged.clone(), behind.clone()]).unwrap();
    let mut bytes = fs::read(layout.segment(1)).unwrap();
    bytes[20] ^= 1;
    fs::write(layout.segment(1), &bytes).unwrap();
    let store = SegmentStore::open(&layout).unwrap();
    assert!(!store.contains(&forged.0) && !store.contains(&victim) && store.contains(&behind.0));
}

#[test]
fn segments_are_sealed_and_their_content_not_read_at_a_start() {
    let (_directory, layout) = directory();
    let (store, contents) = several(&layout);
    drop(store);
    assert!(layout.sidecar(1).exists() && layout.sidecar(2).exists());
    let mut bytes = fs::read(layout.segment(1)).unwrap();
    bytes[200] ^= 1;
    fs::write(layout.segment(1), &bytes).unwrap();
    let store = SegmentStore::open_with(&layout, SMALL_SEGMENT).unwrap();
    assert!(store.contains(&contents[0].0), "the sidecar was believed");
    assert!(store.read(&contents[0].0).is_err(), "but never the content");
    drop(store);
    fs::write(layout.sidecar(1), b"nonsense").unwrap();
    let store = SegmentStore::open_with(&layout, SMALL_SEGMENT).unwrap();
    assert!(!store.contains(&contents[0].0), "without a sidecar the segment is scanned");
    assert!(contents[1..].iter().all(|(digest, bytes)| store.read(digest).unwrap().as_ref() == Some(bytes)));
    assert!(fs::read(layout.sidecar(1)).unwrap().len() > 32, "and the sidecar made anew");
}

#[test]
fn erased_content_is_nowhere() {
    let (_directory, layout) = directory();
    let (store, contents) = several(&layout);
    let doomed = [contents[0].0.clone(), contents[7].0.clone(), content("never stored").0];
    assert!(holds_anywhere(layout.root(), b"marker-0-") && holds_anywhere(layout.root(), b"marker-7-"));
    assert_eq!(store.erase(&doomed).unwrap(), 2 * 9 * 120);
    assert_eq!(store.erase(&doomed).unwrap(), 0);
    let check = |store: &SegmentStore| {
        assert!(!holds_anywhere(layout.root(), b"marker-0-") && !holds_anywhere(layout.root(), b"marker-7-"));
        for (n, (digest, bytes)) in contents.iter().enumerate() {
            let want = (n != 0 && n != 7).then_some(bytes);
            assert_eq!(store.read(digest).unwrap().as_ref(), want, "content {n}");
        }
    };
    check(&store);
    drop(store);
    check(&SegmentStore::open_with(&layout, SMALL_SEGMENT).unwrap());
    fs::remove_file(layout.sidecar(1)).unwrap();
    let store = SegmentStore::open_with(&layout, SMALL_SEGMENT).unwrap();
    check(&store);
    assert_eq!(states(&layout, 1)[0], State::Erased);
    store.append(&contents[..1]).unwrap();
    assert_eq!(store.read(&contents[0].0).unwrap().as_ref(), Some(&contents[0].1));
}

#[test]
fn an_interrupted_erasure_can_be_repeated() {
    let (_directory, layout) = directory();
    let (store, contents) = several(&layout);
    drop(store);
    // What is on disk when the process dies between the removal of the sidecar and the sync of the zeros.
    let mut bytes = fs::read(layout.segment(1)).unwrap();
    bytes[HEADER_BYTES..HEADER_BYTES + 500].fill(0);
    fs::write(layout.segment(1), &bytes).unwrap();
    fs::remove_file(layout.sidecar(1)).unwrap();
    let store = SegmentStore::open_with(&layout, SMALL_SEGMENT).unwrap();
    assert!(!store.contains(&contents[0].0) && store.contains(&contents[1].0));
    assert!(holds_anywhere(layout.root(), b"marker-0-"));
    assert!(store.erase(&[contents[0].0.clone()]).unwrap() > 0);
    assert!(!holds_anywhere(layout.root(), b"marker-0-"));
    assert_eq!(states(&layout, 1)[0], State::Erased);
}

#[test]
fn compaction_gives_space_back_and_keeps_what_lives() {
    let (_directory, layout) = directory();
    let (store, contents) = several(&layout);
    assert_eq!(store.compact().unwrap(), 0, "nothing is sparse yet");
    let first_segment = fs::metadata(layout.segment(1)).unwrap().len();
    store.erase(&[contents[0].0.clone(), contents[1].0.clone()]).unwrap();
    let saved: Vec<_> =
        [layout.segment(1), layout.sidecar(1)].map(|path| (path.clone(), fs::read(path).unwrap())).into();
    assert_eq!(store.compact().unwrap(), first_segment);
    assert!(!layout.segment(1).exists() && !layout.sidecar(1).exists());
    let check = |store: &SegmentStore| {
        for (n, (digest, bytes)) in contents.iter().enumerate() {
            assert_eq!(store.read(digest).unwrap().as_ref(), (n > 1).then_some(bytes), "content {n}");
        }
    };
    check(&store);
    drop(store);
    check(&SegmentStore::open_with(&layout, SMALL_SEGMENT).unwrap());

    // Dying after the copies are durable, before both files or before one of them is gone.
    for remaining in [&saved[..], &saved[..1], &saved[1..]] {
        for (path, bytes) in remaining {
            fs::write(path, bytes).unwrap();
        }
        let store = SegmentStore::open_with(&layout, SMALL_SEGMENT).unwrap();
        check(&store);
        store.compact().unwrap();
        check(&store);
        assert!(!layout.segment(1).exists());
    }
    // Content erased between a crash in a compaction and the next is gone from both copies.
    for (path, bytes) in &saved {
        fs::write(path, bytes).unwrap();
    }
    let store = SegmentStore::open_with(&layout, SMALL_SEGMENT).unwrap();
    store.erase(&[contents[2].0.clone()]).unwrap();
    assert!(!holds_anywhere(layout.root(), b"marker-2-"));
}

#[test]
fn compaction_leaves_a_segment_that_does_not_verify() {
    let (_directory, layout) = directory();
    let (store, contents) = several(&layout);
    store.erase(&[contents[0].0.clone(), contents[1].0.clone()]).unwrap();
    let mut bytes = fs::read(layout.segment(1)).unwrap();
    let last = bytes.len() - 100;
    bytes[last] ^= 1;
    fs::write(layout.segment(1), bytes).unwrap();
    assert_eq!(store.compact().unwrap_err().kind(), io::ErrorKind::InvalidData);
    assert!(layout.segment(1).exists());
    store.append(&[content("still writable")]).unwrap();
}

#[test]
fn after_a_failed_write_nothing_is_written_and_all_is_read() {
    let (_directory, layout) = directory();
    let (store, contents) = several(&layout);
    // The next segment cannot be made.
    let newest = *segment_numbers(&layout).unwrap().last().unwrap();
    fs::create_dir(layout.segment(newest + 1)).unwrap();
    let large = Bytes::from(vec![1; 4000]);
    let large = (hash_of(Algorithm::Sha256, &large), large);
    store.append(std::slice::from_ref(&large)).unwrap_err();
    fs::remove_dir(layout.segment(newest + 1)).unwrap();
    store.append(std::slice::from_ref(&large)).unwrap_err();
    store.erase(&[contents[0].0.clone()]).unwrap_err();
    assert!(!store.contains(&large.0));
    assert_eq!(store.read(&contents[0].0).unwrap().as_ref(), Some(&contents[0].1));
    drop(store);
    SegmentStore::open_with(&layout, SMALL_SEGMENT).unwrap().append(&[large]).unwrap();
}

#[test]
fn reading_goes_on_beside_appending_erasing_and_compacting() {
    let (_directory, layout) = directory();
    let (store, kept) = several(&layout);
    let done = AtomicBool::new(false);
    std::thread::scope(|scope| {
        for _ in 0..3 {
            scope.spawn(|| {
                while !done.load(Ordering::Relaxed) {
                    for (digest, bytes) in &kept {
                        assert_eq!(store.read(digest).unwrap().as_ref(), Some(bytes));
                    }
                    let (passing, _) = content("passing");
                    store.read(&passing).unwrap();
                }
            });
        }
        scope.spawn(|| {
            while !done.load(Ordering::Relaxed) {
                store.compact().unwrap();
            }
        });
        for n in 0..60 {
            let passing = content("passing");
            store.append(&[passing.clone(), content(&n.to_string())]).unwrap();
            store.erase(&[passing.0]).unwrap();
        }
        done.store(true, Ordering::Relaxed);
    });
    drop(store);
    let store = SegmentStore::open_with(&layout, SMALL_SEGMENT).unwrap();
    assert!((0..60).all(|n| store.contains(&content(&n.to_string()).0)));
}

proptest::proptest! {
    #![proptest_config(proptest::prelude::ProptestConfig::with_cases(64))]
    #[test]
    fn any_bytes_can_be_scanned(bytes in proptest::collection::vec(proptest::num::u8::ANY, 0..2000)) {
        let mut file = tempfile::tempfile().unwrap();
        io::Write::write_all(&mut file, &bytes).unwrap();
        for entry in Scanner::new(1, &file).unwrap() {
            entry.unwrap();
        }
    }
}

/// As on a full disk: the sidecar is a help for starts, and the bytes are gone without it.
#[test]
fn content_is_erased_also_where_no_sidecar_can_be_written() {
    let (_directory, layout) = directory();
    let (store, contents) = several(&layout);
    let in_the_way = layout.sidecar(1).with_extension("idx.new");
    fs::create_dir(&in_the_way).unwrap();
    let (digest, bytes) = &contents[0];
    assert!(store.erase(std::slice::from_ref(digest)).unwrap() > 0);
    assert!(!holds_anywhere(&layout.segments(), bytes) && !layout.sidecar(1).exists());
    let (_, later) = content("later");
    let later = (hash_of(Algorithm::Sha256, &later), later);
    store.append(std::slice::from_ref(&later)).unwrap();
    drop(store);
    fs::remove_dir(in_the_way).unwrap();
    let store = SegmentStore::open_with(&layout, SMALL_SEGMENT).unwrap();
    assert!(store.read(digest).unwrap().is_none());
    for (digest, bytes) in contents.iter().skip(1).chain([&later]) {
        assert_eq!(store.read(digest).unwrap().as_ref(), Some(bytes));
    }
}
