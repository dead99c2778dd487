//! `tagstone healthcheck`: is the server ready? Slim images have no curl, so the program asks for itself.

use std::io::{Read, Write};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, TcpStream, ToSocketAddrs};
use std::path::PathBuf;
use std::time::{Duration, Instant};

use clap::Args;

use super::failure::{Failure, print};
use super::milliseconds;
use crate::settings::{Flags, Settings, Sources};

/// Bytes of an answer that are read: a status line and a short head. A server that sends more is not ours.
const ANSWER_BYTES: usize = 8 * 1024;

/// `tagstone healthcheck`
#[derive(Debug, Args)]
pub struct HealthCheck {
    /// The server to ask [default: http:// and the address it listens on by its settings]
    #[arg(long, value_name = "URL")]
    pub url: Option<String>,
    /// The settings file (TOML) of the server
    #[arg(long, value_name = "FILE")]
    pub config: Option<PathBuf>,
    /// How long to wait for the whole answer, in milliseconds
    #[arg(long, value_name = "MS", default_value = "5000", value_parser = milliseconds, hide = true)]
    pub timeout: Duration,
}

/// Whom to ask for what.
#[derive(Debug, PartialEq, Eq)]
struct Target {
    /// Host and port, as in the URL.
    authority: String,
    path: String,
}

impl HealthCheck {
    /// Asks, and says on stdout that the server is ready; otherwise fails with the reason.
    pub fn run(self) -> Result<(), Failure> {
        let target = match &self.url {
            Some(url) => Target::parse(url)?,
            None => {
                let settings = Settings::load(Sources::of_process(self.config, Flags::default()))?.settings;
                Target::of(settings.listen)?
            }
        };
        let status = ask(&target, self.timeout)
            .map_err(|why| Failure::failed(format_args!("http://{}{}: {why}", target.authority, target.path)))?;
        if status.code == 200 {
            return print("ready\n");
        }
        Err(Failure::failed(format_args!("http://{}{}: not ready: {}", target.authority, target.path, status.line)))
    }
}

impl Target {
    fn parse(url: &str) -> Result<Self, Failure> {
        let wrong =
            |why: &str| Failure::usage(format_args!("--url is {url:?}, but {why}, as in http://127.0.0.1:5000"));
        let rest = url.strip_prefix("http://").ok_or_else(|| wrong("this version asks over plain http only"))?;
        let (authority, path) = match rest.find('/') {
            Some(slash) => rest.split_at(slash),
            None => (rest, "/"),
        };
        let is_printable = |text: &str| text.bytes().all(|byte| byte.is_ascii_graphic());
        if authority.is_empty() || authority.contains('@') || !is_printable(authority) || !is_printable(path) {
            return Err(wrong("it has to name a host and, if need be, a port and a path"));
        }
        let has_port = authority.rsplit_once(':').is_some_and(|(_, port)| port.parse::<u16>().is_ok());
        let is_bare_ipv6 = authority.ends_with(']');
        let authority = if has_port && !is_bare_ipv6 { authority.to_owned() } else { format!("{authority}:80") };
        Ok(Self { authority, path: if path == "/" { "/readyz".to_owned() } else { path.to_owned() } })
    }

    /// The server that listens on `listen`, asked from the same machine.
    fn of(listen: SocketAddr) -> Result<Self, Failure> {
        if listen.port() == 0 {
            let why = "listen has port 0, so the system chose the port; name it with --url";
            return Err(Failure::failed(why));
        }
        let ip = match listen.ip() {
            IpAddr::V4(ip) if ip.is_unspecified() => Ipv4Addr::LOCALHOST.into(),
            IpAddr::V6(ip) if ip.is_unspecified() => Ipv6Addr::LOCALHOST.into(),
            ip => ip,
        };
        Ok(Self { authority: SocketAddr::new(ip, listen.port()).to_string(), path: "/readyz".to_owned() })
    }
}

struct Status {
    code: u16,
    /// Code and reason, as in `503 Service Unavailable`.
    line: String,
}

