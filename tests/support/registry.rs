//! The server as its users run it: a process with a data directory, a readiness line, signals and an exit status.

use std::fs::{self, File};
use std::io::{BufRead, BufReader, Read};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdout, Command, ExitStatus, Stdio};
use std::sync::mpsc;
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process};
use tempfile::TempDir;

/// Nobody waits for this long; it only keeps a broken server from hanging the tests.
const DEADLINE: Duration = Duration::from_secs(60);

/// A registry on a free port of 127.0.0.1, and the directory under which it keeps everything. Dropping it kills it.
pub(crate) struct Registry {
    /// Holds `data` and the servers' stderr, which is kept outside of the data directory.
    home: TempDir,
    /// Settings that differ from the defaults.
    environment: &'static [(&'static str, &'static str)],
    /// A settings file, if there is one.
    config: Option<PathBuf>,
    running: Option<Running>,
}

struct Running {
    process: Child,
    url: String,
    /// Reads what follows the readiness line, to the end: there must be nothing.
    rest_of_stdout: JoinHandle<String>,
}

/// A server that ended before it served.
#[derive(Debug)]
pub(crate) struct Refusal {
    pub(crate) status: ExitStatus,
    /// What this server wrote, without what earlier ones did.
    pub(crate) stderr: String,
}

impl Registry {
    /// Starts a registry on an empty data directory.
    ///
    /// # Panics
    /// With everything the server wrote to stderr, if it does not come to serve.
    #[track_caller]
    pub(crate) fn start() -> Self {
        Self::start_with(&[])
    }

    /// [`Registry::start`] with some settings.
    #[track_caller]
    pub(crate) fn start_with(environment: &'static [(&'static str, &'static str)]) -> Self {
        let home = TempDir::new().expect("create a temporary directory");
        let mut registry = Self { home, environment, config: None, running: None };
        registry.restart();
        registry
    }

    /// [`Registry::start`] with a settings file.
    #[track_caller]
    pub(crate) fn configured(config: PathBuf) -> Self {
        let home = TempDir::new().expect("create a temporary directory");
        let mut registry = Self { home, environment: &[], config: Some(config), running: None };
        registry.restart();
        registry
    }

    /// Starts a registry on a copy of a data directory.
    #[track_caller]
    pub(crate) fn over(data: &Path) -> Self {
        let home = TempDir::new().expect("create a temporary directory");
        let mut registry = Self { home, environment: &[], config: None, running: None };
        copy(data, &registry.data()).expect("copy a data directory");
        registry.restart();
        registry
    }

    /// Starts the server again on the same data directory; it must not be running.
    #[track_caller]
    pub(crate) fn restart(&mut self) {
        if let Err(refusal) = self.try_restart() {
            panic!("the server ended before it served, {}; stderr:\n{}", refusal.status, refusal.stderr);
        }
    }

    /// [`Registry::restart`] where a refusal is a result.
    #[track_caller]
    pub(crate) fn try_restart(&mut self) -> Result<(), Refusal> {
        assert!(self.running.is_none(), "the registry is still running");
        self.running = Some(self.launch("stderr.log")?);
        Ok(())
    }

    /// Starts a second process on this registry's data directory. It is killed at once should it come to serve.
    pub(crate) fn intrude(&self) -> Result<(), Refusal> {
        let mut intruder = self.launch("intruder.log")?;
        intruder.process.kill().expect("kill the second server");
        intruder.process.wait().expect("wait for the second server");
        Ok(())
    }

    #[track_caller]
    fn launch(&self, log: &str) -> Result<Running, Refusal> {
        launch(&self.data(), &self.home.path().join(log), self.config.as_deref(), self.environment)
    }

    /// `http://127.0.0.1:PORT`, which changes with every start.
    pub(crate) fn url(&self) -> &str {
        &self.running().url
    }

    /// `127.0.0.1:PORT`, which changes with every start.
    pub(crate) fn host(&self) -> &str {
        self.url().split_once("://").expect("a URL").1
    }

    pub(crate) fn pid(&self) -> u32 {
        self.running().process.id()
    }

    pub(crate) fn data(&self) -> PathBuf {
        self.home.path().join("data")
    }

    /// What all servers of this data directory have written to stderr so far.
    pub(crate) fn stderr(&self) -> String {
        fs::read_to_string(self.home.path().join("stderr.log")).unwrap_or_default()
    }

    /// SIGKILL: the process gets no chance to do anything more.
    pub(crate) fn kill9(&mut self) {
        let mut running = self.running.take().expect("a running registry");
        running.process.kill().expect("kill the server");
        running.process.wait().expect("wait for the killed server");
    }

    /// SIGTERM, without waiting for what follows from it.
    pub(crate) fn terminate(&self) {
        let pid = Pid::from_child(&self.running().process);
        kill_process(pid, Signal::TERM).expect("signal the server");
    }

    /// SIGHUP, which is told in the log when it is done.
    pub(crate) fn hang_up(&self) {
        kill_process(Pid::from_child(&self.running().process), Signal::HUP).expect("signal the server");
    }

