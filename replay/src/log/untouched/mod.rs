//! The log's file as it lies there, read without sled.
//!
//! sled writes to a file when it is merely opened, so whoever must not change a byte needs a copy of it, and a copy of gigabytes takes
//! longer than all the rest. What sled would do with the file of a registry that was stopped is simple enough to be worked out beside
//! it: this does, step by step as sled 0.34 does it, and reads the records from where they lie.
//!
//! **Invariant**: whatever is not as a registry that was stopped leaves it is left to sled. A checksum that does not hold, a merge that
//! was begun, a file that does not belong there: nothing of that is judged here. Whoever reads records verifies their chain, and the
//! anchor stands outside of it.

mod blocks;
mod bytes;
mod node;
mod pages;
mod room;
mod segment;
#[cfg(test)]
mod tests;

use std::fs::{self, File};
use std::path::{Path, PathBuf};

use super::pages::Joined;
use super::tree::TREE;
use super::{RecordBytes, StoreError};
use blocks::Messages;
use bytes::Bytes;
use node::{Entries, Node};
use pages::Pages;
pub(super) use room::not_for_sled;
use segment::Kind;

/// What sled's `conf` says of every log: the defaults of its version.
pub const CONF: &[u8] = b"segment_size: 524288\nuse_compression: false\nversion: 0.34\nv\x19Q\xC1";

/// The pages with a fixed number.
const META: u64 = 0;
const COUNTER: u64 = 1;

/// More than any tree is deep.
const MOST_LEVELS: usize = 32;

/// What goes wrong where the file turns out to be none that is understood here.
pub(super) const NOT_UNDERSTOOD: &str = "reading the log without sled";

/// The file of a log that nobody writes.
pub struct Untouched {
    file: File,
    pages: Pages,
    root: u64,
}

impl Untouched {
    /// Opens the directory of a log for reading. None where sled has to look at it.
    pub fn open(log: &Path) -> Option<Self> {
        let snapshot = only_what_belongs_there(log)?;
        let file = File::open(log.join("db")).ok()?;
        let pages = Pages::of(&file, snapshot.as_deref())?;
        let mut opened = Self { file, pages, root: 0 };
        opened.root = opened.root()?;
        Some(opened)
    }

    /// The stored records, from the first one on, not verified. After the first error, there are no more.
    pub fn read(&self) -> RecordBytes<'_> {
        Box::new(Joined::new(Values {
            log: self,
            messages: Messages::default(),
            levels: Vec::new(),
            leaf: None,
            begun: false,
        }))
    }

    /// The page at which the table of the log begins.
    fn root(&self) -> Option<u64> {
        let mut messages = Messages::default();
        let (counter, meta) = (self.pages.get(COUNTER)?.0, self.pages.get(META)?.0);
        messages.read(&self.file, [counter])?;
        Bytes(messages.body(0, COUNTER, Kind::Counter, counter)?).number()?;
        messages.read(&self.file, [meta])?;
        let mut tables = Bytes(messages.body(0, META, Kind::Meta, meta)?);
        let mut root = None;
        while !tables.is_empty() {
            let (name, page) = (tables.bytes()?, tables.number()?);
            if name == TREE.as_bytes() {
                root = Some(page);
            }
        }
        root
    }
}

/// The snapshot of a directory in which there is nothing but what sled leaves there, if it has one.
fn only_what_belongs_there(log: &Path) -> Option<Option<PathBuf>> {
    let mut snapshots = Vec::new();
    for entry in fs::read_dir(log).ok()? {
        let entry = entry.ok()?;
        let name = entry.file_name().into_string().ok()?;
        let (path, kind) = (entry.path(), entry.file_type().ok()?);
        match &*name {
            "db" if kind.is_file() => {}
            // What is longer is not read at all.
            "conf" if kind.is_file() && entry.metadata().ok()?.len() == CONF.len() as u64 => {
                if fs::read(&path).ok()? != CONF {
                    return None;
                }
            }
            "blobs" if kind.is_dir() && fs::read_dir(&path).ok()?.next().is_none() => {}
            _ if kind.is_file() && is_snapshot(&name) => snapshots.push(path),
            _ => return None,
        }
    }
    let has_all = ["db", "conf", "blobs"].iter().all(|name| log.join(name).exists());
    (has_all && snapshots.len() <= 1).then(|| snapshots.pop())
}

fn is_snapshot(name: &str) -> bool {
    let digit = |digit: u8| matches!(digit, b'0'..=b'9' | b'A'..=b'F');
    name.strip_prefix("snap.").is_some_and(|number| number.len() == 16 && number.bytes().all(digit))
}

/// A page that is still to be looked at, and what it must reach from and to.
struct Child {
    page: u64,
    low: Vec<u8>,
    high: Vec<u8>,
}

type Value = (Vec<u8>, Vec<u8>);

/// All keys and values of the table, in order.
struct Values<'a> {
    log: &'a Untouched,
    messages: Messages,
    /// Of each level, what follows; the next is the last.
    levels: Vec<Vec<Child>>,
    leaf: Option<std::vec::IntoIter<Value>>,
    begun: bool,
}

impl Values<'_> {
    /// The values of the next leaf; none at the end.
    fn next_leaf(&mut self) -> Option<Option<Vec<Value>>> {
        if !std::mem::replace(&mut self.begun, true) {
            self.levels = vec![vec![Child { page: self.log.root, low: Vec::new(), high: Vec::new() }]];
        }
        loop {
            let Some(level) = self.levels.last_mut() else { return Some(None) };
            let Some(child) = level.pop() else {
                self.levels.pop();
                continue;
            };
            let node = node(self.log, child.page, &mut self.messages)?;
            // A page that was split is followed by one that the page above may not know of yet.
            if node.low != child.low || node.high != child.high {
                return None;
            }
            match &node.entries {
                Entries::Values(values) => {
                    return Some(Some(values.iter().map(|(key, value)| (node.whole(key), value.to_vec())).collect()));
                }
                Entries::Pages(pages) => {
                    let (mut children, mut high) = (Vec::with_capacity(pages.len()), child.high);
                    for (key, page) in pages.iter().rev() {
                        let low = node.whole(key);
                        children.push(Child { page: *page, low: low.clone(), high: std::mem::replace(&mut high, low) });
                    }
                    if high != child.low || children.is_empty() || self.levels.len() == MOST_LEVELS {
                        return None;
                    }
                    self.levels.push(children);
                }
            }
        }
    }
}

/// A page of the table, with all that was changed in it.
fn node<'a>(log: &Untouched, page: u64, messages: &'a mut Messages) -> Option<Node<'a>> {
    let (base, changes) = log.pages.get(page)?;
    messages.read(&log.file, std::iter::once(base).chain(changes))?;
    let mut node = Node::of(messages.body(0, page, Kind::Node, base)?)?;
    for (at, change) in (1..).zip(changes) {
        node.change(messages.body(at, page, Kind::Link, change)?)?;
    }
    node.is_in_order().then_some(node)
}

impl Iterator for Values<'_> {
    type Item = Result<Value, StoreError>;

    fn next(&mut self) -> Option<Self::Item> {
        loop {
            if let Some(value) = self.leaf.as_mut().and_then(Iterator::next) {
                return Some(Ok(value));
            }
            match self.next_leaf() {
                Some(leaf) => self.leaf = Some(leaf?.into_iter()),
                None => {
                    self.levels.clear();
                    return Some(Err(StoreError::new(NOT_UNDERSTOOD, "it is not as a stopped registry leaves it")));
                }
            }
        }
    }
}
