//! What requests meet first: the site, or the word that it is still being recovered.

use std::sync::OnceLock;
use std::sync::atomic::{AtomicU64, Ordering};

use actix_web::http::StatusCode;
use actix_web::http::header::{self, HeaderValue};
use actix_web::{HttpRequest, HttpResponse};

use super::error::{Code, Refusal};
use super::probes;
use super::refused::Refused;
use super::route::Route;
use super::site::Site;

/// The door to a site. The server listens before the log is verified and folded, so that whoever operates it can tell
/// a registry that recovers from one that is down; nothing else is served until then.
pub struct Entrance {
    site: OnceLock<Site>,
    request_ids: AtomicU64,
}

impl Entrance {
    /// An entrance to a site that is not there yet.
    pub fn closed() -> Self {
        // Ids begin at a random number, so that those of two starts are not the same. Without randomness they still
        // differ within one start.
        let mut seed = [0; 8];
        let _ = getrandom::fill(&mut seed);
        Self { site: OnceLock::new(), request_ids: AtomicU64::new(u64::from_le_bytes(seed)) }
    }

    /// Lets requests in to the site. An entrance is opened once; a second site is ignored.
    pub fn open(&self, site: Site) {
        let _ = self.site.set(site);
    }

    /// Ends what would go on for ever, because the server stops.
    pub(super) fn end_streams(&self) {
        self.site.get().iter().for_each(|site| site.streams.end());
    }

    pub(super) fn site(&self) -> Option<&Site> {
        self.site.get()
    }

    pub(super) fn next_request_id(&self) -> String {
        // A large odd step makes ids of neighbouring requests look different, and never repeats before 2^64.
        let id = self.request_ids.fetch_add(0x9e37_79b9_7f4a_7c15, Ordering::Relaxed);
        format!("{id:016x}")
    }
}

/// An entrance that is open from the beginning.
impl From<Site> for Entrance {
    fn from(site: Site) -> Self {
        let entrance = Self::closed();
        entrance.open(site);
        entrance
    }
}

/// What is answered while there is no site.
pub(super) fn recovering(request: &HttpRequest) -> HttpResponse {
    let route = Route::of(request.uri().path());
    match route {
        Route::Health => probes::health(),
        Route::Ready => probes::recovering(),
        _ => {
            let message = "the registry is starting: its log is being verified; try again in a moment";
            let refusal = Refusal::new(StatusCode::SERVICE_UNAVAILABLE, Code::TooManyRequests, message)
                .with_header(header::RETRY_AFTER, HeaderValue::from_static("1"));
            Refused::at(route, refusal).response(request)
        }
    }
}
