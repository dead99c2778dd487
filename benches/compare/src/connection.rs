//! One blocking connection: preparation, checks, and the streams of large blobs.

use crate::answer::{self, Answer, Framing, Head};
use crate::image::Large;
use crate::request;
use anyhow::{Context, Result, bail, ensure};
use std::io::{Read, Write};
use std::net::TcpStream;
use std::time::Duration;

/// Bytes a read of a large body asks for: large enough that calls do not count, small enough to stay in the cache.
const READ: usize = 256 << 10;

/// A server that neither takes nor gives a byte for so long is stuck.
const STALL: Duration = Duration::from_secs(120);

/// A kept-alive connection to one server.
#[derive(Debug)]
pub struct Connection {
    stream: TcpStream,
    host: String,
    input: Vec<u8>,
}

impl Connection {
    /// Connects to `host:port`.
    pub fn open(address: &str) -> Result<Self> {
        let stream = TcpStream::connect(address).with_context(|| format!("connecting to {address}"))?;
        stream.set_nodelay(true)?;
        stream.set_read_timeout(Some(STALL))?;
        stream.set_write_timeout(Some(STALL))?;
        Ok(Self { stream, host: address.to_owned(), input: Vec::new() })
    }

    /// Sends one request and reads its whole answer; an error unless it has the status `expect`.
    pub fn ask(&mut self, expect: u16, method: &str, path: &str, media_type: &str, body: &[u8]) -> Result<Answer> {
        let answer = self.asked(method, path, media_type, body)?;
        expect_status(&answer, expect, &format!("{method} {path}"))?;
        Ok(answer)
    }

    /// Sends one request and reads its whole answer, whatever its status is.
    fn asked(&mut self, method: &str, path: &str, media_type: &str, body: &[u8]) -> Result<Answer> {
        let mut out = self.head(method, path, media_type, body.len() as u64);
        out.extend_from_slice(body);
        self.stream.write_all(&out)?;
        self.answer(method == "HEAD").with_context(|| format!("{method} {path}"))
    }

    /// What a GET is answered with, which may be any status.
    pub fn status(&mut self, path: &str) -> Result<u16> {
        Ok(self.asked("GET", path, "", b"")?.head.status)
    }

    /// The answer to a GET; an error unless it is 200.
    pub fn get(&mut self, path: &str) -> Result<Answer> {
        self.ask(200, "GET", path, "", b"")
    }

    /// Sends `large` as the body of one request.
    pub fn stream(&mut self, expect: u16, method: &str, path: &str, large: &Large) -> Result<Answer> {
        let head = self.head(method, path, "application/octet-stream", large.size());
        self.stream.write_all(&head)?;
        large.write_to(&mut self.stream).with_context(|| format!("sending the body of {method} {path}"))?;
        let answer = self.answer(false)?;
        expect_status(&answer, expect, &format!("{method} {path}"))?;
        Ok(answer)
    }

    /// Reads the body at `path` and throws it away; returns its size.
    pub fn drain(&mut self, path: &str) -> Result<u64> {
        let out = self.head("GET", path, "", 0);
        self.stream.write_all(&out)?;
        let head = self.answer_head()?;
        ensure!(head.status == 200, "GET {path} answered {}", head.status);
        let Framing::Length(length) = head.framing else { bail!("GET {path} answered without Content-Length") };
        let mut left = length - (self.input.len() - head.size);
        let mut buffer = vec![0; READ];
        while left > 0 {
            let want = left.min(READ);
            let size = self.stream.read(&mut buffer[..want])?;
            ensure!(size > 0, "GET {path} ended {left} bytes too early");
            left -= size;
        }
        self.input.clear();
        Ok(length as u64)
    }

    fn head(&self, method: &str, path: &str, media_type: &str, length: u64) -> Vec<u8> {
        let mut out = Vec::new();
        request::head(&mut out, method, path, &self.host, media_type, length);
        out
    }

    fn answer_head(&mut self) -> Result<Head> {
        loop {
            if let Some(head) = answer::parse_head(&self.input, false)? {
                return Ok(head);
            }
            self.more()?;
        }
    }

    fn answer(&mut self, to_head: bool) -> Result<Answer> {
        loop {
            if let Some((answer, size)) = answer::parse(&self.input, to_head)? {
                ensure!(size == self.input.len(), "bytes after the end of the answer");
                self.input.clear();
                return Ok(answer);
            }
            self.more()?;
        }
    }

    fn more(&mut self) -> Result<()> {
        let mut buffer = [0; 16 << 10];
        let size = self.stream.read(&mut buffer).context("waiting for an answer")?;
        ensure!(size > 0, "the server closed the connection before it answered");
        self.input.extend_from_slice(&buffer[..size]);
        Ok(())
    }
}

fn expect_status(answer: &Answer, expect: u16, what: &str) -> Result<()> {
    let body = String::from_utf8_lossy(&answer.body[..answer.body.len().min(400)]);
    ensure!(answer.head.status == expect, "{what} answered {} instead of {expect}: {body}", answer.head.status);
    Ok(())
}
