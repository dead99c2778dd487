//! One exchange: a request with what every handler asks of it.

use std::net::IpAddr;

use actix_web::http::header::{self, HeaderMap, HeaderName};
use actix_web::{HttpRequest, HttpResponse};
use tagstone_schema::actor::ActorKind;
use tagstone_schema::{Actor, Digest, Origin, RepositoryName, Timestamp};

use super::as_of::lies_in_the_past;
use super::error::Refusal;
use super::query::Query;
use super::route::Route;
use super::site::Site;
use crate::access::Caller;
use crate::registry::{Aftermath, Command, Committed, How, Submission, Told, WriteError};

/// `Docker-Content-Digest`, the digest of what is answered or was stored.
pub(super) const CONTENT_DIGEST: HeaderName = HeaderName::from_static("docker-content-digest");

/// The answer to a request, or why there is none.
pub(super) type Answer = Result<HttpResponse, Refusal>;

/// A request on its way through a handler.
pub(super) struct Exchange<'a> {
    pub(super) site: &'a Site,
    pub(super) request: &'a HttpRequest,
    pub(super) request_id: &'a str,
    /// What the request is about.
    pub(super) route: Route<'a>,
    pub(super) caller: Caller,
    /// The address of the client.
    pub(super) address: Option<IpAddr>,
}

impl Exchange<'_> {
    pub(super) fn query(&self) -> Query<'_> {
        Query::new(self.request.query_string())
    }

    pub(super) fn headers(&self) -> &HeaderMap {
        self.request.headers()
    }

    /// A header as text; what is no text counts as absent.
    pub(super) fn header(&self, name: HeaderName) -> Option<&str> {
        self.headers().get(name)?.to_str().ok()
    }

    /// The length that the client has announced for its body.
    pub(super) fn content_length(&self) -> Option<u64> {
        self.header(header::CONTENT_LENGTH)?.parse().ok()
    }

    /// The time by which tags have expired.
    pub(super) fn now(&self) -> Timestamp {
        self.site.clock.now()
    }

    pub(super) fn peer(&self) -> Option<IpAddr> {
        self.address
    }

    pub(super) fn actor(&self) -> Actor {
        self.caller.actor().clone()
    }

    /// Who relies on what he is told: the actor, or an address where that is all that is known.
    pub(super) fn client(&self) -> Actor {
        let mut client = self.actor();
        if client.kind == ActorKind::Anonymous
            && let Some(address) = self.peer()
        {
            client.name = address.to_string().into();
        }
        client
    }

    pub(super) fn origin(&self) -> Origin {
        let address = self.peer().map(|address| address.to_string()).unwrap_or_default();
        let user_agent = self.header(header::USER_AGENT).unwrap_or_default();
        Origin::new(self.request_id, address, user_agent)
    }

    pub(super) fn submission(&self, command: Command) -> Submission {
        let mut submission = Submission::new(self.actor(), self.origin(), command);
        submission.aftermath = Some(Aftermath::new(self.site.promises.clone(), self.client()));
        submission
    }

    /// Notes that the client finds content in a repository. Whether it is there is to be asked behind that: it may be removed at
    /// this moment, which is waited for.
    pub(super) async fn tell(&self, repository: &RepositoryName, digest: &Digest) {
        let told = Told { repository: repository.clone(), at: self.now(), how: How::Found, by: None };
        self.site.promises.tell(digest, told).await;
    }

    /// Commits a command without bytes.
    pub(super) async fn commit(&self, command: Command) -> Result<Committed, WriteError> {
        self.site.writer.submit(self.submission(command)).await
    }
}

/// The name of a repository that is read as it is.
pub(super) fn readable(name: &str) -> Result<RepositoryName, Refusal> {
    Ok(name.parse()?)
}

/// The name of a repository that is written; the past cannot be.
pub(super) fn writable(name: &str) -> Result<RepositoryName, Refusal> {
    if lies_in_the_past(name) {
        let shown: String = name.chars().take(300).collect();
        let mut refusal = Refusal::method("GET, HEAD");
        refusal.message = format!("{shown} shows the past, which cannot be changed; push to the repository itself");
        return Err(refusal);
    }
    Ok(name.parse()?)
}
