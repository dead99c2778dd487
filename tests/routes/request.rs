//! Requests as the tables write them.

use std::fmt;

use actix_web::dev::Payload;
use actix_web::error::PayloadError;
use actix_web::http::Method;
use actix_web::http::header::{CONTENT_LENGTH, HeaderName, HeaderValue};
use actix_web::test::TestRequest;
use bytes::Bytes;
use futures_util::{StreamExt, stream};

/// A request.
#[derive(Clone, Debug)]
pub(crate) struct Request {
    method: Method,
    path: String,
    headers: Vec<(String, Vec<u8>)>,
    body: Body,
}

#[derive(Clone, Debug)]
enum Body {
    None,
    /// With its length.
    Announced(Bytes),
    /// Piece by piece, without a length.
    Streamed {
        pieces: Vec<Bytes>,
        end: End,
    },
}

#[derive(Clone, Copy, Debug)]
enum End {
    Whole,
    /// The connection is closed.
    Broken,
    /// Nothing more comes.
    Stalled,
}

pub(crate) fn get(path: impl Into<String>) -> Request {
    Request::new(Method::GET, path)
}

pub(crate) fn head(path: impl Into<String>) -> Request {
    Request::new(Method::HEAD, path)
}

pub(crate) fn post(path: impl Into<String>) -> Request {
    Request::new(Method::POST, path)
}

pub(crate) fn put(path: impl Into<String>) -> Request {
    Request::new(Method::PUT, path)
}

pub(crate) fn patch(path: impl Into<String>) -> Request {
    Request::new(Method::PATCH, path)
}

pub(crate) fn delete(path: impl Into<String>) -> Request {
    Request::new(Method::DELETE, path)
}

impl Request {
    pub(crate) fn new(method: Method, path: impl Into<String>) -> Self {
        Self { method, path: path.into(), headers: Vec::new(), body: Body::None }
    }

    /// One more header line.
    pub(crate) fn with(mut self, name: &str, value: impl AsRef<[u8]>) -> Self {
        self.headers.push((name.to_owned(), value.as_ref().to_vec()));
        self
    }

    /// Whether there is a header line of this name.
    pub(crate) fn says(&self, name: &str) -> bool {
        self.headers.iter().any(|(own, _)| own == name)
    }

    /// A body whose length is announced.
    pub(crate) fn body(mut self, bytes: impl Into<Bytes>) -> Self {
        self.body = Body::Announced(bytes.into());
        self
    }

    /// A body that comes in pieces, without a length.
    pub(crate) fn streamed<const N: usize>(self, pieces: [&[u8]; N]) -> Self {
        self.in_pieces(&pieces, End::Whole)
    }

    /// A body that breaks off behind these pieces.
    pub(crate) fn broken<const N: usize>(self, pieces: [&[u8]; N]) -> Self {
        self.in_pieces(&pieces, End::Broken)
    }

    /// A body that stands still behind these pieces.
    pub(crate) fn stalled<const N: usize>(self, pieces: [&[u8]; N]) -> Self {
        self.in_pieces(&pieces, End::Stalled)
    }

    fn in_pieces(mut self, pieces: &[&[u8]], end: End) -> Self {
        let pieces = pieces.iter().map(|piece| Bytes::copy_from_slice(piece)).collect();
        self.body = Body::Streamed { pieces, end };
        self
    }

    /// The same request at another path.
    pub(crate) fn at(self, path: impl Into<String>) -> Self {
        Self { path: path.into(), ..self }
    }

    pub(crate) fn method(&self) -> &Method {
        &self.method
    }

    pub(crate) fn path(&self) -> &str {
        &self.path
    }

    pub(crate) fn into_parts(self) -> (TestRequest, Option<Payload>) {
        let mut request = TestRequest::with_uri(&self.path).method(self.method);
        for (name, value) in self.headers {
            let name = HeaderName::try_from(name).unwrap();
            request = request.append_header((name, HeaderValue::from_bytes(&value).unwrap()));
        }
        match self.body {
            Body::None => (request, None),
            Body::Announced(bytes) => (request.insert_header((CONTENT_LENGTH, bytes.len())).set_payload(bytes), None),
            Body::Streamed { pieces, end } => {
                let pieces = stream::iter(pieces.into_iter().map(Ok));
                let payload = match end {
                    End::Whole => pieces.boxed_local(),
                    End::Broken => pieces.chain(stream::iter([Err(PayloadError::Incomplete(None))])).boxed_local(),
                    End::Stalled => pieces.chain(stream::pending()).boxed_local(),
                };
                (request, Some(Payload::Stream { payload }))
            }
        }
    }
}

impl fmt::Display for Request {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {:.300}", self.method, self.path)?;
        for (name, value) in &self.headers {
            write!(f, " [{name}: {:.200}]", String::from_utf8_lossy(value))?;
        }
        match &self.body {
            Body::None => Ok(()),
            Body::Announced(bytes) => write!(f, " {:.200}", String::from_utf8_lossy(bytes)),
            Body::Streamed { pieces, .. } => write!(f, " with a body in {} pieces", pieces.len()),
        }
    }
}
