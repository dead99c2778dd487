//! Reading and checking content without writing anything.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io;
use std::os::unix::fs::FileExt;

use tagstone_schema::Digest;

use super::catalogue::{Catalogue, Location};
use super::hash::{ContentHasher, hash_of};
use super::layout::{Layout, segment_number};
use super::sidecar;
use crate::log::directory::naming;

/// How much is read at a time when content is checked.
const PIECE_BYTES: usize = 1024 * 1024;

/// The content of a data directory, for reading only.
///
/// Opening takes the content as it stands: it creates no directory, repairs no tail and removes no file, so that it
/// can be used on evidence. It is meant for a stopped registry; what a running one adds later is not seen.
#[derive(Debug)]
pub struct ContentReader {
    layout: Layout,
    catalogue: Catalogue,
    files: BTreeMap<u32, File>,
}

impl ContentReader {
    /// Reads where all small content lies. A data directory without segments has none.
    pub fn open(layout: &Layout) -> io::Result<Self> {
        let mut catalogue = Catalogue::default();
        let mut files = BTreeMap::new();
        for number in segment_numbers(layout)? {
            let path = layout.segment(number);
            let file = File::open(&path).map_err(naming("opening", &path))?;
            let (entries, _) = sidecar::entries(layout, number, &file).map_err(naming("reading", &path))?;
            for entry in &entries {
                catalogue.add(number, entry);
            }
            files.insert(number, file);
        }
        Ok(Self { layout: layout.clone(), catalogue, files })
    }

    /// The digests of all small content that is live, without those of large blobs.
    pub fn small_digests(&self) -> impl Iterator<Item = Digest> + '_ {
        self.catalogue.iter().map(|(digest, _)| digest)
    }

    /// Whether content with this digest is there, large or small. It is not read.
    pub fn contains(&self, digest: &Digest) -> bool {
        self.catalogue.get(digest).is_some() || self.layout.blob(digest).is_file()
    }

    /// The content with this digest as a whole, verified. An error of kind `InvalidData` names a digest whose content
    /// has changed.
    pub fn read(&self, digest: &Digest) -> io::Result<Option<Vec<u8>>> {
        let Some((file, start, length)) = self.locate(digest)? else { return Ok(None) };
        let mut bytes = vec![0; usize::try_from(length).map_err(io::Error::other)?];
        file.read_exact_at(&mut bytes, start)?;
        let found = hash_of(digest.algorithm(), &bytes);
        if found == *digest { Ok(Some(bytes)) } else { Err(mismatch(digest, &found)) }
    }

    /// Reads the content with this digest and compares it with what it should be, holding one piece at a time.
    pub fn check(&self, digest: &Digest, expected_size: u64) -> Result<(), ContentProblem> {
        let failed = |error: io::Error| ContentProblem::Io { digest: digest.clone(), error };
        let Some((file, start, length)) = self.locate(digest).map_err(failed)? else {
            return Err(ContentProblem::Missing { digest: digest.clone() });
        };
        if length != expected_size {
            return Err(ContentProblem::WrongSize { digest: digest.clone(), expected: expected_size, found: length });
        }
        let found = hash_range(&file, start, length, digest).map_err(failed)?;
        if found == *digest { Ok(()) } else { Err(ContentProblem::WrongDigest { digest: digest.clone(), found }) }
    }

    /// The file, the offset and the length of the content. A damaged entry counts where nothing better is there, so
    /// that a check says what is wrong with it.
    fn locate(&self, digest: &Digest) -> io::Result<Option<(File, u64, u64)>> {
        if let Some(location) = self.catalogue.get(digest) {
            return self.within_segment(location).map(Some);
        }
        let path = self.layout.blob(digest);
        match File::open(&path) {
            Ok(file) => {
                let length = file.metadata()?.len();
                Ok(Some((file, 0, length)))
            }
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                self.catalogue.shadows(digest).last().map(|location| self.within_segment(*location)).transpose()
            }
            Err(error) => Err(naming("opening", &path)(error)),
        }
    }

    fn within_segment(&self, location: Location) -> io::Result<(File, u64, u64)> {
        let file = self.files.get(&location.segment).ok_or(io::ErrorKind::NotFound)?.try_clone()?;
        Ok((file, location.content_offset(), u64::from(location.length)))
    }
}

/// The numbers of all segments, ascending. None if the directory is missing.
pub fn segment_numbers(layout: &Layout) -> io::Result<Vec<u32>> {
    let directory = match fs::read_dir(layout.segments()) {
        Ok(directory) => directory,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(error) => return Err(naming("reading", &layout.segments())(error)),
    };
    let mut numbers = Vec::new();
    for file in directory {
        numbers.extend(file?.file_name().to_str().and_then(segment_number));
    }
    numbers.sort_unstable();
    Ok(numbers)
}

/// The error for content that does not hash to its digest.
pub fn mismatch(digest: &Digest, found: &Digest) -> io::Error {
    let message = format!("the content stored as {digest} has changed: it hashes to {found}");
    io::Error::new(io::ErrorKind::InvalidData, message)
}

fn hash_range(file: &File, start: u64, length: u64, digest: &Digest) -> io::Result<Digest> {
    let mut hasher = ContentHasher::new(digest.algorithm());
    let piece_bytes = usize::try_from(length).unwrap_or(PIECE_BYTES).min(PIECE_BYTES);
    let mut piece = vec![0; piece_bytes];
    let mut done = 0;
    while done < length {
        let take = usize::try_from(length - done).unwrap_or(piece_bytes).min(piece_bytes);
        file.read_exact_at(&mut piece[..take], start + done)?;
        hasher.update(&piece[..take]);
        done += take as u64;
    }
    Ok(hasher.finish())
}

/// What is wrong with stored content.
#[derive(Debug, thiserror::Error)]
pub enum ContentProblem {
    /// Nothing is stored under the digest.
    #[error("{digest} is missing")]
    Missing {
        /// The digest that was asked for.
        digest: Digest,
    },
    /// The content is longer or shorter than recorded.
    #[error("{digest} has {found} bytes where {expected} are recorded")]
    WrongSize {
        /// The digest that was asked for.
        digest: Digest,
        /// The recorded size.
        expected: u64,
        /// The size found.
        found: u64,
    },
    /// The content is not what the digest promises.
    #[error("{digest} has changed: its bytes hash to {found}")]
    WrongDigest {
        /// The digest that was asked for.
        digest: Digest,
        /// What its bytes hash to.
        found: Digest,
    },
    /// The content could not be read.
    #[error("{digest} cannot be read: {error}")]
    Io {
        /// The digest that was asked for.
        digest: Digest,
        /// Why.
        error: io::Error,
    },
}

impl ContentProblem {
    /// Whether the content may be sound, and only this user may not read it.
    pub fn is_denied(&self) -> bool {
        matches!(self, Self::Io { error, .. } if error.kind() == io::ErrorKind::PermissionDenied)
    }
}
