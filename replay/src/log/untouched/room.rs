//! What is in a copy of a log for which sled would take any memory.
//!
//! sled makes room for every page up to the greatest number that any message names, before it knows whether they are there; and it
//! reads a file in `blobs` as often as a page is said to lie there. No registry leaves such files, and damage does not make them, since
//! checksums cover it; only of a file cut to a small part what is left may name a page beyond it, and that sled cannot open either. But
//! evidence may have been made by anyone, and where memory runs out there is nothing to catch: the process ends.

use std::fs::{self, File};
use std::io;
use std::path::Path;

use super::segment::{Header, Kind, Next, Segment};

/// So many bytes a page of records takes at least.
const PAGE: u64 = 128;

/// So many bytes a page takes at least in what sled has noted of all.
const NOTED: u64 = 11;

/// Why sled is not to open a copy of a log; none where it may.
pub(in super::super) fn not_for_sled(log: &Path) -> io::Result<Option<String>> {
    if let Some(name) = kept_outside(&log.join("blobs"))? {
        return Ok(Some(format!("there is the file `blobs/{name}`, and the log of a registry never has such files")));
    }
    let file = match File::open(log.join("db")) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        file => file?,
    };
    // Pages are numbered without gaps, and each has a message, or is noted. Of what is damaged, the length of the file tells how many
    // there may have been.
    let mut pages = length_of_snapshot(log)? / NOTED + file.metadata()?.len() / PAGE;
    let mut greatest = None;
    let mut segment = Segment::new();
    for (offset, header) in Header::all(&file)? {
        segment.load(&file, offset, header.lsn)?;
        while let Next::Message { message, .. } = segment.next() {
            if message.kind.is_of_a_page() {
                pages += 1;
                greatest = greatest.max(Some(message.page));
            }
        }
    }
    let beyond = greatest.filter(|greatest| *greatest >= pages);
    Ok(beyond.map(|page| format!("its file names the page {page}, but has no room for more than {pages} pages")))
}

/// The length of what sled has noted of all pages. It takes the last of all files that are named so.
fn length_of_snapshot(log: &Path) -> io::Result<u64> {
    let mut last = None;
    for entry in fs::read_dir(log)? {
        let entry = entry?;
        let name = entry.file_name();
        let text = name.to_string_lossy();
        if text.starts_with("snap.") && !text.ends_with(".in___motion") {
            last = last.max(Some((name, entry.metadata()?.len())));
        }
    }
    Ok(last.map_or(0, |(_, length)| length))
}

/// A file that a page may be said to lie in: one that is named by a number.
fn kept_outside(directory: &Path) -> io::Result<Option<String>> {
    let entries = match fs::read_dir(directory) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        entries => entries?,
    };
    for entry in entries {
        let name = entry?.file_name().to_string_lossy().into_owned();
        if name.parse::<i64>().is_ok() {
            return Ok(Some(name));
        }
    }
    Ok(None)
}

impl Kind {
    /// Whether it says anything of the page that it names.
    fn is_of_a_page(self) -> bool {
        match self {
            Self::Canceled | Self::Cap | Self::Batch => false,
            Self::Free | Self::Counter | Self::Meta | Self::Node | Self::Link | Self::Outside => true,
        }
    }
}
