//! `tagstone serve` over the history, as a child process.

use crate::Bench;
use crate::made::Made;
use anyhow::{Context, Result, bail, ensure};
use std::fs::File;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};
use tagstone_compare::connection::Connection;
use tagstone_compare::process::{Process, check_interrupted, free_port, tail};

/// How long a start, the index from the first record on, or a stop may take.
const PATIENCE: Duration = Duration::from_secs(600);

/// Between two looks whether it is ready; its own cost does not count beside what a start takes.
const LOOK: Duration = Duration::from_millis(2);

/// A registry that serves.
pub(crate) struct Registry {
    process: Process,
    address: String,
    /// From the start of the process until `/readyz` said 200.
    pub(crate) ready: f64,
}

/// What the first start over a log took, without snapshot and index.
#[derive(Clone, Copy)]
pub(crate) struct FirstStart {
    pub(crate) ready: f64,
    /// Until history could be asked for, counted from the start of the process.
    pub(crate) indexed: f64,
    /// The clean stop after it, which writes the snapshot.
    pub(crate) stopped: f64,
}

impl Registry {
    pub(crate) fn start(programs: &Path, dir: &Path, made: &Made) -> Result<Self> {
        let address = format!("127.0.0.1:{}", free_port()?);
        let log = dir.join("tagstone.log");
        let mut command = Command::new(programs.join("tagstone"));
        command.args(["serve", "--listen", &address, "--data"]).arg(made.layout.root());
        command.env("RUST_LOG", "error").stdin(Stdio::null()).stdout(Stdio::null()).stderr(File::create(&log)?);
        let began = Instant::now();
        let mut process = Process::start("tagstone", &mut command)?;
        while !is_ready(&address) {
            check_interrupted()?;
            process.alive().with_context(|| tail(&log))?;
            ensure!(began.elapsed() < PATIENCE, "tagstone is not ready after {PATIENCE:?}; {}", tail(&log));
            std::thread::sleep(LOOK);
        }
        Ok(Self { process, address, ready: began.elapsed().as_secs_f64() })
    }

    pub(crate) fn connect(&self) -> Result<Connection> {
        Connection::open(&self.address)
    }

    /// Resident memory, in MiB.
    pub(crate) fn memory(&self) -> Result<f64> {
        self.process.resident()
    }

    /// Waits until the index has caught up with the log.
    pub(crate) fn wait_for_index(&self) -> Result<()> {
        let (mut connection, began) = (self.connect()?, Instant::now());
        loop {
            match connection.status("/api/v1/events?n=1")? {
                200 => return Ok(()),
                503 => ensure!(began.elapsed() < PATIENCE, "the index has not caught up after {PATIENCE:?}"),
                status => bail!("/api/v1/events answered {status}"),
            }
            check_interrupted()?;
        }
    }

    /// A clean stop, and the seconds that it took.
    pub(crate) fn stop(self) -> Result<f64> {
        let began = Instant::now();
        self.process.stop(PATIENCE)?;
        Ok(began.elapsed().as_secs_f64())
    }

    /// Ends it as a crash would.
    pub(crate) fn kill(self) -> Result<()> {
        self.process.kill()
    }
}

/// Nobody listens at first, and later what listens answers 503.
fn is_ready(address: &str) -> bool {
    Connection::open(address).and_then(|mut connection| connection.status("/readyz")).is_ok_and(|status| status == 200)
}

impl Bench<'_> {
    /// The first start, which leaves a snapshot and an index to all that come after it. It is made once.
    pub(crate) fn first_start(&mut self) -> Result<FirstStart> {
        if let Some(first) = self.first_start {
            return Ok(first);
        }
        self.made()?;
        let began = Instant::now();
        let registry = self.start()?;
        registry.wait_for_index()?;
        let indexed = began.elapsed().as_secs_f64();
        let ready = registry.ready;
        let stopped = registry.stop()?;
        Ok(*self.first_start.insert(FirstStart { ready, indexed, stopped }))
    }

    /// A registry over the history as it is now.
    pub(crate) fn start(&self) -> Result<Registry> {
        let made = self.made.as_ref().context("no history was made")?;
        Registry::start(&self.programs, self.dir, made)
    }
}
