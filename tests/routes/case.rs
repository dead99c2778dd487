//! A line of a table: a request, and what is answered.

use bytes::Bytes;
use serde_json::Value;

use crate::registry::Registry;
use crate::reply::Reply;
use crate::request::Request;

/// A line of a table.
pub(crate) struct Case {
    pub(crate) request: Request,
    pub(crate) answer: Answer,
}

/// What is expected of an answer. What is not named here may be anything.
#[derive(Default)]
pub(crate) struct Answer {
    status: u16,
    error: Option<(&'static str, Vec<String>)>,
    detail: Option<Value>,
    fields: Vec<(&'static str, Value)>,
    headers: Vec<(&'static str, Vec<String>)>,
    body: Option<Bytes>,
    json: Option<Value>,
    length: Option<u64>,
}

/// A line.
pub(crate) fn case(request: Request, answer: Answer) -> Case {
    Case { request, answer }
}

/// An answer that is no refusal.
pub(crate) fn ok(status: u16) -> Answer {
    assert!(status < 400);
    Answer { status, ..Answer::default() }
}

/// A refusal with its code (below `/api/v1` its type), and a part of its message.
pub(crate) fn refused(status: u16, code: &'static str, says: impl Into<String>) -> Answer {
    assert!(status >= 400);
    Answer { status, error: Some((code, vec![says.into()])), ..Answer::default() }
}

impl Answer {
    /// A header with exactly this value.
    pub(crate) fn header(self, name: &'static str, value: impl Into<String>) -> Self {
        self.headers(name, [value])
    }

    /// A header that stands once for each value, in this order.
    pub(crate) fn headers<T: Into<String>>(mut self, name: &'static str, values: impl IntoIterator<Item = T>) -> Self {
        self.headers.push((name, values.into_iter().map(Into::into).collect()));
        self
    }

    /// No such header.
    pub(crate) fn without(self, name: &'static str) -> Self {
        self.headers(name, [""; 0])
    }

    /// One more part of the message.
    pub(crate) fn says(mut self, part: impl Into<String>) -> Self {
        self.error.as_mut().unwrap().1.push(part.into());
        self
    }

    /// `detail` of the error.
    pub(crate) fn detail(mut self, detail: Value) -> Self {
        self.detail = Some(detail);
        self
    }

    /// A field beside those that every error below `/api/v1` has.
    pub(crate) fn field(mut self, name: &'static str, value: Value) -> Self {
        self.fields.push((name, value));
        self
    }

    /// Exactly these bytes.
    pub(crate) fn bytes(mut self, bytes: impl Into<Bytes>) -> Self {
        let bytes = bytes.into();
        self.length = Some(bytes.len() as u64);
        self.body = Some(bytes);
        self
    }

    /// No body at all.
    pub(crate) fn empty(mut self) -> Self {
        self.body = Some(Bytes::new());
        self
    }

    /// No body, but the length of the one that GET has.
    pub(crate) fn empty_of_length(mut self, length: usize) -> Self {
        self.body = Some(Bytes::new());
        self.length = Some(length as u64);
        self
    }

    /// This JSON, as `application/json` unless another type is named.
    pub(crate) fn json(mut self, json: Value) -> Self {
        if !self.headers.iter().any(|(name, _)| *name == "content-type") {
            self = self.header("content-type", "application/json");
        }
        self.json = Some(json);
        self
    }

    fn check(&self, reply: &Reply, shown: &str) {
        let told = String::from_utf8_lossy(&reply.body);
        assert_eq!(reply.status, self.status, "{shown}: {told:.600}");
        for (name, values) in &self.headers {
            assert_eq!(reply.all(name), *values, "{shown}: {name}");
        }
        if let Some(body) = &self.body {
            assert!(reply.body == body, "{shown}: {:?} is not {:?}", reply.body, body);
        }
        if self.length.is_some() {
            assert_eq!(reply.length, self.length, "{shown}: Content-Length");
        }
        if let Some(json) = &self.json {
            assert_eq!(reply.json(), *json, "{shown}");
        }
        // HEAD has no body to look into.
        if let Some((code, parts)) = self.error.as_ref().filter(|_| !shown.starts_with("HEAD ")) {
            let error = reply.error();
            let (own, message) =
                if error.get("error_type").is_some() { ("error_type", "detail") } else { ("code", "message") };
            assert_eq!(error[own], *code, "{shown}: {error}");
            for part in parts {
                let message = error[message].as_str().unwrap_or_default();
                assert!(message.contains(part.as_str()), "{shown}: {part:?} is not in {message:?}");
            }
            if let Some(detail) = &self.detail {
                assert_eq!(error["detail"], *detail, "{shown}");
            }
            for (name, value) in &self.fields {
                assert_eq!(error[name], *value, "{shown}: {name}");
            }
        }
    }
}

impl Registry {
    /// Answers one request, and compares.
    pub(crate) async fn check(&self, request: Request, answer: Answer) -> Reply {
        let shown = request.to_string();
        let reply = self.send(request).await;
        answer.check(&reply, &shown);
        reply
    }

    /// Goes through a table, line by line.
    pub(crate) async fn check_all(&self, cases: impl IntoIterator<Item = Case>) {
        for Case { request, answer } in cases {
            self.check(request, answer).await;
        }
    }
}
