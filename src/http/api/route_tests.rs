use std::collections::BTreeSet;

use super::ApiRoute as Route;
use super::ScopePath::{Organization, Registry, Repository};

/// Every path is read with and without a slash at its end, and every label is met.
#[test]
fn paths() {
    let cases = [
        ("registry/immutabilitypolicy", Route::ImmutabilityPolicies { scope: Registry }),
        ("organization/acme/immutabilitypolicy", Route::ImmutabilityPolicies { scope: Organization("acme") }),
        ("organization/acme/team/immutabilitypolicy", Route::ImmutabilityPolicies { scope: Organization("acme/team") }),
        ("repository/acme/app/immutabilitypolicy", Route::ImmutabilityPolicies { scope: Repository("acme/app") }),
        ("registry/immutabilitypolicy/preview", Route::ImmutabilityPreview { scope: Registry }),
        ("repository/a/b/c/immutabilitypolicy/preview", Route::ImmutabilityPreview { scope: Repository("a/b/c") }),
        ("registry/immutabilitypolicy/1-2", Route::ImmutabilityPolicy { scope: Registry, id: "1-2" }),
        ("organization/a/immutabilitypolicy/1", Route::ImmutabilityPolicy { scope: Organization("a"), id: "1" }),
        ("registry/immutabilitypolicy/1/activate", Route::ImmutabilityActivation { scope: Registry, id: "1" }),
        (
            "repository/a/b/immutabilitypolicy/1/activate",
            Route::ImmutabilityActivation { scope: Repository("a/b"), id: "1" },
        ),
        ("organization/acme/autoprunepolicy", Route::PrunePolicies { scope: Organization("acme") }),
        ("repository/a/b/autoprunepolicy", Route::PrunePolicies { scope: Repository("a/b") }),
        ("repository/a/b/autoprunepolicy/1", Route::PrunePolicy { scope: Repository("a/b"), id: "1" }),
        ("repository/a/b/autoprunepolicy/1/activate", Route::PruneActivation { scope: Repository("a/b"), id: "1" }),
        ("organization/a/autoprunepolicy/1/run", Route::PruneRun { scope: Organization("a"), id: "1" }),
        ("repository/a/b/tag", Route::Tags { name: "a/b" }),
        ("repository/a/b/tags/delete", Route::TagsDeletion { name: "a/b" }),
        ("repository/a/b/tag/v1", Route::Tag { name: "a/b", tag: "v1" }),
        ("repository/a/b/tag/v1/why", Route::TagWhy { name: "a/b", tag: "v1" }),
        ("repository/a/b/tag/v1/erase", Route::TagErasure { name: "a/b", tag: "v1" }),
        ("repository/a/b/tag/v1/restore", Route::TagRestore { name: "a/b", tag: "v1" }),
        ("repository/a/b/tag/v1/expire", Route::TagExpiry { name: "a/b", tag: "v1" }),
        ("repository/a/b/purge", Route::Purge { name: "a/b" }),
        ("collect", Route::Collection),
        ("repository/a/b", Route::Repository { name: "a/b" }),
        ("repository/a/b/logs", Route::RepositoryLogs { name: "a/b" }),
        ("organization/a/b/logs", Route::OrganizationLogs { namespace: "a/b" }),
        ("events", Route::Events),
        ("events/stream", Route::EventStream),
        ("refusals", Route::Refusals),
        ("tokens", Route::Tokens),
        ("tokens/1", Route::Token { id: "1" }),
        ("log/head", Route::LogHead),
        ("log/records", Route::LogRecords),
        ("whoami", Route::WhoAmI),
        ("openapi.json", Route::OpenApi),
        ("error/not_found", Route::ErrorType { name: "not_found" }),
        ("nothing", Route::Unknown),
    ];
    let mut labels = BTreeSet::new();
    for (path, route) in cases {
        assert_eq!(Route::of(path), route, "{path}");
        assert_eq!(Route::of(&format!("{path}/")), route, "{path}/");
        labels.insert(Route::LABELS[route.index()]);
    }
    assert_eq!(labels, BTreeSet::from(Route::LABELS));
}

