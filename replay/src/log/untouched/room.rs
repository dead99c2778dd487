//! Whether a file names more pages than it can have.
//!
//! sled makes room for every page up to the greatest number that any message names, before it knows whether they are there. Damage never
//! makes such a number, because a checksum covers it; but evidence may have been made by anyone, and where memory runs out there is
//! nothing to catch: the process ends.

use std::fs::{self, File};
use std::io;
use std::path::Path;

use super::segment::{Header, Kind, Next, Segment};

/// So many bytes a page of records takes at least.
const PAGE: u64 = 128;

/// Why sled is not to open a copy of a log; none where it may.
pub(in super::super) fn beyond_all_pages(log: &Path) -> io::Result<Option<String>> {
    let file = match File::open(log.join("db")) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        file => file?,
    };
    // Pages are numbered without gaps, and each has a message, or some bytes in what sled has noted of all. Of what is damaged, the
    // length of the file tells how many there may have been.
    let mut pages = bytes_of_snapshots(log)? + file.metadata()?.len() / PAGE;
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

fn bytes_of_snapshots(log: &Path) -> io::Result<u64> {
    let mut sum = 0;
    for entry in fs::read_dir(log)? {
        let entry = entry?;
        // sled takes whatever begins like this for one.
        if entry.file_name().to_string_lossy().starts_with("snap.") {
            sum += entry.metadata()?.len();
        }
    }
    Ok(sum)
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
