//! What the tests of a running registry share: the server as a process, a raw client, other people's tools, and images.
//!
//! Each test binary includes this directory by path and uses its own part of it.
#![allow(dead_code, reason = "each test binary uses its own part")]

pub(crate) mod client;
pub(crate) mod command;
pub(crate) mod guarded;
pub(crate) mod images;
pub(crate) mod issuer;
pub(crate) mod layout;
pub(crate) mod registry;
pub(crate) mod replay;
pub(crate) mod token_server;
pub(crate) mod tool;
