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

    /// The same; in each thread the first so many openings of exactly this path find no file descriptor free.
    pub(crate) fn start_without_descriptors(data: &Path, trace: &Path, path: &Path, count: u32) -> Self {
        let fails = format!("inject=openat:error=EMFILE:when=1..{count}");
        Self::under_strace(data, trace, &["-P", path.to_str().unwrap(), "-e", "trace=openat", "-e", &fails])
    }

    fn under_strace(data: &Path, trace: &Path, options: &[&str]) -> Self {
        let mut strace = Command::new("strace");
        // With -D the registry is the child, and the tracer beside it; it is done when the child can be waited for.
        strace.args(["-D", "-f", "-qq"]).args(options).arg("-o").arg(trace).arg(BINARY);
        Self::listening(serving(&mut strace, data))
    }

    fn listening(mut child: Child) -> Self {
        let mut line = String::new();
        BufReader::new(child.stdout.take().unwrap()).read_line(&mut line).unwrap();
        let Some(address) = line.trim_end().strip_prefix("tagstone listening on http://") else {
            let output = child.wait_with_output().unwrap();
            panic!("the registry did not start: {}", String::from_utf8_lossy(&output.stderr));
        };
        let address = address.parse().unwrap();
        // What it logs from here on is of no interest, but must not fill the pipe.
        let mut log = child.stderr.take().unwrap();
        std::thread::spawn(move || std::io::copy(&mut log, &mut std::io::sink()));
        Self { child, address }
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
        self.child.kill().unwrap();
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
