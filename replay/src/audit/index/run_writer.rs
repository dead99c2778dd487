//! Writing a run: to a temporary name, synced, then renamed. What has the name of a run is whole.

use std::fs::{File, rename};
use std::io::{BufWriter, Write};
use std::path::{Path, PathBuf};

use bincode::Options;
use tagstone_schema::Seq;

use super::IndexError;
use super::block::{BLOCK_BYTES, BlockWriter, seal};
use super::codes::put;
use super::directory::path_of;
use super::run::{About, Footer, MAGIC, Run, Span, codec};
use super::tag_filter::TagFilter;
use super::turns::{TagKey, TurnWriter};
use crate::audit::term::TermKey;
use crate::audit::{Place, TagEntry};
use crate::log::directory::sync_directory;

/// A run in the making.
pub(super) struct RunWriter {
    file: BufWriter<File>,
    temporary: PathBuf,
    path: PathBuf,
    offset: u64,
    block: BlockWriter,
    /// Entries of what is derived that come into one block, by the seq of the first.
    derived: Option<(Seq, Vec<u8>)>,
    turns: TurnWriter,
    /// The tag of the last turn.
    tag: Option<TagKey>,
    footer: Footer,
}

impl RunWriter {
    /// Begins a run in a directory, with so many tags at most.
    pub(super) fn new(directory: &Path, about: About, tags: u64) -> Result<Self, IndexError> {
        let path = path_of(directory, &about);
        let temporary = path.with_extension("new");
        let file = File::create(&temporary).map_err(IndexError::of("writing"))?;
        let mut writer = Self {
            file: BufWriter::with_capacity(64 * 1024, file),
            temporary,
            path,
            offset: 0,
            block: BlockWriter::new(about.from),
            derived: None,
            turns: TurnWriter::new(&about),
            footer: Footer {
                about,
                postings: Vec::new(),
                derived: Vec::new(),
                turns: Vec::new(),
                tags: TagFilter::for_tags(tags),
            },
            tag: None,
        };
        writer.write(&MAGIC)?;
        Ok(writer)
    }

    /// Adds a posting, which is behind the last one.
    pub(super) fn push(&mut self, key: TermKey, place: Place) -> Result<(), IndexError> {
        self.block.push(key, place)?;
        if self.block.is_full() { self.end_postings() } else { Ok(()) }
    }

    /// Adds what is derived, in its stored form, behind all postings and in the order of seqs.
    pub(super) fn push_derived(&mut self, seq: Seq, bytes: &[u8]) -> Result<(), IndexError> {
        self.end_postings()?;
        let (_, entries) = self.derived.get_or_insert_with(|| (seq, Vec::new()));
        put(entries, seq);
        put(entries, u64::try_from(bytes.len()).map_err(IndexError::of("writing"))?);
        entries.extend_from_slice(bytes);
        if entries.len() >= BLOCK_BYTES { self.end_derived() } else { Ok(()) }
    }

    /// Adds a turn of a tag, which is behind the last one and behind all that is derived.
    pub(super) fn push_turn(&mut self, key: TagKey, turn: &TagEntry) -> Result<(), IndexError> {
        self.end_postings()?;
        self.end_derived()?;
        self.turns.push(key, turn)?;
        if self.tag.replace(key) != Some(key) {
            self.footer.tags.add(key);
        }
        if self.turns.is_full() { self.end_turns() } else { Ok(()) }
    }

    /// Makes the run durable, and opens it.
    pub(super) fn finish(mut self) -> Result<Run, IndexError> {
        self.end_postings()?;
        self.end_derived()?;
        self.end_turns()?;
        let offset = self.offset;
        let mut footer = codec().serialize(&self.footer).map_err(IndexError::of("writing"))?;
        seal(&mut footer, offset);
        self.write(&footer)?;
        let length = self.offset - offset;
        self.write(&offset.to_le_bytes())?;
        self.write(&length.to_le_bytes())?;
        self.write(&MAGIC)?;
        let file = self.file.into_inner().map_err(IndexError::of("writing"))?;
        // Dying here: a temporary file is left, which the next start removes.
        file.sync_all().map_err(IndexError::of("syncing"))?;
        rename(&self.temporary, &self.path).map_err(IndexError::of("renaming a run of"))?;
        // Dying here: the run is there or it is not, and it is whole.
        self.path.parent().map_or(Ok(()), sync_directory).map_err(IndexError::of("syncing"))?;
        Run::open(&self.path)
    }

    fn end_postings(&mut self) -> Result<(), IndexError> {
        let offset = self.offset;
        if let Some(((key, place), bytes)) = self.block.take(offset) {
            let span = self.write(&bytes)?;
            self.footer.postings.push(((key.0, place), span));
        }
        Ok(())
    }

    fn end_derived(&mut self) -> Result<(), IndexError> {
        if let Some((first, mut bytes)) = self.derived.take() {
            seal(&mut bytes, self.offset);
            let span = self.write(&bytes)?;
            self.footer.derived.push((first, span));
        }
        Ok(())
    }

    fn end_turns(&mut self) -> Result<(), IndexError> {
        if let Some((first, bytes)) = self.turns.take(self.offset) {
            let span = self.write(&bytes)?;
            self.footer.turns.push((first, span));
        }
        Ok(())
    }

    fn write(&mut self, bytes: &[u8]) -> Result<Span, IndexError> {
        let span = Span { offset: self.offset, length: u32::try_from(bytes.len()).map_err(IndexError::of("writing"))? };
        self.file.write_all(bytes).map_err(IndexError::of("writing"))?;
        self.offset += u64::from(span.length);
        Ok(span)
    }
}
