//! Lists that are written while the log is read, so that no list is too long.
//!
//! What a running registry tells waits in a temporary file until all was read: it may fail in the middle, and then nothing
//! may have been said.

use std::collections::VecDeque;
use std::fs::File;
use std::io::{self, BufReader, BufWriter, Read, Seek, SeekFrom, Stdout, Write};

use serde::Serialize;

use tagstone_replay::source::is_registry;

use super::output::Format;

/// A list on stdout, written entry by entry: an object with one array in JSON, lines in NDJSON and text.
pub(super) struct Listing {
    out: Out,
    format: Format,
    /// The name of the array in JSON.
    name: &'static str,
    /// The first lines of text.
    heading: String,
    written: u64,
    failed: Option<io::Error>,
}

/// An entry, in the form that the list has.
pub(super) type Entry = Vec<u8>;

impl Listing {
    /// A list of what a source holds.
    pub(super) fn of(source: &str, format: Format, name: &'static str, heading: String) -> io::Result<Self> {
        let out = if is_registry(source) {
            Out::Held(BufWriter::new(tempfile::tempfile()?))
        } else {
            Out::Shown(BufWriter::new(io::stdout()))
        };
        Ok(Self { out, format, name, heading, written: 0, failed: None })
    }

    /// An entry of the list.
    pub(super) fn entry(&self, json: &impl Serialize, text: impl FnOnce() -> String) -> io::Result<Entry> {
        match self.format {
            Format::Text => Ok(text().into_bytes()),
            Format::Json | Format::Ndjson => Ok(serde_json::to_vec(json)?),
        }
    }

    /// Writes an entry. After a failure nothing more is written, while the log is still read: its problems are to be told.
    pub(super) fn write(&mut self, entry: &[u8]) {
        if self.failed.is_none()
            && let Err(error) = self.try_write(entry)
        {
            self.failed = Some(error);
        }
    }

    fn try_write(&mut self, entry: &[u8]) -> io::Result<()> {
        match (self.format, self.written) {
            (Format::Ndjson, _) => {}
            (Format::Text, 0) => writeln!(self.out, "{}", self.heading)?,
            (Format::Text, _) => {}
            (Format::Json, 0) => write!(self.out, "{{\n  \"{}\": [\n    ", self.name)?,
            (Format::Json, _) => self.out.write_all(b",\n    ")?,
        }
        self.written += 1;
        self.out.write_all(entry)?;
        if self.format == Format::Json { Ok(()) } else { self.out.write_all(b"\n") }
    }

    /// Ends the list. A reader that has seen enough (`| head`) is no failure.
    pub(super) fn end(mut self) -> io::Result<()> {
        let ended = match self.failed.take() {
            Some(error) => Err(error),
            None => self.try_end(),
        };
        match ended {
            Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Ok(()),
            ended => ended,
        }
    }

    fn try_end(&mut self) -> io::Result<()> {
        match (self.format, self.written) {
            (Format::Json, 0) => writeln!(self.out, "{{\n  \"{}\": []\n}}", self.name)?,
            (Format::Json, _) => writeln!(self.out, "\n  ]\n}}")?,
            (Format::Text, 0) => writeln!(self.out, "nothing was found")?,
            (Format::Text | Format::Ndjson, _) => {}
        }
        self.out.show()
    }
}

/// Where entries go.
enum Out {
    Shown(BufWriter<Stdout>),
    /// Into a temporary file, which is forgotten with the list where that does not come to its end.
    Held(BufWriter<File>),
}

impl Out {
    fn show(&mut self) -> io::Result<()> {
        self.flush()?;
        match self {
            Self::Shown(_) => Ok(()),
            Self::Held(file) => {
                let file = file.get_mut();
                file.rewind()?;
                let mut out = io::stdout().lock();
                io::copy(file, &mut out)?;
                out.flush()
            }
        }
    }
}

impl Write for Out {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        match self {
            Self::Shown(out) => out.write(bytes),
            Self::Held(file) => file.write(bytes),
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        match self {
            Self::Shown(out) => out.flush(),
            Self::Held(file) => file.flush(),
        }
    }
}

/// Entries that are wanted in the reverse of the order in which they are found.
pub(super) enum Reversed {
    /// Only the last so many.
    Last { most: usize, kept: VecDeque<Entry> },
    /// All of them. They wait in a temporary file, each followed by its length.
    All(BufWriter<File>),
}

impl Reversed {
    pub(super) fn last(most: usize) -> Self {
        Self::Last { most, kept: VecDeque::new() }
    }

    pub(super) fn all() -> io::Result<Self> {
        Ok(Self::All(BufWriter::new(tempfile::tempfile()?)))
    }

    pub(super) fn push(&mut self, entry: Entry) -> io::Result<()> {
        match self {
            Self::Last { most, kept } => {
                if kept.len() == *most {
                    kept.pop_front();
                }
                kept.push_back(entry);
                Ok(())
            }
            Self::All(file) => {
                file.write_all(&entry)?;
                file.write_all(&(entry.len() as u64).to_le_bytes())
            }
        }
    }

    /// Tells the entries, the last one first.
    pub(super) fn told(self, mut tell: impl FnMut(&[u8])) -> io::Result<()> {
        match self {
            Self::Last { kept, .. } => {
                kept.iter().rev().for_each(|entry| tell(entry));
                Ok(())
            }
            Self::All(file) => {
                let mut file = BufReader::new(file.into_inner().map_err(io::IntoInnerError::into_error)?);
                let mut end = file.seek(SeekFrom::End(0))?;
                let (mut length, mut entry) = ([0; 8], Vec::new());
                while end > 0 {
                    file.seek(SeekFrom::Start(end - 8))?;
                    file.read_exact(&mut length)?;
                    let begin = end - 8 - u64::from_le_bytes(length);
                    file.seek(SeekFrom::Start(begin))?;
                    entry.clear();
                    file.by_ref().take(end - 8 - begin).read_to_end(&mut entry)?;
                    tell(&entry);
                    end = begin;
                }
                Ok(())
            }
        }
    }
}
