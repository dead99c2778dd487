//! What each route demands of its caller: the one table, which `docs/access.md` repeats and a test compares with it.
//!
//! **Invariant**: the door asks here before any handler runs, and before anything is looked up; so what a client may not see
//! answers the same whether it is there or not. A handler asks more only where the body or the query decides.

use actix_web::http::Method;

use super::api::ApiRoute;
use super::as_of::repository_of;
use super::route::Route;

/// What a caller has to be, or to be allowed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Demand<'a> {
    /// Nothing: whoever reaches the registry is answered.
    Nothing,
    /// To be somebody for whom there is anything here. What is shown then is what the caller may pull.
    Entry,
    /// To pull from the repository.
    Pull(&'a str),
    /// To push to it. Whoever may do that alone, as machines do that build images, is told nothing of what is there.
    Push(&'a str),
    /// To pull from it and to push to it: the answer tells what is there.
    PullAndPush(&'a str),
    /// To pull from it and to delete in it: that something can be deleted says that it is there.
    PullAndDelete(&'a str),
    /// To be a user who has given a password: a token cannot be exchanged for another one.
    User,
    /// To be an administrator.
    Administrator,
}

impl<'a> Demand<'a> {
    /// What a method of a route demands. A method that the route does not have demands what reading it does: that there is no such
    /// method is no secret, but whether there is such a repository may be.
    pub(super) fn of(route: Route<'a>, method: &Method) -> Self {
        match route {
            Route::Health | Route::Ready | Route::Metrics | Route::Unknown => Self::Nothing,
            Route::Base
            | Route::LoginToken
            | Route::Catalog
            | Route::ExtensionList
            | Route::Discover { name: None } => Self::Entry,
            Route::Discover { name: Some(name) }
            | Route::TagList { name }
            | Route::TagTable { name }
            | Route::TagHistory { name, .. }
            | Route::Referrers { name, .. } => Self::pull(name),
            Route::Manifest { name, .. } | Route::Blob { name, .. } => match *method {
                Method::PUT => Self::write(name, Self::Push),
                Method::DELETE => Self::write(name, Self::PullAndDelete),
                _ => Self::pull(name),
            },
            // An upload is of whoever may push, from its beginning to its end.
            Route::Uploads { name } | Route::Upload { name, .. } => Self::write(name, Self::Push),
            Route::Api(route) => Self::of_api(route, method),
        }
    }

    fn of_api(route: ApiRoute<'a>, method: &Method) -> Self {
        let is_read = matches!(*method, Method::GET | Method::HEAD);
        match route {
            ApiRoute::WhoAmI | ApiRoute::OpenApi | ApiRoute::ErrorType { .. } | ApiRoute::Unknown => Self::Nothing,
            ApiRoute::Events | ApiRoute::EventStream | ApiRoute::OrganizationLogs { .. } | ApiRoute::LogHead => {
                Self::Entry
            }
            ApiRoute::Tokens | ApiRoute::Token { .. } => Self::User,
            ApiRoute::Tags { name } | ApiRoute::TagWhy { name, .. } | ApiRoute::RepositoryLogs { name } => {
                Self::pull(name)
            }
            // Which of its fields a change may have is for the handler to say: only an administrator unlocks.
            ApiRoute::Tag { name, .. } => match *method {
                Method::PUT => Self::write(name, Self::PullAndPush),
                Method::DELETE => Self::write(name, Self::PullAndDelete),
                _ => Self::pull(name),
            },
            ApiRoute::TagRestore { name, .. } => Self::write(name, Self::PullAndPush),
            // To let a tag expire in a moment is to delete it.
            ApiRoute::TagsDeletion { name } | ApiRoute::TagExpiry { name, .. } | ApiRoute::Purge { name } => {
                Self::write(name, Self::PullAndDelete)
            }
            ApiRoute::Repository { name } if is_read => Self::pull(name),
            ApiRoute::Repository { name } => Self::write(name, Self::PullAndDelete),
            ApiRoute::TagErasure { .. }
            | ApiRoute::Collection
            | ApiRoute::Refusals
            | ApiRoute::LogRecords
            | ApiRoute::ImmutabilityPolicies { .. }
            | ApiRoute::ImmutabilityPreview { .. }
            | ApiRoute::ImmutabilityPolicy { .. }
            | ApiRoute::ImmutabilityActivation { .. }
            | ApiRoute::PrunePolicies { .. }
            | ApiRoute::PrunePolicy { .. }
            | ApiRoute::PruneActivation { .. }
            | ApiRoute::PruneRun { .. } => Self::Administrator,
        }
    }

    /// The past of a repository is for whoever may pull the repository now.
    fn pull(name: &'a str) -> Self {
        Self::Pull(repository_of(name))
    }

    /// Nobody may write to the past. Whoever may see it is told so by the handler, and others learn nothing.
    fn write(name: &'a str, demand: impl FnOnce(&'a str) -> Self) -> Self {
        let repository = repository_of(name);
        if repository.len() == name.len() { demand(name) } else { Self::Pull(repository) }
    }
}

#[cfg(test)]
#[path = "demand_tests.rs"]
mod tests;
