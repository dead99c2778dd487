//! `tagstone serve` that collects when it is asked to, without grace.

use anyhow::{Context, Result, ensure};
use std::fs::File;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};
use tagstone_compare::connection::Connection;
use tagstone_compare::process::{Process, check_interrupted, free_port, tail};

/// How long a start or a stop may take.
const PATIENCE: Duration = Duration::from_secs(120);

/// A registry that serves.
pub(crate) struct Registry {
    process: Process,
    address: String,
}

impl Registry {
    pub(crate) fn start(program: &Path, dir: &Path) -> Result<Self> {
        std::fs::create_dir_all(dir)?;
        let address = format!("127.0.0.1:{}", free_port()?);
        let log = dir.join("tagstone.log");
        let mut command = Command::new(program);
        command.args(["serve", "--listen", &address, "--data"]).arg(dir.join("data"));
        command.envs([("TAGSTONE_COLLECT_GRACE", "0s"), ("TAGSTONE_COLLECT_INTERVAL", "7d"), ("RUST_LOG", "error")]);
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(File::create(&log)?);
        let began = Instant::now();
        let mut process = Process::start("tagstone", &mut command)?;
        while !Connection::open(&address).and_then(|mut to| to.status("/readyz")).is_ok_and(|status| status == 200) {
            check_interrupted()?;
            process.alive().with_context(|| tail(&log))?;
            ensure!(began.elapsed() < PATIENCE, "tagstone is not ready after {PATIENCE:?}; {}", tail(&log));
            std::thread::sleep(Duration::from_millis(10));
        }
        Ok(Self { process, address })
    }

    pub(crate) fn connect(&self) -> Result<Connection> {
        Connection::open(&self.address)
    }

    pub(crate) fn stop(self) -> Result<()> {
        self.process.stop(PATIENCE)
    }
}
