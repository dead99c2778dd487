//! A stream of events, read as a browser reads it.

use std::net::SocketAddr;
use std::pin::Pin;
use std::time::Duration;

use actix_web::body::{BoxBody, MessageBody};
use serde_json::Value;

use crate::registry::{PEER, Registry};
use crate::request::Request;

/// Far longer than anything takes; it only keeps a broken stream from hanging the tests.
const NEVER: Duration = Duration::from_secs(30);

/// An open stream.
pub(crate) struct Live {
    body: Pin<Box<BoxBody>>,
    read: String,
}

/// What stands between two empty lines.
#[derive(Debug, Default, PartialEq)]
pub(crate) struct Block {
    pub(crate) id: Option<String>,
    pub(crate) event: Option<String>,
    pub(crate) data: Option<Value>,
    pub(crate) retry: Option<String>,
    pub(crate) comment: Option<String>,
}

impl Live {
    /// Opens a stream, which must not be refused.
    pub(crate) async fn open(registry: &Registry, request: Request) -> Self {
        let shown = request.to_string();
        let (request, _) = request.into_parts();
        let response = registry.answer(request.peer_addr(SocketAddr::new(PEER.parse().unwrap(), 40_000))).await;
        assert_eq!(response.status().as_u16(), 200, "{shown}");
        for (name, value) in
            [("content-type", "text/event-stream"), ("cache-control", "no-store"), ("x-accel-buffering", "no")]
        {
            assert_eq!(response.headers().get(name).unwrap(), value, "{shown}");
        }
        let mut live = Self { body: Box::pin(response.into_body()), read: String::new() };
        let greeting = live.block().await.unwrap();
        assert_eq!(greeting.retry.as_deref(), Some("3000"), "{shown}");
        assert_eq!((greeting.event, greeting.data), (None, None), "{shown}");
        live.read.insert_str(0, &greeting.id.map(|id| format!("id: {id}\n\n")).unwrap_or_default());
        live
    }

    /// The next block. None at the end of the stream.
    pub(crate) async fn block(&mut self) -> Option<Block> {
        loop {
            if let Some(end) = self.read.find("\n\n") {
                let block: String = self.read.drain(..end + 2).collect();
                return Some(parsed(block.trim_end()));
            }
            let polled = std::future::poll_fn(|context| self.body.as_mut().poll_next(context));
            let bytes = actix_web::rt::time::timeout(NEVER, polled).await.expect("the stream stands still")?;
            self.read.push_str(std::str::from_utf8(&bytes.unwrap()).unwrap());
        }
    }

    /// The id that the stream has begun with.
    pub(crate) async fn begins_with_id(&mut self) -> String {
        let block = self.block().await.unwrap();
        assert_eq!((&block.event, &block.data), (&None, &None));
        block.id.unwrap()
    }

    /// The next event.
    pub(crate) async fn event(&mut self) -> Value {
        let block = self.block().await.expect("the stream has ended");
        let data = block.data.expect("a block without data");
        assert_eq!(block.id.unwrap(), crate::happenings::id(&data));
        assert_eq!(block.event.unwrap(), data["kind"]);
        data
    }

    /// So many events.
    pub(crate) async fn events(&mut self, count: usize) -> Vec<Value> {
        let mut events = Vec::new();
        for _ in 0..count {
            events.push(self.event().await);
        }
        events
    }
}

fn parsed(text: &str) -> Block {
    let mut block = Block::default();
    for line in text.lines() {
        let (field, value) = line.split_once(':').unwrap();
        let value = value.strip_prefix(' ').unwrap_or(value).to_owned();
        match field {
            "id" => block.id = Some(value),
            "event" => block.event = Some(value),
            "data" => block.data = Some(serde_json::from_str(&value).unwrap()),
            "retry" => block.retry = Some(value),
            "" => block.comment = Some(value),
            other => panic!("the field {other}"),
        }
    }
    block
}
