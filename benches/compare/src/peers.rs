//! Starting each server of the comparison, each at its best: no access log, no TLS, data on the same disk.

use crate::process::{Process, free_port, tail};
use crate::server::{Kind, Server};
use anyhow::{Context, Result, bail, ensure};
use std::fs::File;
use std::net::TcpStream;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

/// How long a server may take to answer for the first time.
const READY: Duration = Duration::from_secs(30);

/// What Tagstone writes on its standard output when it serves.
const READY_LINE: &str = "tagstone listening on http://";

/// The path of nginx's one file.
pub(crate) const STATIC_PATH: &str = "/blob";

/// `tagstone serve` on an empty data directory.
pub(crate) fn tagstone(program: &Path, dir: &Path) -> Result<Server> {
    let log = dir.join("tagstone.log");
    let mut command = Command::new(program);
    command.args(["serve", "--listen", "127.0.0.1:0", "--data"]).arg(dir.join("tagstone"));
    command.env("RUST_LOG", "error").stdin(Stdio::null()).stdout(Stdio::piped()).stderr(File::create(&log)?);
    let mut process = Process::start("tagstone", &mut command)?;
    let line = process.first_line(READY).with_context(|| tail(&log))?;
    let address = line.trim().strip_prefix(READY_LINE).with_context(|| format!("unknown first line {line:?}"))?;
    ready(Server::new("tagstone", Kind::Tagstone, address.to_owned(), Some(process)))
}

/// Debian's `docker-registry`: the file system driver and the descriptor cache of its packaged configuration.
pub(crate) fn docker_registry(dir: &Path) -> Result<Server> {
    let address = format!("127.0.0.1:{}", free_port()?);
    let data = dir.join("docker-registry");
    let config = format!(
        "version: 0.1\n\
         log:\n  level: error\n  accesslog:\n    disabled: true\n\
         storage:\n  cache:\n    blobdescriptor: inmemory\n  filesystem:\n    rootdirectory: {data:?}\n  \
         delete:\n    enabled: true\n  maintenance:\n    uploadpurging:\n      enabled: false\n\
         http:\n  addr: {address}\n"
    );
    let file = dir.join("docker-registry.yml");
    std::fs::write(&file, config)?;
    let log = dir.join("docker-registry.log");
    let mut command = Command::new("docker-registry");
    command.arg("serve").arg(&file).env("OTEL_TRACES_EXPORTER", "none");
    command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(File::create(&log)?);
    let process = Process::start("docker-registry", &mut command)?;
    answering("docker-registry", Kind::Peer, address, process, &log)
}

/// nginx with sendfile over one file of `size` bytes.
pub(crate) fn nginx(dir: &Path, size: u64) -> Result<Server> {
    let address = format!("127.0.0.1:{}", free_port()?);
    let root = dir.join("nginx");
    std::fs::create_dir_all(root.join("html"))?;
    let large = crate::image::Large::new(size, 0)?;
    large.write_to(&mut File::create(root.join("html").join(STATIC_PATH.trim_start_matches('/')))?)?;
    // Started by root, nginx would give its workers to a user who may not read this directory.
    let user = if rustix::process::getuid().is_root() { "user root;\n" } else { "" };
    let at = |name: &str| root.join(name).display().to_string();
    let temporary: String = ["client_body", "proxy", "fastcgi", "uwsgi", "scgi"]
        .iter()
        .map(|name| format!("  {name}_temp_path \"{}\";\n", at(name)))
        .collect();
    let config = format!(
        "{user}daemon off;\nworker_processes auto;\nerror_log \"{}\" error;\npid \"{}\";\nevents {{}}\nhttp {{\n  \
         access_log off;\n  sendfile on;\n  tcp_nopush on;\n{temporary}  \
         server {{ listen {address}; root \"{}\"; }}\n}}\n",
        at("error.log"),
        at("nginx.pid"),
        at("html"),
    );
    let file = root.join("nginx.conf");
    std::fs::write(&file, config)?;
    let log = root.join("start.log");
    let mut command = Command::new("nginx");
    command.arg("-c").arg(&file).arg("-p").arg(&root).arg("-e").arg(root.join("error.log"));
    command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(File::create(&log)?);
    let process = Process::start("nginx", &mut command)?;
    answering("nginx", Kind::Static, address, process, &log)
}

/// This program again, as a server of one fixed answer.
pub(crate) fn bare(dir: &Path) -> Result<Server> {
    let log = dir.join("actix.log");
    let mut command = Command::new(std::env::current_exe()?);
    command.arg("bare").stdin(Stdio::null()).stdout(Stdio::piped()).stderr(File::create(&log)?);
    let mut process = Process::start("actix", &mut command)?;
    let address = process.first_line(READY).with_context(|| tail(&log))?.trim().to_owned();
    ready(Server::new("bare actix", Kind::Bare, address, Some(process)))
}

/// A registry that runs already, given as `NAME=URL`.
pub(crate) fn by_url(text: &str) -> Result<Server> {
    let (name, url) = text.split_once('=').context("a registry is given as NAME=URL")?;
    let address = url.strip_prefix("http://").context("only http:// URLs: TLS would measure something else")?;
    let address = address.trim_end_matches('/');
    ensure!(!address.contains('/'), "{url}: a registry's URL has no path");
    ensure!(!name.is_empty(), "{text}: a registry needs a name");
    let address = if address.contains(':') { address.to_owned() } else { format!("{address}:80") };
    ready(Server::new(name, Kind::Remote, address, None))
}

fn answering(name: &str, kind: Kind, address: String, mut process: Process, log: &Path) -> Result<Server> {
    let end = Instant::now() + READY;
    while TcpStream::connect(&address).is_err() {
        process.alive().with_context(|| tail(log))?;
        if Instant::now() > end {
            bail!("{name} does not answer at {address}; {}", tail(log));
        }
        std::thread::sleep(Duration::from_millis(20));
    }
    ready(Server::new(name, kind, address, Some(process)))
}

/// Checks that the right thing answers and notes the memory of the untouched server.
fn ready(mut server: Server) -> Result<Server> {
    if server.kind().is_registry() {
        crate::connection::Connection::open(server.address())?.get("/v2/").with_context(|| server.name().to_owned())?;
    }
    std::thread::sleep(Duration::from_secs(1));
    server.note_idle()?;
    Ok(server)
}
