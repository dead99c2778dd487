//! `tagstone healthcheck`: is the server ready? Slim images have no curl, so the program asks for itself.

use std::fmt;
use std::io::{Read, Write};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, TcpStream, ToSocketAddrs};
use std::path::PathBuf;
use std::sync::mpsc;
use std::time::{Duration, Instant};

use clap::Args;

use super::failure::{Failure, print};
use super::milliseconds;
use crate::settings::{Flags, Settings, Sources};
use crate::tls::probe;

/// Bytes of an answer that are read: a status line and a short head. A server that sends more is not ours.
const ANSWER_BYTES: usize = 8 * 1024;

/// `tagstone healthcheck`
#[derive(Debug, Args)]
pub struct HealthCheck {
    /// The server to ask [default: the address it listens on by its settings]
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
#[derive(Clone, Debug, PartialEq, Eq)]
struct Target {
    scheme: Scheme,
    /// Host and port, as in the URL.
    authority: String,
    path: String,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Scheme {
    Http,
    Https,
}

impl HealthCheck {
    /// Asks, and says on stdout that the server is ready; otherwise fails with the reason.
    pub fn run(self) -> Result<(), Failure> {
        let target = match &self.url {
            Some(url) => Target::parse(url)?,
            None => {
                let settings = Settings::load(Sources::of_process(self.config, Flags::default()))?.settings;
                let scheme = if settings.tls.is_some() { Scheme::Https } else { Scheme::Http };
                Target::of(scheme, settings.listen)?
            }
        };
        let status =
            ask_in_time(&target, self.timeout).map_err(|why| Failure::failed(format_args!("{target}: {why}")))?;
        if status.code == 200 {
            return print("ready\n");
        }
        Err(Failure::failed(format_args!("{target}: not ready: {}", status.line)))
    }
}

impl Target {
    fn parse(url: &str) -> Result<Self, Failure> {
        let wrong =
            |why: &str| Failure::usage(format_args!("--url is {url:?}, but {why}, as in http://127.0.0.1:5000"));
        let (scheme, rest, port) = match (url.strip_prefix("http://"), url.strip_prefix("https://")) {
            (Some(rest), _) => (Scheme::Http, rest, 80),
            (None, Some(rest)) => (Scheme::Https, rest, 443),
            (None, None) => return Err(wrong("it is neither of http nor of https")),
        };
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
        let authority = if has_port && !is_bare_ipv6 { authority.to_owned() } else { format!("{authority}:{port}") };
        Ok(Self { scheme, authority, path: if path == "/" { "/readyz".to_owned() } else { path.to_owned() } })
    }

    /// The server that listens on `listen`, asked from the same machine.
    fn of(scheme: Scheme, listen: SocketAddr) -> Result<Self, Failure> {
        if listen.port() == 0 {
            let why = "listen has port 0, so the system chose the port; name it with --url";
            return Err(Failure::failed(why));
        }
        let ip = match listen.ip() {
            IpAddr::V4(ip) if ip.is_unspecified() => Ipv4Addr::LOCALHOST.into(),
            IpAddr::V6(ip) if ip.is_unspecified() => Ipv6Addr::LOCALHOST.into(),
            ip => ip,
        };
        Ok(Self { scheme, authority: SocketAddr::new(ip, listen.port()).to_string(), path: "/readyz".to_owned() })
    }
}

impl fmt::Display for Target {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let scheme = if self.scheme == Scheme::Https { "https" } else { "http" };
        write!(f, "{scheme}://{}{}", self.authority, self.path)
    }
}

struct Status {
    code: u16,
    /// Code and reason, as in `503 Service Unavailable`.
    line: String,
}

/// [`ask`] in a thread that is left behind when the time is over: a handshake of TLS is many reads, each of which could take as long
/// as the whole answer may.
fn ask_in_time(target: &Target, timeout: Duration) -> Result<Status, String> {
    let (done, answered) = mpsc::channel();
    let asked = target.clone();
    std::thread::spawn(move || {
        // Nobody waits any more where the time was over first.
        let _ = done.send(ask(&asked, timeout));
    });
    answered.recv_timeout(timeout).unwrap_or_else(|_| Err(NO_ANSWER.to_owned()))
}

/// A connection, in the clear or not.
trait ReadWrite: Read + Write {}

impl<T: Read + Write> ReadWrite for T {}

fn ask(target: &Target, timeout: Duration) -> Result<Status, String> {
    let deadline = Instant::now() + timeout;
    let stream = connect(&target.authority, deadline)?;
    // A second handle of the same socket, by which what is left of the time is set.
    let timed = stream.try_clone().map_err(|error| error.to_string())?;
    let limit = || {
        let left = Some(remaining(deadline)?);
        timed.set_read_timeout(left).and_then(|()| timed.set_write_timeout(left)).map_err(|error| error.to_string())
    };
    limit()?;
    let host = target.authority.rsplit_once(':').map_or(target.authority.as_str(), |(host, _)| host);
    let mut stream: Box<dyn ReadWrite> = match target.scheme {
        Scheme::Http => Box::new(stream),
        Scheme::Https => Box::new(probe(stream, host).map_err(describe)?),
    };
    let request = format!(
        "GET {} HTTP/1.1\r\nHost: {}\r\nUser-Agent: tagstone-healthcheck\r\nConnection: close\r\n\r\n",
        target.path, target.authority
    );
    stream.write_all(request.as_bytes()).map_err(describe)?;
    let mut answer = Vec::new();
    let mut chunk = [0; 1024];
    // One deadline for the whole answer, so that a server that sends a byte now and then cannot hold us.
    while !answer.contains(&b'\n') && answer.len() < ANSWER_BYTES {
        limit()?;
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
        for (url, scheme, authority, path) in [
            ("https://localhost:5000", Scheme::Https, "localhost:5000", "/readyz"),
            ("https://registry", Scheme::Https, "registry:443", "/readyz"),
            ("http://localhost:5000", Scheme::Http, "localhost:5000", "/readyz"),
            ("http://127.0.0.1:5000/", Scheme::Http, "127.0.0.1:5000", "/readyz"),
            ("http://[::1]:5000/healthz", Scheme::Http, "[::1]:5000", "/healthz"),
            ("http://[::1]", Scheme::Http, "[::1]:80", "/readyz"),
            ("http://registry", Scheme::Http, "registry:80", "/readyz"),
        ] {
            let expected = Target { scheme, authority: authority.to_owned(), path: path.to_owned() };
            assert_eq!(Target::parse(url).unwrap(), expected, "{url}");
        }
        for url in
            ["", "localhost:5000", "ftp://localhost", "https://", "http://", "http:///x", "http://a b", "http://u@h"]
        {
            assert!(matches!(Target::parse(url), Err(Failure::Usage(_))), "{url}");
        }
    }

    #[test]
    fn every_interface_is_asked_on_loopback() {
        for (listen, authority) in
            [("0.0.0.0:5000", "127.0.0.1:5000"), ("[::]:5000", "[::1]:5000"), ("192.168.1.2:80", "192.168.1.2:80")]
        {
            assert_eq!(Target::of(Scheme::Http, listen.parse().unwrap()).unwrap().authority, authority);
        }
        assert!(Target::of(Scheme::Http, "127.0.0.1:0".parse().unwrap()).is_err());
    }
}
