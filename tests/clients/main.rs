//! Real clients against a real server: whatever they push comes back with its digest and its bytes.

#[path = "../support/mod.rs"]
mod support;

#[path = "../../replay/tests/replay/document.rs"]
mod document;

mod as_of;
mod cosign;
mod crane;
mod debian;
mod helm;
mod immutability;
mod leak;
mod logins;
mod oras;
mod podman;
mod quay_policies;
mod regctl;
mod skopeo;
mod tokens;
