//! What a registry owes its clients when its process dies: everything it has acknowledged, and nothing half done.

#[path = "../support/mod.rs"]
mod support;

mod damage;
mod history;
mod lifecycle;
mod pusher;
mod removal;
mod rounds;
mod session;
mod snapshots;
