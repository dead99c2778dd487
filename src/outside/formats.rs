//! What is read from files: of a data directory, of exports, of evidence.

use std::fs::File;
use std::io::{Cursor, Write};
use std::path::Path;

use tagstone_replay::audit::index::AuditIndex;
use tagstone_replay::audit::{Order, Place, Stretch, Term};
use tagstone_replay::content::{scan, segment as segments, sidecar as sidecars};
use tagstone_replay::export::Reader;
use tagstone_replay::fold::{State, snapshot as snapshots};
use tagstone_replay::log::anchor as anchors;
use tagstone_schema::fragment::{Start, first_record};
use tagstone_schema::{Record, Seq, limits};

const HASH_BYTES: usize = 32;

/// A directory for one run, and a file in it with these bytes.
fn in_file(bytes: &[u8], name: &str, then: impl FnOnce(&Path)) {
    // Where there is no place for temporary files, nothing can be tried.
    let Ok(directory) = tempfile::tempdir() else { return };
    let path = directory.path().join(name);
    let written = File::create(&path).and_then(|mut file| file.write_all(bytes));
    if written.is_ok() {
        then(&path);
    }
}

/// The bytes with their last 32 set to the hash of all before, so that what lies behind a checksum is reached too.
fn sealed(bytes: &[u8]) -> Vec<u8> {
    let (content, _) = bytes.split_at(bytes.len().saturating_sub(HASH_BYTES));
    [content, blake3::hash(content).as_bytes()].concat()
}

/// A record is what its bytes say, and is folded or refused.
pub(super) fn record(bytes: &[u8]) {
    let Ok(record) = Record::decode(bytes) else { return };
    let encoded = record.encode().expect("what was decoded can be encoded");
    assert_eq!(encoded.bytes(), bytes, "one record has two spellings");
    assert_eq!(record.encoded_len(), bytes.len() as u64);
    let (mut state, mut again) = (State::alone(), State::alone());
    if state.apply(&record).is_ok() {
        assert!(again.apply(&record).is_ok() && again.fingerprint() == state.fingerprint());
    }
}

/// A record among other bytes.
pub(super) fn fragment(bytes: &[u8]) {
    let start = Start::of(bytes);
    if let Ok((record, length)) = first_record(bytes) {
        assert!(length <= bytes.len() && length <= limits::RECORD_BYTES);
        if let Some(start) = start {
            assert_eq!((start.format, start.seq, start.prev), (record.format, record.seq, record.prev));
        }
    }
}

/// An export: its records are read in order, and its end is one error at the most.
pub(super) fn export(bytes: &[u8]) {
    let Ok(mut reader) = Reader::new(Cursor::new(bytes)) else { return };
    let mut read = 0_usize;
    let mut failed = 0;
    for item in &mut reader {
        match item {
            Ok(_) => read += 1,
            Err(_) => failed += 1,
        }
        assert!(read + failed <= bytes.len() + 1, "it never ends");
    }
    assert!(failed == 0 || reader.trailer().is_none() || read > 0);
}

/// A snapshot, as it is and with its checksums set right.
pub(super) fn snapshot(bytes: &[u8]) {
    for bytes in [bytes.to_vec(), with_sealed_sections(bytes)] {
        in_file(&bytes, "snapshot", |path| {
            if let Ok((state, head)) = snapshots::read(path) {
                assert!(head.seq > 0 || state.fingerprint() == State::alone().fingerprint());
            }
        });
    }
}

/// Behind 12 bytes, each section has its length before it and the hash of everything so far behind it.
fn with_sealed_sections(bytes: &[u8]) -> Vec<u8> {
    let (mut sealed, mut hasher, mut at) = (bytes.to_vec(), blake3::Hasher::new(), 12);
    hasher.update(bytes.get(..at).unwrap_or_default());
    while let Some(length) = bytes.get(at..).and_then(<[u8]>::first_chunk).map(|bytes| u64::from_le_bytes(*bytes)) {
        let end = usize::try_from(length).ok().and_then(|length| length.checked_add(at + 8));
        let Some(content) = end.and_then(|end| bytes.get(at..end)) else { break };
        hasher.update(content);
        at += content.len();
        let Some(hash) = sealed.get_mut(at..at + HASH_BYTES) else { break };
        hash.copy_from_slice(hasher.finalize().as_bytes());
        at += HASH_BYTES;
    }
    sealed
}

/// A run of the index: it is opened and asked, or left out.
pub(super) fn index_run(bytes: &[u8]) {
    // The run among the seeds ends there, and the name of a run has to tell.
    const LAST: Seq = 64;
    in_file(bytes, &format!("{:020}-{LAST:020}.run", 1), |path| {
        let Some(index) = path.parent().and_then(|directory| AuditIndex::open(directory).ok()) else { return };
        let view = index.view();
        let key = view.keys().key(Term::Tag("latest"));
        for order in [Order::Ascending, Order::Descending] {
            let from = if order == Order::Ascending { Place::last_of(0) } else { Place::last_of(LAST) };
            for terms in [Vec::new(), vec![key]] {
                // The first error ends it; what is in the file bounds how much there is.
                let places = view.places(terms, from, order).take_while(Result::is_ok);
                assert!(places.take(100_000).count() < 100_000, "it never ends");
            }
            let (repository, tag) = ("acme/app".parse(), "latest".parse());
            if let (Ok(repository), Ok(tag)) = (repository, tag) {
                let turns = view.turns(&repository, &tag, Stretch::up_to(Place::last_of(LAST)), order);
                assert!(turns.take_while(Result::is_ok).take(100_000).count() < 100_000, "it never ends");
            }
        }
        for seq in [1, LAST / 2, LAST] {
            let _ = view.derived(seq);
        }
    });
}

/// A segment: its entries lie one behind the other, within the file.
pub(super) fn segment(bytes: &[u8]) {
    in_file(bytes, "segment", |path| {
        let Ok(file) = File::open(path) else { return };
        let Ok(entries) = scan::Scanner::new(1, &file) else { return };
        let mut end = 0;
        for entry in entries.flatten() {
            assert!(entry.offset >= end, "entries overlap");
            assert!(entry.content_offset() <= entry.end() && entry.content_offset() <= bytes.len() as u64);
            end = entry.end();
        }
    });
    if let Some(header) = bytes.first_chunk()
        && let Some(entry) = segments::decode_header(1, 0, header)
    {
        assert!(entry.content_offset() <= entry.end());
    }
}

/// The sidecar of a segment, as it is and with its checksum set right.
pub(super) fn sidecar(bytes: &[u8]) {
    for bytes in [bytes.to_vec(), sealed(bytes)] {
        for length in [0, 4096, 1 << 40] {
            if let Some(entries) = sidecars::decode(&bytes, 1, length) {
                assert!(
                    entries.iter().all(|entry| entry.content_offset() + u64::from(entry.length) <= length),
                    "an entry lies outside of its segment"
                );
            }
        }
    }
}

/// An anchor.
pub(super) fn anchor(bytes: &[u8]) {
    in_file(bytes, "anchor", |path| {
        if let (Ok(read), Ok(opened)) = (anchors::read(path), anchors::Anchor::open(path)) {
            assert_eq!(read, opened.head());
        }
    });
}