#[test]
fn repositories_that_are_named_like_resources() {
    let cases = [
        // The longest end that means something wins.
        ("repository/a/tag/x", Route::Tag { name: "a", tag: "x" }),
        ("repository/a/tag/x/tag/v1", Route::Tag { name: "a/tag/x", tag: "v1" }),
        ("repository/a/tag/x/tag", Route::Tags { name: "a/tag/x" }),
        ("repository/a/tag/x/tag/v1/why", Route::TagWhy { name: "a/tag/x", tag: "v1" }),
        ("repository/a/tag/tag/why", Route::TagWhy { name: "a", tag: "tag" }),
        ("repository/a/tag/tag/v1", Route::Tag { name: "a/tag", tag: "v1" }),
        ("repository/tag/tag/tag", Route::Tag { name: "tag", tag: "tag" }),
        ("repository/tag/tag/tag/", Route::Tags { name: "tag/tag" }),
        ("repository/tag/tag", Route::Tags { name: "tag" }),
        ("repository/tag/tag/", Route::Tags { name: "tag" }),
        ("repository/a/tag/v1/delete", Route::Repository { name: "a/tag/v1/delete" }),
        ("repository/tags/delete", Route::Repository { name: "tags/delete" }),
        ("repository/tags/delete/tags/delete", Route::TagsDeletion { name: "tags/delete" }),
        ("repository/tags/delete/tag/v1", Route::Tag { name: "tags/delete", tag: "v1" }),
        ("repository/tag", Route::Repository { name: "tag" }),
        ("repository/repository", Route::Repository { name: "repository" }),
        ("repository/repository/tag/v1", Route::Tag { name: "repository", tag: "v1" }),
        ("repository/repository/immutabilitypolicy", Route::ImmutabilityPolicies { scope: Repository("repository") }),
        (
            "organization/repository/immutabilitypolicy",
            Route::ImmutabilityPolicies { scope: Organization("repository") },
        ),
        ("organization/registry/immutabilitypolicy", Route::ImmutabilityPolicies { scope: Organization("registry") }),
        ("repository/immutabilitypolicy", Route::Repository { name: "immutabilitypolicy" }),
        (
            "repository/immutabilitypolicy/immutabilitypolicy",
            Route::ImmutabilityPolicies { scope: Repository("immutabilitypolicy") },
        ),
        (
            "repository/immutabilitypolicy/immutabilitypolicy/activate",
            Route::ImmutabilityPolicy { scope: Repository("immutabilitypolicy"), id: "activate" },
        ),
        (
            "repository/a/immutabilitypolicy/immutabilitypolicy/preview",
            Route::ImmutabilityPreview { scope: Repository("a/immutabilitypolicy") },
        ),
        (
            "repository/a/immutabilitypolicy/autoprunepolicy/1/run",
            Route::PruneRun { scope: Repository("a/immutabilitypolicy"), id: "1" },
        ),
        ("repository/a/autoprunepolicy/tag/v1", Route::Tag { name: "a/autoprunepolicy", tag: "v1" }),
        ("repository/a/tag/logs", Route::Tag { name: "a", tag: "logs" }),
        ("repository/tag/logs", Route::RepositoryLogs { name: "tag" }),
        ("repository/logs", Route::Repository { name: "logs" }),
        ("repository/a/tag/purge", Route::Tag { name: "a", tag: "purge" }),
        ("repository/tag/purge", Route::Purge { name: "tag" }),
        ("repository/purge", Route::Repository { name: "purge" }),
        ("repository/a/autoprunepolicy/purge", Route::PrunePolicy { scope: Repository("a"), id: "purge" }),
        ("repository/logs/logs", Route::RepositoryLogs { name: "logs" }),
        ("repository/a/autoprunepolicy/logs", Route::PrunePolicy { scope: Repository("a"), id: "logs" }),
        ("organization/a/autoprunepolicy/logs", Route::PrunePolicy { scope: Organization("a"), id: "logs" }),
        ("repository/log/head", Route::Repository { name: "log/head" }),
        ("repository/a/autoprunepolicy/preview", Route::PrunePolicy { scope: Repository("a"), id: "preview" }),
    ];
    for (path, route) in cases {
        assert_eq!(Route::of(path), route, "{path}");
    }
}

#[test]
fn paths_of_nothing() {
    for path in [
        "",
        "/",
        "repository",
        "repository/",
        "repository//",
        "organization/acme",
        "organization/immutabilitypolicy",
        "organization//immutabilitypolicy",
        "immutabilitypolicy",
        "registry",
        "registry/autoprunepolicy",
        "registry/autoprunepolicy/1/run",
        "registry/immutabilitypolicy/1/run",
        "registry/immutabilitypolicy/1/activate/now",
        "registry/tag/v1",
        "organization/acme/tag/v1",
        "organization/logs",
        "registry/logs",
        "events/x",
        "tokens/1/2",
        "tokens//",
        "user/acme/immutabilitypolicy",
        "log",
        "log/head/x",
        "whoami//",
        "WhoAmI",
    ] {
        assert_eq!(Route::of(path), Route::Unknown, "{path}");
    }
}
