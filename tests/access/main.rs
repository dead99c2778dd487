//! A server with TLS and users, as a process: what it says when it serves, and what it reads again while it does.

#[path = "../support/mod.rs"]
mod support;

mod encrypted;
mod reload;
mod tokens;
