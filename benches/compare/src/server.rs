//! A server under comparison.

use crate::process::Process;
use anyhow::Result;
use std::cell::RefCell;
use std::collections::BTreeMap;

/// What a server can be asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    /// The one that the aims are about.
    Tagstone,
    /// A registry it is compared with, started by this run.
    Peer,
    /// A registry it is compared with that ran before.
    Remote,
    /// Answers every GET with a fixed body: what the HTTP library alone can do.
    Bare,
    /// Serves one file by sendfile.
    Static,
}

impl Kind {
    pub(crate) fn is_registry(self) -> bool {
        matches!(self, Self::Tagstone | Self::Peer | Self::Remote)
    }

    /// A registry other than Tagstone.
    pub(crate) fn is_peer(self) -> bool {
        matches!(self, Self::Peer | Self::Remote)
    }
}

/// One server, ready for requests.
pub(crate) struct Server {
    name: String,
    kind: Kind,
    address: String,
    process: Option<Process>,
    idle: Option<f64>,
    /// Tags that preparation has put into each repository.
    pub(crate) populated: RefCell<BTreeMap<String, u64>>,
}

impl Server {
    /// `address` is `host:port`.
    pub(crate) fn new(name: &str, kind: Kind, address: String, process: Option<Process>) -> Self {
        Self { name: name.to_owned(), kind, address, process, idle: None, populated: RefCell::default() }
    }

    pub(crate) fn name(&self) -> &str {
        &self.name
    }

    pub(crate) fn kind(&self) -> Kind {
        self.kind
    }

    pub(crate) fn address(&self) -> &str {
        &self.address
    }

    /// The value of `Host`.
    pub(crate) fn host(&self) -> &str {
        &self.address
    }

    pub(crate) fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.address)
    }

    /// Resident memory now, in MiB; `None` where the process is not ours.
    pub(crate) fn memory(&self) -> Result<Option<f64>> {
        self.process.as_ref().map(Process::resident).transpose()
    }

    /// Remembers the memory of the untouched server.
    pub(crate) fn note_idle(&mut self) -> Result<()> {
        self.idle = self.memory()?;
        Ok(())
    }

    pub(crate) fn idle(&self) -> Option<f64> {
        self.idle
    }
}
