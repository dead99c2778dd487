//! Loss of power under the real binary, on a real file system.
//!
//! Killing a process finds no missing sync: the page cache survives it. Here the file system itself stops at once and
//! forgets what was not synced, as a machine does whose power goes.

mod client;
mod disk;
mod evidence;
mod failing_calls;
mod full_disk;
mod names;
mod policies;
mod pushes;
mod removal;
mod rounds;
mod server;

use std::fs;

use tagstone_replay::content::Layout;

use crate::disk::Disk;
use crate::pushes::{Content, Workload};
use crate::rounds::{Moment, Rounds};
use crate::server::Server;

#[test]
fn acknowledged_manifests_survive() {
    let Some(disk) = Disk::make() else { return };
    let mut rounds = Rounds::new(disk, Workload { clients: 3, content: Content::Small });
    for _ in 0..8 {
        let after = rounds.random(40);
        rounds.round(Moment::Acknowledged(1 + after));
    }
}

#[test]
fn acknowledged_large_blobs_survive() {
    let Some(disk) = Disk::make() else { return };
    let mut rounds = Rounds::new(disk, Workload { clients: 3, content: Content::Large });
    for _ in 0..6 {
        let after = rounds.random(30);
        rounds.round(Moment::Acknowledged(1 + after));
    }
}

#[test]
fn a_new_data_directory_survives_from_its_first_acknowledgement_on() {
    for acknowledged in [1, 2, 3, 10] {
        let Some(disk) = Disk::make() else { return };
        let mut rounds = Rounds::new(disk, Workload { clients: 1, content: Content::Small });
        rounds.round(Moment::Acknowledged(acknowledged));
    }
}

#[test]
fn a_start_can_be_cut_off_again_and_again() {
    let Some(disk) = Disk::make() else { return };
    let mut rounds = Rounds::new(disk, Workload { clients: 2, content: Content::Small });
    for round in 0..12 {
        let delay = rounds.random(60);
        rounds.round(Moment::Starting { milliseconds: delay });
        if round % 4 == 3 {
            rounds.round(Moment::Acknowledged(5));
        }
    }
}

#[test]
fn the_making_of_a_data_directory_can_be_cut_off_at_any_moment() {
    for milliseconds in (0..40).step_by(2) {
        let Some(disk) = Disk::make() else { return };
        let mut rounds = Rounds::new(disk, Workload { clients: 1, content: Content::Small });
        rounds.round(Moment::Starting { milliseconds });
    }
}

/// A push of a blob that the registry knows, but whose file is gone, writes no record. So nothing but the sync of the
/// blob's directory makes the new file's name durable.
#[test]
fn a_lost_blob_that_is_pushed_again_survives() {
    let Some(mut disk) = Disk::make() else { return };
    let data = disk.data();
    let blob = vec![b'x'; 300 * 1024];
    let (repository, digest) = ("acme/lost", pushes::digest_of(&blob));
    let push = |server: &Server| pushes::push_blob(server.address(), repository, &blob).unwrap();

    let server = Server::start(&data);
    assert!(push(&server));
    server.kill();
    fs::remove_file(Layout::new(&data).blob(&digest)).unwrap();

    let server = Server::start(&data);
    let switch = disk.power_switch();
    assert!(push(&server));
    switch.cut();
    server.kill();
    disk.power_up();

    let server = Server::start(&data);
    let path = format!("/v2/{repository}/blobs/{digest}");
    let reply = client::send(server.address(), "GET", &path, None, b"").unwrap();
    assert_eq!((reply.status, reply.body == blob), (200, true));
}
