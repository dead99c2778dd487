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
#[path = "../support/mod.rs"]
mod support;
mod tool;
mod year;

use year::year;

#[test]
fn what_stood_is_found_in_the_data_directory() {
    let year = year();
    tool::states(year, year.data());
}
