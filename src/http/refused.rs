//! Refusals as they are answered, in the form of the interface that was asked.

use actix_web::http::header::{self, HeaderName, HeaderValue};
use actix_web::http::{Method, StatusCode};
use actix_web::{HttpRequest, HttpResponse};

use super::api::ApiRefusal;
use super::error::Refusal;
use super::manifests::head;
use super::route::Route;
use crate::limit::Limit;

/// A refusal in its final form.
#[derive(Debug)]
pub(super) struct Refused {
    pub(super) status: StatusCode,
    pub(super) headers: Vec<(HeaderName, HeaderValue)>,
    /// The limit that has refused, if it was one.
    pub(super) limit: Option<Limit>,
    /// What the log says of it.
    pub(super) message: String,
    /// JSON.
    pub(super) body: String,
}

impl Refused {
    /// A refusal that no handler of the route has made, in the form that its handlers use.
    pub(super) fn at(route: Route<'_>, refusal: Refusal) -> Self {
        match route {
            Route::Api(_) => ApiRefusal::from(refusal).into(),
            _ => refusal.into(),
        }
    }

    /// The answer.
    pub(super) fn response(self, request: &HttpRequest) -> HttpResponse {
        let mut response = HttpResponse::build(self.status);
        if self.headers.iter().any(|(name, _)| *name == header::CONNECTION) {
            response.force_close();
        }
        for header in self.headers {
            // Some stand more than once, such as challenges.
            response.append_header(header);
        }
        response.content_type("application/json");
        let length = self.body.len() as u64;
        if request.method() == Method::HEAD { head(&mut response, length) } else { response.body(self.body) }
    }
}

/// The form of the distribution specification.
impl From<Refusal> for Refused {
    fn from(refusal: Refusal) -> Self {
        let body = refusal.body();
        Self { status: refusal.status, headers: refusal.headers, limit: refusal.limit, message: refusal.message, body }
    }
}
