//! A client of few lines: one connection a request.

use std::io::{self, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

/// An answer.
pub(crate) struct Reply {
    pub(crate) status: u16,
    /// Each with its name in lower case.
    headers: Vec<(String, String)>,
    pub(crate) body: Vec<u8>,
}

impl Reply {
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(own, _)| own == name).map(|(_, value)| value.as_str())
    }
}

/// Sends a request and reads the whole answer. An error means that no answer came, or only a part of one.
pub(crate) fn send(
    address: SocketAddr,
    method: &str,
    path: &str,
    content_type: Option<&str>,
    body: &[u8],
) -> io::Result<Reply> {
    let content_type = content_type.map_or(String::new(), |value| format!("Content-Type: {value}\r\n"));
    let head = format!("{content_type}Content-Length: {}\r\n", body.len());
    exchange(address, method, path, &head, |stream| stream.write_all(body))
}

/// Sends a request whose body comes in chunks, without a length.
pub(crate) fn send_in_chunks(address: SocketAddr, method: &str, path: &str, body: &[u8]) -> io::Result<Reply> {
    exchange(address, method, path, "Transfer-Encoding: chunked\r\n", |stream| {
        for chunk in body.chunks(1 << 20) {
            write!(stream, "{:x}\r\n", chunk.len())?;
            stream.write_all(chunk)?;
            stream.write_all(b"\r\n")?;
        }
        stream.write_all(b"0\r\n\r\n")
    })
}

fn exchange(
    address: SocketAddr,
    method: &str,
    path: &str,
    fields: &str,
    write_body: impl FnOnce(&mut TcpStream) -> io::Result<()>,
) -> io::Result<Reply> {
    let mut stream = TcpStream::connect(address)?;
    // Far beyond any answer: a server that hangs fails the test instead of stopping it.
    stream.set_read_timeout(Some(Duration::from_secs(60)))?;
    write!(stream, "{method} {path} HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\n{fields}\r\n")?;
    // A server that refuses the body closes the connection while it is sent, and has said why.
    let sent = write_body(&mut stream);
    let mut answer = Vec::new();
    let read = stream.read_to_end(&mut answer);
    if answer.is_empty() {
        sent.and(read)?;
    }
    parse(&answer).ok_or_else(|| io::Error::new(io::ErrorKind::UnexpectedEof, "the answer ends too early"))
}

fn parse(answer: &[u8]) -> Option<Reply> {
    let end = answer.windows(4).position(|window| window == b"\r\n\r\n")?;
    let head = str::from_utf8(&answer[..end]).ok()?.to_ascii_lowercase();
    let status: u16 = head.split(' ').nth(1)?.parse().ok()?;
    let fields = head.lines().skip(1).filter_map(|line| line.split_once(": "));
    let headers = fields.map(|(name, value)| (name.to_owned(), value.to_owned())).collect();
    let announced = head.lines().find_map(|line| line.strip_prefix("content-length: "));
    // An answer without content has no length either.
    let length: usize = announced.filter(|_| status != 204).map_or(Ok(0), str::parse).ok()?;
    let body = answer[end + 4..].to_vec();
    (body.len() == length).then_some(Reply { status, headers, body })
}