fn ask(target: &Target, timeout: Duration) -> Result<Status, String> {
    let deadline = Instant::now() + timeout;
    let mut stream = connect(&target.authority, deadline)?;
    let request = format!(
        "GET {} HTTP/1.1\r\nHost: {}\r\nUser-Agent: tagstone-healthcheck\r\nConnection: close\r\n\r\n",
        target.path, target.authority
    );
    stream.set_write_timeout(Some(remaining(deadline)?)).map_err(|error| error.to_string())?;
    stream.write_all(request.as_bytes()).map_err(describe)?;
    let mut answer = Vec::new();
    let mut chunk = [0; 1024];
    // One deadline for the whole answer, so that a server that sends a byte now and then cannot hold us.
    while !answer.contains(&b'\n') && answer.len() < ANSWER_BYTES {
        stream.set_read_timeout(Some(remaining(deadline)?)).map_err(|error| error.to_string())?;
        match stream.read(&mut chunk).map_err(describe)? {
            0 => break,
            read => answer.extend_from_slice(&chunk[..read]),
        }
    }
    status(&answer).ok_or_else(|| "the answer is not HTTP".to_owned())
}

fn connect(authority: &str, deadline: Instant) -> Result<TcpStream, String> {
    let addresses = authority.to_socket_addrs().map_err(|error| format!("cannot find the host: {error}"))?;
    let mut last = "the host has no address".to_owned();
    for address in addresses {
        match TcpStream::connect_timeout(&address, remaining(deadline)?) {
            Ok(stream) => return Ok(stream),
            Err(error) => last = format!("cannot connect: {}", describe(error)),
        }
    }
    Err(last)
}

/// The time left; an error if there is none, which the socket calls would take for "no limit".
fn remaining(deadline: Instant) -> Result<Duration, String> {
    let left = deadline.saturating_duration_since(Instant::now());
    if left.is_zero() { Err(NO_ANSWER.to_owned()) } else { Ok(left) }
}

const NO_ANSWER: &str = "no answer in time";

#[expect(clippy::needless_pass_by_value, reason = "the form that map_err calls")]
fn describe(error: std::io::Error) -> String {
    match error.kind() {
        std::io::ErrorKind::WouldBlock | std::io::ErrorKind::TimedOut => NO_ANSWER.to_owned(),
        _ => error.to_string(),
    }
}

fn status(answer: &[u8]) -> Option<Status> {
    let end = answer.iter().position(|byte| *byte == b'\n')?;
    let line = std::str::from_utf8(&answer[..end]).ok()?.trim_end();
    let (version, rest) = line.split_once(' ')?;
    let code = rest.split(' ').next()?.parse().ok()?;
    let is_plain = rest.chars().all(|c| !c.is_control());
    (version.starts_with("HTTP/1.") && is_plain).then(|| Status { code, line: rest.to_owned() })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn urls_are_read() {
        for (url, authority, path) in [
            ("http://localhost:5000", "localhost:5000", "/readyz"),
            ("http://127.0.0.1:5000/", "127.0.0.1:5000", "/readyz"),
            ("http://[::1]:5000/healthz", "[::1]:5000", "/healthz"),
            ("http://[::1]", "[::1]:80", "/readyz"),
            ("http://registry", "registry:80", "/readyz"),
        ] {
            let expected = Target { authority: authority.to_owned(), path: path.to_owned() };
            assert_eq!(Target::parse(url).unwrap(), expected, "{url}");
        }
        for url in ["", "localhost:5000", "https://localhost", "http://", "http:///x", "http://a b", "http://u@h"] {
            assert!(matches!(Target::parse(url), Err(Failure::Usage(_))), "{url}");
        }
    }

    #[test]
    fn every_interface_is_asked_on_loopback() {
        for (listen, authority) in
            [("0.0.0.0:5000", "127.0.0.1:5000"), ("[::]:5000", "[::1]:5000"), ("192.168.1.2:80", "192.168.1.2:80")]
        {
            assert_eq!(Target::of(listen.parse().unwrap()).unwrap().authority, authority);
        }
        assert!(Target::of("127.0.0.1:0".parse().unwrap()).is_err());
    }
}
