//! The file of a log, as sled has left it.

use std::ops::Range;

use tagstone_replay::log::untouched::{CONF, Untouched};

/// A segment of sled's file, and the header that it begins with.
const SEGMENT: usize = 512 * 1024;
const HEADER: usize = 20;

/// A log's file: what is read of it comes in order and ends. As it is, and with the checksums of its messages set right.
pub(super) fn log_file(bytes: &[u8]) {
    for bytes in [bytes.to_vec(), with_sealed_messages(bytes)] {
        read(&bytes);
    }
}

fn read(bytes: &[u8]) {
    // Where there is no place for temporary files, nothing can be tried.
    let Ok(directory) = tempfile::tempdir() else { return };
    let log = directory.path();
    let made = std::fs::create_dir(log.join("blobs"))
        .and_then(|()| std::fs::write(log.join("conf"), CONF))
        .and_then(|()| std::fs::write(log.join("db"), bytes));
    if made.is_err() {
        return;
    }
    let Some(opened) = Untouched::open(log) else { return };
    let (mut last, mut failed) = (None, 0);
    for stored in opened.read() {
        match stored {
            Ok(stored) => {
                assert!(last < Some(stored.seq) && failed == 0, "records do not come in order");
                last = Some(stored.seq);
            }
            Err(_) => failed += 1,
        }
    }
    assert!(failed <= 1, "it goes on behind an error");
}

/// Of the first segment: messages follow one another, each with the checksum of its body and then of its header before it.
fn with_sealed_messages(bytes: &[u8]) -> Vec<u8> {
    let mut sealed = bytes.to_vec();
    let mut at = HEADER;
    while let Some((header, body)) = message(&sealed, at).filter(|(_, body)| body.end <= SEGMENT) {
        let (Some(named), Some(content)) = (sealed.get(header.clone()), sealed.get(body.clone())) else { break };
        let mut hasher = crc32fast::Hasher::new();
        hasher.update(content);
        hasher.update(named);
        let checksum = hasher.finalize() ^ u32::MAX;
        if let Some(standing) = sealed.get_mut(at..at + 4) {
            standing.copy_from_slice(&checksum.to_le_bytes());
        }
        at = body.end;
    }
    sealed
}

/// Where what a message says of itself lies, behind its checksum, and where its body does.
fn message(bytes: &[u8], at: usize) -> Option<(Range<usize>, Range<usize>)> {
    let begin = at + 4;
    let mut rest = bytes.get(begin + 1..)?;
    let mut length = None;
    for _ in 0..3 {
        // Short numbers are enough for what the seeds hold.
        let (number, behind) = match *rest {
            [small @ ..=240, ref behind @ ..] => (usize::from(small), behind),
            [more @ 241..=248, less, ref behind @ ..] => {
                (240 + 256 * (usize::from(more) - 241) + usize::from(less), behind)
            }
            _ => return None,
        };
        length.get_or_insert(number);
        rest = behind;
    }
    let end = bytes.len() - rest.len();
    Some((begin..end, end..end + length?))
}
