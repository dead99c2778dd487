//! Changes that were denied to somebody who is known: what a user or a token has tried without having the right to is evidence, and is
//! gathered with what rules of immutability have refused.
//!
//! Whoever is not known is asked for credentials, and whoever comes from an outside issuer for a wider token; that is how clients begin, and
//! no denial. Reading changes nothing, and clients try what they may see. What names no repository cannot be recorded.

use actix_web::http::Method;
use tagstone_schema::RepositoryName;

use super::api::{ApiRoute, ScopePath};
use super::demand::Demand;
use super::exchange::Exchange;
use super::manifests::Reference;
use super::route::Route;
use crate::registry::{Attempt, RefusalReason};

/// Keeps a denial, if it is one that is kept.
pub(super) fn gather(exchange: &Exchange<'_>, demand: Demand<'_>) {
    let is_change = matches!(*exchange.request.method(), Method::POST | Method::PUT | Method::PATCH | Method::DELETE);
    if !is_change || !exchange.caller.is_known() || matches!(demand, Demand::Pull(_)) {
        return;
    }
    let Some((name, reference)) = aim(exchange.route) else { return };
    let Ok(repository) = name.parse::<RepositoryName>() else { return };
    let (tag, digest) = match reference.map(Reference::of) {
        Some(Ok(Reference::Tag(tag))) => (Some(tag), None),
        Some(Ok(Reference::Digest(digest))) => (None, Some(digest)),
        Some(Err(_)) | None => (None, None),
    };
    let address = exchange.peer().map(|address| address.to_string()).unwrap_or_default();
    let reason = RefusalReason::AccessDenied;
    let attempt = Attempt { actor: exchange.actor(), address, repository, tag, digest, reason };
    exchange.site.metrics.refused(reason);
    exchange.site.writer.refusals().deny(attempt, exchange.now());
}

/// The repository that a change is about, and the tag or digest in it.
fn aim(route: Route<'_>) -> Option<(&str, Option<&str>)> {
    match route {
        Route::Manifest { name, reference } => Some((name, Some(reference))),
        Route::Blob { name, digest } => Some((name, Some(digest))),
        Route::Uploads { name } | Route::Upload { name, .. } => Some((name, None)),
        Route::Api(route) => aim_of_api(route),
        _ => None,
    }
}

fn aim_of_api(route: ApiRoute<'_>) -> Option<(&str, Option<&str>)> {
    match route {
        ApiRoute::Tag { name, tag }
        | ApiRoute::TagErasure { name, tag }
        | ApiRoute::TagRestore { name, tag }
        | ApiRoute::TagExpiry { name, tag } => Some((name, Some(tag))),
        ApiRoute::TagsDeletion { name } | ApiRoute::Purge { name } | ApiRoute::Repository { name } => {
            Some((name, None))
        }
        ApiRoute::ImmutabilityPolicies { scope }
        | ApiRoute::ImmutabilityPolicy { scope, .. }
        | ApiRoute::ImmutabilityActivation { scope, .. }
        | ApiRoute::PrunePolicies { scope }
        | ApiRoute::PrunePolicy { scope, .. }
        | ApiRoute::PruneActivation { scope, .. }
        | ApiRoute::PruneRun { scope, .. } => match scope {
            ScopePath::Repository(name) => Some((name, None)),
            ScopePath::Registry | ScopePath::Organization(_) => None,
        },
        _ => None,
    }
}
