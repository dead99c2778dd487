//! A disk that is full: what was acknowledged stays, and with space again the registry goes on.

use std::fs;
use std::sync::mpsc;

use crate::disk::Disk;
use crate::evidence;
use crate::pushes::{Content, push_blob, push_until_the_end};
use crate::server::Server;

#[test]
fn large_blobs_fill_the_disk() {
    fill_with(Content::Large);
}

#[test]
fn small_content_fills_the_disk() {
    fill_with(Content::Small);
}

fn fill_with(content: Content) {
    let Some(disk) = Disk::of_size(40 << 20) else { return };
    let ballast = disk.mount_point().join("ballast");
    fs::write(&ballast, vec![1; 26 << 20]).unwrap();
    let server = Server::start(&disk.data());
    let address = server.address();
    let (told, hear) = mpsc::channel();
    push_until_the_end(address, "r1-c0", content, &told).unwrap();
    drop(told);
    let acknowledged: Vec<_> = hear.into_iter().collect();
    eprintln!("full behind {} acknowledgements", acknowledged.len());
    evidence::ask(address, &acknowledged);
    server.kill();

    evidence::examine(&disk.data(), disk.beside(), &acknowledged);
    fs::remove_file(ballast).unwrap();
    let server = Server::start(&disk.data());
    evidence::ask(server.address(), &acknowledged);
    assert!(push_blob(server.address(), "acme/later", b"there is space again").unwrap());
    drop(server);
}
