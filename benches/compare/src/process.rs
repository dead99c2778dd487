//! Servers as child processes: each ends with the value that holds it, also after an error or a signal.

use anyhow::{Context, Result, bail, ensure};
use rustix::process::{Pid, Signal, kill_process};
use std::io::{BufRead, BufReader, Read};
use std::net::TcpListener;
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

/// A child process that ends when this value does.
#[derive(Debug)]
pub struct Process {
    child: Child,
    pid: Pid,
    name: String,
}

impl Process {
    /// Starts a program. What it is called here stands in errors.
    pub fn start(name: &str, command: &mut Command) -> Result<Self> {
        let child = command.spawn().with_context(|| format!("starting {name}: {command:?}"))?;
        let pid = Pid::from_child(&child);
        running().push(pid);
        Ok(Self { child, pid, name: name.to_owned() })
    }

    /// An error if the process has ended.
    pub fn alive(&mut self) -> Result<()> {
        if let Some(status) = self.child.try_wait()? {
            bail!("{} ended: {status}", self.name);
        }
        Ok(())
    }

    /// Resident memory now, in MiB.
    pub fn resident(&self) -> Result<f64> {
        let path = format!("/proc/{}/status", self.pid);
        let status = std::fs::read_to_string(&path).with_context(|| format!("{path}: has {} ended?", self.name))?;
        let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).context("no VmRSS")?;
        let kib: f64 = line.trim().trim_end_matches(" kB").parse()?;
        Ok(kib / 1024.0)
    }

    /// The first line of its standard output; the rest is read and dropped, so that it never blocks.
    pub fn first_line(&mut self, patience: Duration) -> Result<String> {
        let stdout = self.child.stdout.take().context("no standard output")?;
        let (give, take) = std::sync::mpsc::channel();
        std::thread::spawn(move || {
            let mut reader = BufReader::new(stdout);
            let mut line = String::new();
            // An error ends the line early, which the receiver reports as a line it does not know.
            let _ = reader.read_line(&mut line);
            let _ = give.send(line);
            let _ = std::io::copy(&mut reader.by_ref(), &mut std::io::sink());
        });
        let line = take.recv_timeout(patience).context("it has not said that it is ready")?;
        ensure!(!line.is_empty(), "it ended before it was ready");
        Ok(line)
    }

    /// Asks it to end and waits until it has; an error if it takes longer or fails.
    pub fn stop(mut self, patience: Duration) -> Result<()> {
        self.alive()?;
        kill_process(self.pid, Signal::TERM)?;
        self.finish(patience)
    }

    /// Waits until it has ended by itself; an error if it takes longer or fails.
    pub fn finish(mut self, patience: Duration) -> Result<()> {
        let end = Instant::now() + patience;
        loop {
            match self.child.try_wait()? {
                Some(status) => {
                    ensure!(status.success(), "{} ended: {status}", self.name);
                    return Ok(());
                }
                None => ensure!(Instant::now() < end, "{} did not end within {patience:?}", self.name),
            }
            std::thread::sleep(Duration::from_millis(10));
        }
    }

    /// Ends it at once, as a crash would.
    pub fn kill(mut self) -> Result<()> {
        self.alive()?;
        self.child.kill()?;
        self.child.wait()?;
        Ok(())
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
pub fn stop_on_signals() -> Result<()> {
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

/// An error after such a signal.
pub fn check_interrupted() -> Result<()> {
    if INTERRUPTED.load(Ordering::Relaxed) {
        bail!("interrupted");
    }
    Ok(())
}

/// A port of this machine that nobody listens on now.
pub fn free_port() -> Result<u16> {
    Ok(TcpListener::bind("127.0.0.1:0")?.local_addr()?.port())
}

/// The last lines of a server's log, for an error message.
pub fn tail(log: &Path) -> String {
    let text = std::fs::read(log).unwrap_or_default();
    let text = String::from_utf8_lossy(&text[text.len().saturating_sub(2000)..]).into_owned();
    if text.trim().is_empty() { "its log is empty".to_owned() } else { format!("its log ends:\n{text}") }
}
