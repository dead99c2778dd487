//! Clients, and how much each of them has under way.

use std::collections::HashMap;
use std::net::{IpAddr, Ipv4Addr};
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll};

use actix_web::HttpResponse;
use actix_web::body::{BodySize, BoxBody, MessageBody};
use actix_web::http::StatusCode;
use actix_web::http::header::{self, HeaderValue};
use bytes::Bytes;
use tagstone_schema::ActorKind;

use super::error::{Code, Refusal};
use super::exchange::Exchange;
use crate::access::network_of;
use crate::limit::Limit;

/// When a client that has too many requests under way may try again, in seconds.
const REQUESTS_RETRY: u32 = 1;

/// The same for uploads: they take longer, and an abandoned one stays open for long.
pub(super) const UPLOADS_RETRY: u32 = 60;

/// Whoever counts as one client: a user or a token; of those without credentials, an address.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
enum Client {
    Known(ActorKind, String),
    At(IpAddr),
}

impl Client {
    fn of(exchange: &Exchange<'_>) -> Self {
        if exchange.caller.is_known() {
            let actor = exchange.caller.actor();
            return Self::Known(actor.kind, actor.name.to_string());
        }
        // Only tests have no address.
        Self::At(exchange.peer().map_or(IpAddr::V4(Ipv4Addr::UNSPECIFIED), network_of))
    }
}

/// What all clients have under way.
#[derive(Debug)]
pub(super) struct Clients {
    requests: Arc<UnderWay>,
    uploads: Arc<UnderWay>,
}

/// How much of one kind each client has under way.
#[derive(Debug)]
struct UnderWay {
    most: usize,
    /// Clients that have nothing under way are not here.
    counts: Mutex<HashMap<Client, usize>>,
}

/// The right of a client to have one more under way; it is given back when this is dropped.
#[derive(Debug)]
pub(super) struct Place {
    of: Arc<UnderWay>,
    client: Client,
}

impl Clients {
    /// Each client may have so many requests and so many uploads under way.
    pub(super) fn new(requests: usize, uploads: usize) -> Self {
        let under_way = |most| Arc::new(UnderWay { most, counts: Mutex::default() });
        Self { requests: under_way(requests), uploads: under_way(uploads) }
    }

    /// One more request of a client, from its head to the end of its answer.
    pub(super) fn request(&self, exchange: &Exchange<'_>) -> Result<Place, Refusal> {
        self.requests.one_more(Client::of(exchange)).map_err(|most| {
            let message = format!(
                "you have {most} requests under way, which is the most that one client may have \
                 (`limits.client_requests`); wait for some of them"
            );
            too_many(message, REQUESTS_RETRY, Limit::ClientRequests)
        })
    }

    /// One more upload of a client, from its beginning until it is finished, cancelled or given up.
    pub(super) fn upload(&self, exchange: &Exchange<'_>) -> Result<Place, Refusal> {
        self.uploads.one_more(Client::of(exchange)).map_err(|most| {
            let message = format!(
                "you have {most} uploads open, which is the most that one client may have (`limits.client_uploads`); \
                 finish or delete some first"
            );
            too_many(message, UPLOADS_RETRY, Limit::ClientUploads)
        })
    }
}

/// The refusal of one more than there may be at once.
pub(super) fn too_many(message: String, retry_after: u32, limit: Limit) -> Refusal {
    Refusal::new(StatusCode::TOO_MANY_REQUESTS, Code::TooManyRequests, message)
        .with_header(header::RETRY_AFTER, HeaderValue::from(retry_after))
        .by(limit)
}

impl UnderWay {
    /// One more for the client, or how many it has if those are the most.
    fn one_more(self: &Arc<Self>, client: Client) -> Result<Place, usize> {
        let mut counts = self.counts.lock().unwrap_or_else(PoisonError::into_inner);
        let count = counts.get(&client).copied().unwrap_or(0);
        if count >= self.most {
            return Err(self.most);
        }
        counts.insert(client.clone(), count + 1);
        Ok(Place { of: self.clone(), client })
    }
}

impl Place {
    /// An answer that keeps the place until it is sent, where that takes longer than making it.
    pub(super) fn held_by(self, response: HttpResponse) -> HttpResponse {
        response.map_body(|_, body| match body.try_into_bytes() {
            Ok(bytes) => BoxBody::new(bytes),
            Err(body) => BoxBody::new(Held { body, _place: self }),
        })
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let mut counts = self.of.counts.lock().unwrap_or_else(PoisonError::into_inner);
        match counts.get_mut(&self.client) {
            Some(count) if *count > 1 => *count -= 1,
            _ => drop(counts.remove(&self.client)),
        }
    }
}

/// A body with a place.
struct Held {
    body: BoxBody,
    _place: Place,
}

impl MessageBody for Held {
    type Error = <BoxBody as MessageBody>::Error;

    fn size(&self) -> BodySize {
        self.body.size()
    }

    fn poll_next(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Result<Bytes, Self::Error>>> {
        Pin::new(&mut self.body).poll_next(context)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn places_are_counted_and_given_back() {
        let under_way = Arc::new(UnderWay { most: 2, counts: Mutex::default() });
        let at = |last| Client::At(Ipv4Addr::new(192, 0, 2, last).into());
        let user = |kind| Client::Known(kind, "192.0.2.1".to_owned());
        let first = under_way.one_more(at(1)).unwrap();
        let second = under_way.one_more(at(1)).unwrap();
        assert_eq!(under_way.one_more(at(1)).unwrap_err(), 2);
        let others = [at(2), user(ActorKind::User), user(ActorKind::Token)].map(|client| under_way.one_more(client));
        assert!(others.iter().all(Result::is_ok), "{others:?}");
        drop(first);
        let third = under_way.one_more(at(1)).unwrap();
        assert_eq!(under_way.one_more(at(1)).unwrap_err(), 2);
        drop((second, third, others));
        assert!(under_way.counts.lock().unwrap().is_empty(), "clients without anything under way are forgotten");
    }

    #[test]
    fn an_answer_that_is_sent_at_once_keeps_no_place() {
        let under_way = Arc::new(UnderWay { most: 1, counts: Mutex::default() });
        let client = || Client::At(Ipv4Addr::LOCALHOST.into());
        let place = || under_way.one_more(client());
        let _sent = place().unwrap().held_by(HttpResponse::Ok().body("all of it"));
        let endless = futures_util::stream::pending::<Result<Bytes, std::io::Error>>();
        let streamed = place().unwrap().held_by(HttpResponse::Ok().streaming(endless));
        assert!(place().is_err(), "a stream keeps its place");
        drop(streamed);
        assert!(place().is_ok());
    }
}
