//! The binary, serving a data directory.

use std::io::{BufRead, BufReader};
use std::net::SocketAddr;
use std::path::Path;
use std::process::{Child, Command, Stdio};

const BINARY: &str = env!("CARGO_BIN_EXE_tagstone");

/// A running registry; killed when dropped.
pub(crate) struct Server {
    child: Child,
    address: SocketAddr,
}

impl Server {
    /// Starts a registry and waits until it listens.
    pub(crate) fn start(data: &Path) -> Self {
        Self::listening(Self::spawn(data))
    }

    /// The same, with settings of the environment.
    pub(crate) fn start_with(data: &Path, settings: &[(&str, &str)]) -> Self {
        Self::listening(serving(Command::new(BINARY).envs(settings.iter().copied()), data))
    }

    /// The same, with a record of the system calls that concern files and answers.
    pub(crate) fn start_traced(data: &Path, trace: &Path) -> Self {
        let calls = "trace=mkdir,openat,rename,fsync,fdatasync,pwrite64,write,writev,sendto";
        Self::under_strace(data, trace, &["-y", "-s", "32", "-e", calls])
    }

    /// The same; in each thread this one of its calls fails, and the later ones work again.
    pub(crate) fn start_failing(data: &Path, trace: &Path, call: &str, count: u32) -> Self {
        let (only, fails) = (format!("trace={call}"), format!("inject={call}:error=EIO:when={count}"));
        Self::under_strace(data, trace, &["-e", &only, "-e", &fails])
    }

    /// The same, for calls on this file only.
    pub(crate) fn start_failing_on(data: &Path, trace: &Path, file: &Path, call: &str, count: u32) -> Self {
        let (only, fails) = (format!("trace={call}"), format!("inject={call}:error=EIO:when={count}"));
        Self::under_strace(data, trace, &["-P", file.to_str().unwrap(), "-e", &only, "-e", &fails])
    }

    /// The same; the thread that first makes so many of these calls, on this file if one is given, takes the process
    /// with it before the last of them. None if that happens before it listens.
    pub(crate) fn start_dying(data: &Path, trace: &Path, file: Option<&Path>, call: &str, count: u32) -> Option<Self> {
        let (only, dies) = (format!("trace={call}"), format!("inject={call}:signal=KILL:when={count}"));
        let mut options = vec!["-e", &only, "-e", &dies];
        if let Some(file) = file {
            options.extend(["-P", file.to_str().unwrap()]);
        }
        let mut strace = Self::strace(trace, &options);
        Self::ready(serving(&mut strace, data)).ok()
    }

    /// The same; in each thread the first so many openings of exactly this path find no file descriptor free.
    pub(crate) fn start_without_descriptors(data: &Path, trace: &Path, path: &Path, count: u32) -> Self {
        let fails = format!("inject=openat:error=EMFILE:when=1..{count}");
        Self::under_strace(data, trace, &["-P", path.to_str().unwrap(), "-e", "trace=openat", "-e", &fails])
    }

    fn under_strace(data: &Path, trace: &Path, options: &[&str]) -> Self {
        Self::listening(serving(&mut Self::strace(trace, options), data))
    }

    fn strace(trace: &Path, options: &[&str]) -> Command {
        let mut strace = Command::new("strace");
        // With -D the registry is the child, and the tracer beside it; it is done when the child can be waited for.
        strace.args(["-D", "-f", "-qq"]).args(options).arg("-o").arg(trace).arg(BINARY);
        strace
    }

    fn listening(child: Child) -> Self {
        Self::ready(child).unwrap_or_else(|said| panic!("the registry did not start: {said}"))
    }

    /// Waits until the registry listens, or returns what it said when it ended.
    fn ready(mut child: Child) -> Result<Self, String> {
        let mut line = String::new();
        BufReader::new(child.stdout.take().unwrap()).read_line(&mut line).unwrap();
        let Some(address) = line.trim_end().strip_prefix("tagstone listening on http://") else {
            let output = child.wait_with_output().unwrap();
            return Err(String::from_utf8_lossy(&output.stderr).into_owned());
        };
        let address = address.parse().unwrap();
        // What it logs from here on is of no interest, but must not fill the pipe.
        let mut log = child.stderr.take().unwrap();
        std::thread::spawn(move || std::io::copy(&mut log, &mut std::io::sink()));
        Ok(Self { child, address })
    }

    /// Starts a registry and waits for nothing.
    pub(crate) fn spawn(data: &Path) -> Child {
        serving(&mut Command::new(BINARY), data)
    }

    pub(crate) fn address(&self) -> SocketAddr {
        self.address
    }

    /// Ends the process at once.
    pub(crate) fn kill(mut self) {
        self.end();
    }

    fn end(&mut self) {
        // It may have died already.
        let _ = self.child.kill();
        self.child.wait().unwrap();
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.end();
    }
}

fn serving(command: &mut Command, data: &Path) -> Child {
    command
        .args(["serve", "--listen", "127.0.0.1:0", "--data"])
        .arg(data)
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap()
}
