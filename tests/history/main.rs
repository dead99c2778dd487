//! A scripted year of a busy registry. The script keeps its own account of what it did, and every question about the past is
//! compared with it.

mod account;
mod contents;
mod difference;
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

use std::path::Path;

use rand::SeedableRng;
use rand::rngs::StdRng;

use questions::Door;
use tool::Source;
use year::{SEED, year};

#[test]
fn what_stood_is_found_in_the_data_directory() {
    let year = year();
    support::replay::assert_verifies(year.data());
    Source { year, account: &year.account, path: year.data() }.ask_all();
}

#[test]
fn what_stood_is_found_in_an_export_and_what_is_restored_from_it() {
    let year = year();
    let (_home, file, data) = tool::exported(year.data());
    for path in [&file, &data] {
        Source { year, account: &year.account, path }.ask_all();
    }
}

#[test]
fn what_stood_is_told_by_a_running_server() {
    let year = year();
    let mut server = support::registry::Registry::over(year.data());
    let mut account = year.account.clone();
    account.started();
    // The clock of this machine is behind: nothing has expired.
    account.now = i64::MIN;
    Source { year, account: &account, path: Path::new(server.url()) }.ask_all();
    let mut random = StdRng::seed_from_u64(SEED);
    for _ in 0..3 {
        questions::stream(server.url(), &account, &mut random);
    }
    registry::run({
        let (url, account) = (server.url().to_owned(), account.clone());
        async move {
            let door = Door::There(&url);
            questions::head(&door, &account).await;
            for _ in 0..5 {
                questions::of_now(&door, &account, &mut random).await;
            }
        }
    });
    server.stop();
}
