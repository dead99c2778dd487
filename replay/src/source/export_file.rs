//! An exported file.

use std::fs::File;
use std::io::{self, BufReader, Read, Seek, SeekFrom};
use std::path::{Path, PathBuf};

use tagstone_schema::{Head, Id, Seq};

use super::{DurableEnd, Source, SourceError};
use crate::export::{ExportError, Header, Reader, TRAILER_LENGTH, Trailer};
use crate::log::{RecordBytes, StoreError};

/// An export, as it lies in a file. It is opened for reading alone.
pub struct ExportFile {
    path: PathBuf,
    header: Header,
    durable_end: DurableEnd,
}

impl ExportFile {
    /// Opens an export, and reads its header and its trailer. A damaged or missing trailer is no error here.
    pub fn open(path: &Path) -> Result<Self, SourceError> {
        let refused = |error| SourceError::Export { path: path.to_owned(), error };
        let failed = |source| SourceError::Absent { path: path.to_owned(), source };
        let mut file = File::open(path).map_err(failed)?;
        let header = match Reader::new(&file) {
            Ok(reader) => *reader.header(),
            Err(error) => return Err(refused(error)),
        };
        let durable_end = match claimed_end(&mut file).map_err(failed)? {
            Some(trailer) => DurableEnd::Exact { head: trailer.head, said_by: "the trailer of the export" },
            None => DurableEnd::Lost("the export has no trailer, with which every whole one ends".to_owned()),
        };
        Ok(Self { path: path.to_owned(), header, durable_end })
    }

    /// The log that it says it was taken from.
    pub fn log(&self) -> Option<Id> {
        self.header.log
    }

    fn reader(&self) -> Result<Reader<BufReader<File>>, ExportError> {
        let file = File::open(&self.path).map_err(|source| ExportError::Io { at: 0, source })?;
        let reader = Reader::new(BufReader::with_capacity(1 << 20, file))?;
        if *reader.header() == self.header { Ok(reader) } else { Err(ExportError::Header) }
    }
}

/// What stands at the end of the file, which may be another's words until the checksum is compared.
fn claimed_end(file: &mut File) -> io::Result<Option<Trailer>> {
    let length = file.metadata()?.len();
    let Some(at) = length.checked_sub(TRAILER_LENGTH) else { return Ok(None) };
    file.seek(SeekFrom::Start(at))?;
    let mut bytes = Vec::new();
    file.take(TRAILER_LENGTH).read_to_end(&mut bytes)?;
    Ok(Trailer::claimed(&bytes))
}

impl Source for ExportFile {
    fn records(&self, from: Seq) -> RecordBytes<'_> {
        let failed = |error: ExportError| StoreError::new("reading the export", error.to_string());
        match self.reader() {
            Ok(reader) => Box::new(
                reader
                    .map(move |record| record.map_err(failed))
                    .filter(move |record| record.as_ref().map_or(true, |record| record.seq >= from)),
            ),
            Err(error) => Box::new(std::iter::once(Err(failed(error)))),
        }
    }

    fn durable_end(&self) -> &DurableEnd {
        &self.durable_end
    }

    fn begins_behind(&self) -> Head {
        self.header.before
    }
}
