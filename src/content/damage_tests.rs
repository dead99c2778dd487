//! Bytes that have changed since they were stored.

use super::*;

#[test]
fn a_flipped_bit_in_a_header_costs_that_entry_alone() {
    let (_directory, layout) = directory();
    let (contents, bytes, entries) = three(&layout);
    let header = usize::try_from(entries[1].offset).unwrap();
    for at in 0..HEADER_BYTES {
        let mut flipped = bytes.clone();
        flipped[header + at] ^= 1 << (at % 8);
        fs::write(layout.segment(1), &flipped).unwrap();
        let store = SegmentStore::open(&layout).unwrap();
        let found = contents.each_ref().map(|(digest, _)| store.contains(digest));
        assert_eq!(found, [true, false, true], "byte {at}");
    }
}

#[test]
fn changed_content_is_named_and_can_be_stored_again() {
    let (_directory, layout) = directory();
    let (contents, mut bytes, entries) = three(&layout);
    let store = SegmentStore::open(&layout).unwrap();
    bytes[usize::try_from(entries[1].content_offset()).unwrap()] ^= 1;
    fs::write(layout.segment(1), &bytes).unwrap();
    let error = store.read(&contents[1].0).unwrap_err();
    assert_eq!(error.kind(), io::ErrorKind::InvalidData);
    assert!(error.to_string().contains(&contents[1].0.to_string()));
    drop(store);

    let reader = ContentReader::open(&layout).unwrap();
    let problem = reader.check(&contents[1].0, 100).unwrap_err();
    assert!(matches!(problem, ContentProblem::WrongDigest { .. }), "{problem}");
    reader.check(&contents[2].0, 100).unwrap();

    let store = SegmentStore::open(&layout).unwrap();
    assert!(!store.contains(&contents[1].0));
    store.append(&contents[1..2]).unwrap();
    assert_eq!(store.read(&contents[1].0).unwrap().as_ref(), Some(&contents[1].1));
    assert_eq!(states(&layout, 1), [State::Live, State::Damaged, State::Live, State::Live]);
}

#[test]
fn damaged_content_is_withdrawn_by_the_first_read_and_stored_again_by_the_next_push() {
    let (_directory, layout) = directory();
    let (store, contents) = several(&layout);
    // One in a sealed segment with a sidecar, one in the active segment.
    for (n, number) in [(0, 1), (7, *segment_numbers(&layout).unwrap().last().unwrap())] {
        let (digest, bytes) = &contents[n];
        let location = store.read_shared().catalogue.get(digest).unwrap();
        assert_eq!(location.segment, number);
        let file = OpenOptions::new().write(true).open(layout.segment(number)).unwrap();
        file.write_all_at(b"X", location.content_offset() + 3).unwrap();

        assert_eq!(store.read(digest).unwrap_err().kind(), io::ErrorKind::InvalidData);
        assert!(store.read(digest).unwrap().is_none() && !store.contains(digest), "content {n}");
        store.append(&contents[n..=n]).unwrap();
        assert_eq!(store.read(digest).unwrap().as_ref(), Some(bytes), "content {n}");
    }
    // Seals the segment that was active: its sidecar must not call the damaged entry live.
    let large = Bytes::from(vec![1; 4000]);
    store.append(&[(hash_of(Algorithm::Sha256, &large), large)]).unwrap();
    drop(store);
    let store = SegmentStore::open_with(&layout, SMALL_SEGMENT).unwrap();
    for (digest, bytes) in &contents {
        assert_eq!(store.read(digest).unwrap().as_ref(), Some(bytes));
    }
    // The damaged places are known, and erased with the others.
    store.erase(&[contents[0].0.clone(), contents[7].0.clone()]).unwrap();
    assert!(!holds_anywhere(layout.root(), b"marker-0-") && !holds_anywhere(layout.root(), b"marker-7-"));
}

#[test]
fn damage_that_was_found_is_remembered_by_the_next_start() {
    let (_directory, layout) = directory();
    let (store, contents) = several(&layout);
    let newest = *segment_numbers(&layout).unwrap().last().unwrap();
    for (n, number) in [(0, 1), (7, newest)] {
        let location = store.read_shared().catalogue.get(&contents[n].0).unwrap();
        let file = OpenOptions::new().write(true).open(layout.segment(number)).unwrap();
        file.write_all_at(b"X", location.content_offset()).unwrap();
        store.read(&contents[n].0).unwrap_err();
    }
    let large = Bytes::from(vec![1; 4000]);
    store.append(&[(hash_of(Algorithm::Sha256, &large), large)]).unwrap();
    assert!(layout.sidecar(newest).exists(), "the segment is sealed");
    drop(store);
    for _ in 0..2 {
        let store = SegmentStore::open_with(&layout, SMALL_SEGMENT).unwrap();
        assert!(!store.contains(&contents[0].0) && !store.contains(&contents[7].0));
        assert!(layout.sidecar(1).exists(), "made anew by the scan");
    }
}

#[test]
fn a_start_keeps_and_names_acknowledged_content_that_has_changed() {
    let (_directory, layout) = directory();
    let (contents, bytes, entries) = three(&layout);
    for n in [1, 2] {
        let mut rotten = bytes.clone();
        rotten[usize::try_from(entries[n].content_offset()).unwrap()] ^= 1;
        fs::write(layout.segment(1), &rotten).unwrap();
        let told = std::cell::RefCell::new(Vec::new());
        let tell = |segment, entry: &Entry, other| told.borrow_mut().push((segment, entry.digest.clone(), other));
        let store = SegmentStore::open_telling(&layout, SEGMENT_BYTES, tell).unwrap();
        assert_eq!(told.take(), [(1, contents[n].0.clone(), false)]);
        for (m, (digest, _)) in contents.iter().enumerate() {
            assert_eq!(store.contains(digest), m != n);
        }
        assert!(fs::read(layout.segment(1)).unwrap() == rotten, "the evidence of entry {n} is as it was");
        store.append(&contents[n..=n]).unwrap();
        assert_eq!(store.read(&contents[n].0).unwrap().as_ref(), Some(&contents[n].1));
        assert_eq!(fs::read(layout.segment(1)).unwrap()[..rotten.len()], rotten);
        assert_eq!(states(&layout, 1)[n], State::Damaged);
        drop(store);
        SegmentStore::open_telling(&layout, SEGMENT_BYTES, tell).unwrap();
        assert_eq!(told.take(), [(1, contents[n].0.clone(), true)], "it was stored again");
    }
}
