//! HTTP: requests become commands and questions, answers become responses.
//!
//! **Invariant**: this is the only place that knows actix. One [`dispatch`](dispatch::dispatch) serves every request,
//! so nothing is answered without a request id and, once the site is there, a metric and, where it matters, a line in the log.

mod api;
mod as_of;
mod asked;
mod blobs;
mod body;
mod browser;
mod challenge;
mod client_address;
mod clients;
mod conditions;
mod connections;
mod delete;
mod demand;
mod denied;
mod descriptors;
mod dispatch;
mod door;
mod entrance;
mod error;
mod exchange;
mod extensions;
mod file_body;
mod heads;
mod lists;
mod login_token;
mod manifests;
pub(crate) mod outside;
mod page;
mod probes;
mod push;
mod query;
mod range;
mod receive;
mod referrers;
mod refused;
mod route;
mod server;
mod site;
mod space;
mod tag_history;
mod uploads;

pub use browser::Hosts;
pub use client_address::TrustedProxies;
pub use entrance::Entrance;
pub use server::{Listening, ServerError, serve};
pub use site::{Limits, Parts, Site};

/// The names of the routes in metrics.
pub const ROUTE_LABELS: [&str; route::Route::LABELS.len()] = route::Route::LABELS;

/// The service behind an entrance, for tests that call it in process.
pub fn configure(entrance: actix_web::web::Data<Entrance>) -> impl Fn(&mut actix_web::web::ServiceConfig) + Clone {
    move |config| {
        config.app_data(entrance.clone()).default_service(actix_web::web::to(dispatch::dispatch));
    }
}
