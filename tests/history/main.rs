//! A scripted year of a busy registry. The script keeps its own account of what it did, and every question about the past is
//! compared with it.

mod account;
mod contents;
mod policy_script;
mod questions;
#[allow(dead_code, reason = "the tables of `tests/routes` use all of it")]
#[path = "../routes/registry.rs"]
mod registry;
#[allow(dead_code, reason = "as above")]
#[path = "../routes/reply.rs"]
mod reply;
#[allow(dead_code, reason = "as above")]
#[path = "../routes/request.rs"]
mod request;
mod script;
mod year;

use year::year;

#[test]
fn the_year_is_played() {
    let year = year();
    assert!(year.fingerprints.len() >= 40);
    assert!(year.data().join("log").exists());
}
