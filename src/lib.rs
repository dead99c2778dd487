//! An OCI container registry whose tags keep their word: every change is one record in an append-only log, and
//! everything served is a fold of that log.

pub mod access;
pub mod cli;
pub mod content;
pub mod free_space;
pub mod history;
pub mod http;
pub mod limit;
pub mod manifest;
pub mod metrics;
pub mod outside;
mod random_id;
pub mod registry;
pub mod serve;
pub mod settings;
mod strict_json;
pub mod tls;
