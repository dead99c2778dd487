//! One HTTP/1.1 answer, parsed from the bytes that have arrived so far.
//!
//! Only what the registries of this comparison send is understood: a length, chunks, or no body at all. Anything else
//! is an error, because a figure that rests on a guess about framing is worth nothing.

use anyhow::{Context, Result, bail};

/// What an answer's head says about it.
#[derive(Debug, Clone)]
pub struct Head {
    /// The status.
    pub status: u16,
    /// The path and query of `Location`, without scheme and host.
    pub location: Option<String>,
    /// Where the body ends.
    pub framing: Framing,
    /// Bytes of the head itself, the empty line included.
    pub size: usize,
}

/// How the end of the body is found.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Framing {
    /// After so many bytes.
    Length(usize),
    /// After the last chunk.
    Chunked,
}

/// A complete answer.
#[derive(Debug, Clone)]
pub struct Answer {
    /// Its head.
    pub head: Head,
    /// Its body, without the framing.
    pub body: Vec<u8>,
}

/// Parses a head; `None` while it is incomplete. An answer to `HEAD` has no body whatever its headers say.
pub fn parse_head(bytes: &[u8], to_head: bool) -> Result<Option<Head>> {
    let mut headers = [httparse::EMPTY_HEADER; 64];
    let mut parsed = httparse::Response::new(&mut headers);
    let size = match parsed.parse(bytes).context("the answer is not HTTP/1.1")? {
        httparse::Status::Complete(size) => size,
        httparse::Status::Partial => return Ok(None),
    };
    let status = parsed.code.context("an answer without a status")?;
    let mut location = None;
    let mut framing = None;
    for header in parsed.headers.iter() {
        if header.name.eq_ignore_ascii_case("content-length") {
            let text = std::str::from_utf8(header.value)?;
            framing = Some(Framing::Length(text.trim().parse().context("Content-Length is no number")?));
        } else if header.name.eq_ignore_ascii_case("transfer-encoding") {
            framing = Some(Framing::Chunked);
        } else if header.name.eq_ignore_ascii_case("location") {
            location = Some(local_part(std::str::from_utf8(header.value)?).to_owned());
        } else if header.name.eq_ignore_ascii_case("connection") && header.value.eq_ignore_ascii_case(b"close") {
            bail!("the server wants to close the connection (status {status}); kept-alive connections are measured");
        }
    }
    let framing = match framing {
        _ if to_head || status == 204 || status == 304 => Framing::Length(0),
        Some(framing) => framing,
        None => bail!("an answer with status {status} and neither Content-Length nor chunks"),
    };
    Ok(Some(Head { status, location, framing, size }))
}

/// Parses a whole answer; `None` while it is incomplete. Returns the bytes it occupies beside it.
pub fn parse(bytes: &[u8], to_head: bool) -> Result<Option<(Answer, usize)>> {
    let Some(head) = parse_head(bytes, to_head)? else { return Ok(None) };
    let rest = &bytes[head.size..];
    let body = match head.framing {
        Framing::Length(length) => rest.get(..length).map(|body| (body.to_vec(), length)),
        Framing::Chunked => join_chunks(rest)?,
    };
    Ok(body.map(|(body, length)| {
        let total = head.size + length;
        (Answer { head, body }, total)
    }))
}

fn join_chunks(mut rest: &[u8]) -> Result<Option<(Vec<u8>, usize)>> {
    let whole = rest.len();
    let mut body = Vec::new();
    loop {
        let (start, size) = match httparse::parse_chunk_size(rest) {
            Ok(httparse::Status::Complete(found)) => found,
            Ok(httparse::Status::Partial) => return Ok(None),
            Err(_) => bail!("a chunk without a size"),
        };
        let size = usize::try_from(size)?;
        let Some(chunk) = rest.get(start..start + size + 2) else { return Ok(None) };
        body.extend_from_slice(&chunk[..size]);
        rest = &rest[start + size + 2..];
        if size == 0 {
            return Ok(Some((body, whole - rest.len())));
        }
    }
}

fn local_part(location: &str) -> &str {
    let Some((_, after)) = location.split_once("://") else { return location };
    after.find('/').map_or("/", |slash| &after[slash..])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_answer_is_whole_only_with_its_body() {
        let bytes = b"HTTP/1.1 201 Created\r\nLocation: http://h:1/v2/a?x=1\r\nContent-Length: 3\r\n\r\nabc";
        for cut in 0..bytes.len() {
            assert!(parse(&bytes[..cut], false).unwrap().is_none(), "cut at {cut}");
        }
        let (answer, size) = parse(bytes, false).unwrap().unwrap();
        assert_eq!((answer.head.status, answer.body.as_slice(), size), (201, &b"abc"[..], bytes.len()));
        assert_eq!(answer.head.location.as_deref(), Some("/v2/a?x=1"));
    }

    #[test]
    fn chunks_are_joined() {
        let bytes = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n2\r\nde\r\n0\r\n\r\n";
        for cut in 0..bytes.len() {
            assert!(parse(&bytes[..cut], false).unwrap().is_none(), "cut at {cut}");
        }
        let (answer, size) = parse(bytes, false).unwrap().unwrap();
        assert_eq!((answer.body.as_slice(), size), (&b"abcde"[..], bytes.len()));
    }

    #[test]
    fn an_answer_to_head_has_no_body() {
        let bytes = b"HTTP/1.1 200 OK\r\nContent-Length: 600\r\n\r\n";
        assert_eq!(parse(bytes, true).unwrap().unwrap().1, bytes.len());
        assert!(parse(bytes, false).unwrap().is_none());
    }
}
