//! A server under comparison, and the process that it runs in.

use anyhow::{Context, Result, bail};
use rustix::process::{Pid, Signal, kill_process};
use std::cell::RefCell;
use std::collections::BTreeMap;
use std::path::Path;
use std::process::{Child, Command};
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

/// How long a server may take to end by itself.
const GRACE: Duration = Duration::from_secs(10);

/// Every process that this run has started and not yet seen end, for the signal handler.
static RUNNING: Mutex<Vec<Pid>> = Mutex::new(Vec::new());

static INTERRUPTED: AtomicBool = AtomicBool::new(false);

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

/// A child process that ends when this value does.
pub(crate) struct Process {
    child: Child,
    pid: Pid,
    name: String,
}

impl Process {
    pub(crate) fn start(name: &str, command: &mut Command) -> Result<Self> {
        let child = command.spawn().with_context(|| format!("starting {name}: {command:?}"))?;
        let pid = Pid::from_child(&child);
        running().push(pid);
        Ok(Self { child, pid, name: name.to_owned() })
    }

    pub(crate) fn child(&mut self) -> &mut Child {
        &mut self.child
    }

    /// An error if the process has ended.
    pub(crate) fn alive(&mut self) -> Result<()> {
        if let Some(status) = self.child.try_wait()? {
            bail!("{} ended: {status}", self.name);
        }
        Ok(())
    }

    fn resident(&self) -> Result<f64> {
        let path = format!("/proc/{}/status", self.pid);
        let status = std::fs::read_to_string(&path).with_context(|| format!("{path}: has {} ended?", self.name))?;
        let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).context("no VmRSS")?;
        let kib: f64 = line.trim().trim_end_matches(" kB").parse()?;
        Ok(kib / 1024.0)
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        // A process that was reaped already has no pid of its own any more, so none is signalled.
        if !matches!(self.child.try_wait(), Ok(Some(_))) {
            // It may end in this moment; then there is nothing left to stop.
            let _ = kill_process(self.pid, Signal::TERM);
            let end = Instant::now() + GRACE;
            while matches!(self.child.try_wait(), Ok(None)) {
                if Instant::now() > end {
                    eprintln!("{} did not end within {GRACE:?} and is killed", self.name);
                    let _ = self.child.kill();
                    let _ = self.child.wait();
                    break;
                }
                std::thread::sleep(Duration::from_millis(10));
            }
        }
        running().retain(|pid| *pid != self.pid);
    }
}

fn running() -> std::sync::MutexGuard<'static, Vec<Pid>> {
    RUNNING.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
}

/// On SIGINT and SIGTERM stops every server, so that the load fails, and the run ends by way of its destructors.
pub(crate) fn stop_on_signals() -> Result<()> {
    use signal_hook::consts::{SIGINT, SIGTERM};
    let mut signals = signal_hook::iterator::Signals::new([SIGINT, SIGTERM])?;
    std::thread::spawn(move || {
        for _ in signals.forever() {
            INTERRUPTED.store(true, Ordering::Relaxed);
            for pid in running().iter() {
                let _ = kill_process(*pid, Signal::TERM);
            }
        }
    });
    Ok(())
}

pub(crate) fn check_interrupted() -> Result<()> {
    if INTERRUPTED.load(Ordering::Relaxed) {
        bail!("interrupted");
    }
    Ok(())
}

/// The last lines of a server's log, for an error message.
pub(crate) fn tail(log: &Path) -> String {
    let text = std::fs::read(log).unwrap_or_default();
    let text = String::from_utf8_lossy(&text[text.len().saturating_sub(2000)..]).into_owned();
    if text.trim().is_empty() { "its log is empty".to_owned() } else { format!("its log ends:\n{text}") }
}
