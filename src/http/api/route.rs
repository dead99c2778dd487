//! Paths below `/api/v1/`.
//!
//! Repository names and namespaces contain slashes, so a path is read from its end, and the longest end that means
//! something wins. A slash at the end may stand or not, as scripts written for Quay send both; it matters only in
//! `repository/a/tag/tag`, the tag `tag` of `a`, while `repository/a/tag/tag/` lists the tags of `a/tag`.
//!
//! Known weakness: a repository whose own name ends like a resource (`a/tag/x`) shares the path of that resource, and
//! the resource wins. Such a repository cannot be deleted as a whole here; its tags and policies are reached as any
//! other's.

/// A resource. The parts are not checked yet.
///
/// A resource may stand here before it has a handler; until then `answer` takes it for an unknown path.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::http) enum ApiRoute<'a> {
    /// `<scope>/immutabilitypolicy/`
    ImmutabilityPolicies { scope: ScopePath<'a> },
    /// `<scope>/immutabilitypolicy/preview`
    ImmutabilityPreview { scope: ScopePath<'a> },
    /// `<scope>/immutabilitypolicy/<id>`
    ImmutabilityPolicy { scope: ScopePath<'a>, id: &'a str },
    /// `<scope>/immutabilitypolicy/<id>/activate`
    ImmutabilityActivation { scope: ScopePath<'a>, id: &'a str },
    /// `<scope>/autoprunepolicy/`
    PrunePolicies { scope: ScopePath<'a> },
    /// `<scope>/autoprunepolicy/<id>`
    PrunePolicy { scope: ScopePath<'a>, id: &'a str },
    /// `<scope>/autoprunepolicy/<id>/activate`
    PruneActivation { scope: ScopePath<'a>, id: &'a str },
    /// `<scope>/autoprunepolicy/<id>/run`
    PruneRun { scope: ScopePath<'a>, id: &'a str },
    /// `repository/<name>/tag/`
    Tags { name: &'a str },
    /// `repository/<name>/tags/delete`
    TagsDeletion { name: &'a str },
    /// `repository/<name>/tag/<tag>`
    Tag { name: &'a str, tag: &'a str },
    /// `repository/<name>/tag/<tag>/why`
    TagWhy { name: &'a str, tag: &'a str },
    /// `repository/<name>/tag/<tag>/erase`
    TagErasure { name: &'a str, tag: &'a str },
    /// `repository/<name>/purge`
    Purge { name: &'a str },
    /// `repository/<name>/tag/<tag>/restore`
    TagRestore { name: &'a str, tag: &'a str },
    /// `repository/<name>/tag/<tag>/expire`
    TagExpiry { name: &'a str, tag: &'a str },
    /// `repository/<name>`
    Repository { name: &'a str },
    /// `collect`
    Collection,
    /// `events`
    Events,
    /// `events/stream`
    EventStream,
    /// `repository/<name>/logs`
    RepositoryLogs { name: &'a str },
    /// `organization/<namespace>/logs`
    OrganizationLogs { namespace: &'a str },
    /// `refusals`
    Refusals,
    /// `tokens`
    Tokens,
    /// `tokens/<id>`
    Token { id: &'a str },
    /// `log/head`
    LogHead,
    /// `log/records`
    LogRecords,
    /// `whoami`
    WhoAmI,
    /// `openapi.json`
    OpenApi,
    /// `error/<type>`
    ErrorType { name: &'a str },
    /// Anything else.
    Unknown,
}

/// What a policy is about, as its path names it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::http) enum ScopePath<'a> {
    /// `registry`
    Registry,
    /// `organization/<namespace>`
    Organization(&'a str),
    /// `repository/<name>`
    Repository(&'a str),
}

impl<'a> ApiRoute<'a> {
    /// Reads what follows `/api/v1/` in a path, which is percent-decoded already.
    pub(in crate::http) fn of(written: &'a str) -> Self {
        let path = written.strip_suffix('/').unwrap_or(written);
        match path {
            "collect" => return Self::Collection,
            "events" => return Self::Events,
            "events/stream" => return Self::EventStream,
            "refusals" => return Self::Refusals,
            "tokens" => return Self::Tokens,
            "log/head" => return Self::LogHead,
            "log/records" => return Self::LogRecords,
            "whoami" => return Self::WhoAmI,
            "openapi.json" => return Self::OpenApi,
            _ => {}
        }
        if let Some(name) = path.strip_prefix("error/") {
            return Self::ErrorType { name };
        }
        if let Some(id) = path.strip_prefix("tokens/").filter(|id| !id.is_empty() && !id.contains('/')) {
            return Self::Token { id };
        }
        if let Some(name) = written.strip_prefix("repository/").and_then(|path| name_before(path, "/tag/tag")) {
            return Self::Tag { name, tag: "tag" };
        }
        Self::policy(path)
            .or_else(|| Self::below_organization(path))
            .or_else(|| Self::below_repository(path))
            .unwrap_or(Self::Unknown)
    }

    fn policy(path: &'a str) -> Option<Self> {
        if let Some(scope) = scope_before(path, "/immutabilitypolicy") {
            return Some(Self::ImmutabilityPolicies { scope });
        }
        if let Some(scope) = prune_scope_before(path) {
            return Some(Self::PrunePolicies { scope });
        }
        let (rest, last) = path.rsplit_once('/')?;
        if let Some((policies, id)) = rest.rsplit_once('/') {
            match (scope_before(policies, "/immutabilitypolicy"), prune_scope_before(policies), last) {
                (Some(scope), _, "activate") => return Some(Self::ImmutabilityActivation { scope, id }),
                (_, Some(scope), "activate") => return Some(Self::PruneActivation { scope, id }),
                (_, Some(scope), "run") => return Some(Self::PruneRun { scope, id }),
                _ => {}
            }
        }
        match (scope_before(rest, "/immutabilitypolicy"), prune_scope_before(rest), last) {
            (Some(scope), _, "preview") => Some(Self::ImmutabilityPreview { scope }),
            (Some(scope), _, id) => Some(Self::ImmutabilityPolicy { scope, id }),
            (None, Some(scope), id) => Some(Self::PrunePolicy { scope, id }),
            (None, None, _) => None,
        }
    }

    fn below_organization(path: &'a str) -> Option<Self> {
        let namespace = name_before(path.strip_prefix("organization/")?, "/logs")?;
        Some(Self::OrganizationLogs { namespace })
    }

    fn below_repository(path: &'a str) -> Option<Self> {
        let path = path.strip_prefix("repository/")?;
        if let Some(name) = name_before(path, "/tags/delete") {
            return Some(Self::TagsDeletion { name });
        }
        if let Some(name) = name_before(path, "/purge").filter(|name| !name.ends_with("/tag")) {
            return Some(Self::Purge { name });
        }
        if let Some(name) = name_before(path, "/tag") {
            return Some(Self::Tags { name });
        }
        if let Some(name) = name_before(path, "/logs").filter(|name| !name.ends_with("/tag")) {
            return Some(Self::RepositoryLogs { name });
        }
        if let Some((rest, last)) = path.rsplit_once('/') {
            let above = rest.rsplit_once('/').and_then(|(tags, tag)| Some((name_before(tags, "/tag")?, tag)));
            match (above, last) {
                (Some((name, tag)), "why") => return Some(Self::TagWhy { name, tag }),
                (Some((name, tag)), "erase") => return Some(Self::TagErasure { name, tag }),
                (Some((name, tag)), "restore") => return Some(Self::TagRestore { name, tag }),
                (Some((name, tag)), "expire") => return Some(Self::TagExpiry { name, tag }),
                _ => {}
            }
            if let Some(name) = name_before(rest, "/tag") {
                return Some(Self::Tag { name, tag: last });
            }
        }
        (!path.is_empty()).then_some(Self::Repository { name: path })
    }

    /// The names of the routes in metrics.
    pub(in crate::http) const LABELS: [&'static str; 31] = [
        "api_immutability_policies",
        "api_immutability_preview",
        "api_immutability_policy",
        "api_immutability_activation",
        "api_prune_policies",
        "api_prune_policy",
        "api_prune_activation",
        "api_prune_run",
        "api_tags",
        "api_tags_deletion",
        "api_tag",
        "api_tag_why",
        "api_tag_erasure",
        "api_tag_restore",
        "api_tag_expiry",
        "api_repository",
        "api_events",
        "api_event_stream",
        "api_repository_logs",
        "api_organization_logs",
        "api_refusals",
        "api_log_head",
        "api_whoami",
        "api_openapi",
        "api_error_type",
        "api_unknown",
        "api_log_records",
        "api_purge",
        "api_collection",
        "api_tokens",
        "api_token",
    ];

    /// The place of the route's label in [`ApiRoute::LABELS`].
    pub(in crate::http) fn index(self) -> usize {
        match self {
            Self::ImmutabilityPolicies { .. } => 0,
            Self::ImmutabilityPreview { .. } => 1,
            Self::ImmutabilityPolicy { .. } => 2,
            Self::ImmutabilityActivation { .. } => 3,
            Self::PrunePolicies { .. } => 4,
            Self::PrunePolicy { .. } => 5,
            Self::PruneActivation { .. } => 6,
            Self::PruneRun { .. } => 7,
            Self::Tags { .. } => 8,
            Self::TagsDeletion { .. } => 9,
            Self::Tag { .. } => 10,
            Self::TagWhy { .. } => 11,
            Self::TagErasure { .. } => 12,
            Self::TagRestore { .. } => 13,
            Self::TagExpiry { .. } => 14,
            Self::Repository { .. } => 15,
            Self::Events => 16,
            Self::EventStream => 17,
            Self::RepositoryLogs { .. } => 18,
            Self::OrganizationLogs { .. } => 19,
            Self::Refusals => 20,
            Self::LogHead => 21,
            Self::WhoAmI => 22,
            Self::OpenApi => 23,
            Self::ErrorType { .. } => 24,
            Self::Unknown => 25,
            Self::LogRecords => 26,
            Self::Purge { .. } => 27,
            Self::Collection => 28,
            Self::Tokens => 29,
            Self::Token { .. } => 30,
        }
    }
}

/// The name that stands before an end of a path; a name is never empty.
fn name_before<'a>(path: &'a str, end: &str) -> Option<&'a str> {
    path.strip_suffix(end).filter(|name| !name.is_empty())
}

/// The scope that stands before an end of a path.
fn scope_before<'a>(path: &'a str, end: &str) -> Option<ScopePath<'a>> {
    let scope = path.strip_suffix(end)?;
    if scope == "registry" {
        return Some(ScopePath::Registry);
    }
    match scope.split_once('/')? {
        (_, "") => None,
        ("organization", namespace) => Some(ScopePath::Organization(namespace)),
        ("repository", name) => Some(ScopePath::Repository(name)),
        _ => None,
    }
}

/// The scope of prune policies; there are none for the whole registry.
fn prune_scope_before(path: &str) -> Option<ScopePath<'_>> {
    scope_before(path, "/autoprunepolicy").filter(|scope| *scope != ScopePath::Registry)
}

#[cfg(test)]
#[path = "route_tests.rs"]
mod tests;
