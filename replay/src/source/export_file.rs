//! An exported file.

use std::fs::File;
use std::io::{self, BufReader};
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};

use tagstone_schema::{Head, Id, Seq};

use super::{DurableEnd, Source, SourceError};
use crate::export::{END_BYTES, ExportError, Header, Reader, Trailer};
use crate::log::{RecordBytes, StoreError};

/// An export, as it lies in a file. It is opened for reading alone.
pub struct ExportFile {
    path: PathBuf,
    header: Header,
    durable_end: DurableEnd,
}

impl ExportFile {
    /// Opens an export, and reads its header and its trailer. That one of them is damaged or missing is no error here: where it is the
    /// header, the first record cannot be read.
    pub fn open(path: &Path) -> Result<Self, SourceError> {
        let refused = |error| SourceError::Export { path: path.to_owned(), error };
        let failed = |source| SourceError::Absent { path: path.to_owned(), source };
        let file = File::open(path).map_err(failed)?;
        let header = match Reader::new(&file) {
            Ok(reader) => *reader.header(),
            Err(ExportError::Header | ExportError::Cut { .. }) => Header::default(),
            Err(error) => return Err(refused(error)),
        };
        let durable_end = match trailer_of(&file).map_err(failed)? {
            Some(trailer) => DurableEnd::Exact { head: trailer.head, said_by: "the trailer of the export" },
            None => {
                DurableEnd::Lost("the export does not end with a sound trailer, as every whole one does".to_owned())
            }
        };
        Ok(Self { path: path.to_owned(), header, durable_end })
    }

    fn reader(&self) -> Result<Reader<BufReader<File>>, ExportError> {
        let file = File::open(&self.path).map_err(|source| ExportError::Io { at: 0, source })?;
        let reader = Reader::new(BufReader::with_capacity(1 << 20, file))?;
        if *reader.header() == self.header { Ok(reader) } else { Err(ExportError::Header) }
    }
}

/// What the end of the file says, where it is the end of an export.
fn trailer_of(file: &File) -> io::Result<Option<Trailer>> {
    let Some(at) = file.metadata()?.len().checked_sub(END_BYTES as u64) else { return Ok(None) };
    let mut end = [0; END_BYTES];
    file.read_exact_at(&mut end, at)?;
    Ok(Trailer::at_end(&end))
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

    fn log(&self) -> Option<Id> {
        self.header.log
    }
}