    /// Waits until the server has said this on stderr so many times.
    #[track_caller]
    pub(crate) fn has_said(&self, text: &str, times: usize) {
        let begun = Instant::now();
        while self.stderr().matches(text).count() < times {
            assert!(begun.elapsed() < DEADLINE, "{text:?} was not said {times} times; stderr:\n{}", self.stderr());
            thread::sleep(Duration::from_millis(10));
        }
    }

    /// Waits for the server to end by itself, and checks that stdout had exactly the readiness line.
    #[track_caller]
    pub(crate) fn wait(&mut self) -> ExitStatus {
        let mut running = self.running.take().expect("a running registry");
        let begun = Instant::now();
        let status = loop {
            if let Some(status) = running.process.try_wait().expect("wait for the server") {
                break status;
            }
            if begun.elapsed() > DEADLINE {
                self.running = Some(running);
                panic!("the server has not ended after {DEADLINE:?}; stderr:\n{}", self.stderr());
            }
            thread::sleep(Duration::from_millis(5));
        };
        let rest = running.rest_of_stdout.join().expect("the thread that reads stdout");
        assert_eq!(rest, "", "stdout has more than the readiness line");
        status
    }

    /// A clean stop: SIGTERM, and exit status 0.
    #[track_caller]
    pub(crate) fn stop(&mut self) {
        self.terminate();
        let status = self.wait();
        assert_eq!(status.code(), Some(0), "SIGTERM ended the server with {status}; stderr:\n{}", self.stderr());
    }

    fn running(&self) -> &Running {
        self.running.as_ref().expect("a running registry")
    }
}

impl Drop for Registry {
    fn drop(&mut self) {
        if let Some(mut running) = self.running.take() {
            // Both fail only if it has ended already, which is what is wanted.
            running.process.kill().ok();
            running.process.wait().ok();
            if thread::panicking() {
                let stderr = self.stderr();
                let last: Vec<_> = stderr.lines().rev().take(30).collect();
                eprintln!("the last of the server's stderr, newest first:\n{}", last.join("\n"));
            }
        }
    }
}

fn copy(from: &Path, to: &Path) -> std::io::Result<()> {
    fs::create_dir_all(to)?;
    for entry in fs::read_dir(from)? {
        let entry = entry?;
        let (from, to) = (entry.path(), to.join(entry.file_name()));
        if entry.file_type()?.is_dir() { copy(&from, &to)? } else { fs::copy(&from, &to).map(drop)? }
    }
    Ok(())
}

/// The one place where a server is started.
#[track_caller]
fn launch(data: &Path, log: &Path, config: Option<&Path>, environment: &[(&str, &str)]) -> Result<Running, Refusal> {
    let stderr = File::options().create(true).append(true).open(log).expect("open the file for stderr");
    let before = stderr.metadata().expect("the length of what earlier servers wrote").len();
    let mut process = Command::new(env!("CARGO_BIN_EXE_tagstone"))
        .args(["serve", "--listen", "127.0.0.1:0", "--data"])
        .arg(data)
        .args(config.iter().flat_map(|file| ["--config".as_ref(), file.as_os_str()]))
        .envs(environment.iter().copied())
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(stderr)
        .spawn()
        .expect("start the server");
    let stdout = process.stdout.take().expect("a piped stdout");
    let (ready, readiness) = mpsc::channel();
    let rest_of_stdout = thread::spawn(move || follow(stdout, &ready));
    let said = || {
        let all = fs::read_to_string(log).unwrap_or_default();
        let earlier = usize::try_from(before).expect("a log that fits into memory");
        all.get(earlier..).unwrap_or_default().to_owned()
    };
    match readiness.recv_timeout(DEADLINE) {
        Ok(line) => {
            let Some(url) = line.strip_prefix("tagstone listening on ") else {
                process.kill().expect("kill the server");
                panic!("stdout begins with {line:?} instead of the readiness line; stderr:\n{}", said());
            };
            Ok(Running { process, url: url.to_owned(), rest_of_stdout })
        }
        Err(mpsc::RecvTimeoutError::Disconnected) => {
            let status = process.wait().expect("wait for the server");
            Err(Refusal { status, stderr: said() })
        }
        Err(mpsc::RecvTimeoutError::Timeout) => {
            process.kill().expect("kill the server");
            panic!("not serving after {DEADLINE:?}; stderr:\n{}", said());
        }
    }
}

/// Sends the first line of stdout, if there is one, and returns the rest once the server has ended.
fn follow(stdout: ChildStdout, ready: &mpsc::Sender<String>) -> String {
    let mut stdout = BufReader::new(stdout);
    let mut line = String::new();
    stdout.read_line(&mut line).expect("read the server's stdout");
    if let Some(line) = line.strip_suffix('\n') {
        // Nobody listens any more if the deadline has passed.
        ready.send(line.to_owned()).ok();
    }
    let mut rest = String::new();
    stdout.read_to_string(&mut rest).expect("read the server's stdout");
    rest
}
