//! A disk that is full: what was acknowledged stays, and with space again the registry goes on. And one that is kept from
//! becoming full, so that the registry goes on all the time.

use std::fs;
use std::sync::mpsc;

use crate::client::{send, send_in_chunks};
use crate::disk::Disk;
use crate::evidence;
use crate::pushes::{Content, digest_of, push_blob, push_until_the_end};
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
    let server = Server::start_with(&disk.data(), &[("TAGSTONE_LIMITS_FREE_DISK_BYTES", "0")]);
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

#[test]
fn a_disk_with_space_that_is_kept_free_never_fills() {
    let Some(disk) = Disk::of_size(40 << 20) else { return };
    let kept = 8 << 20;
    let settings = [("TAGSTONE_LIMITS_FREE_DISK_BYTES", "8388608"), ("TAGSTONE_LIMITS_FREE_DISK_PERCENT", "50")];
    let server = Server::start_with(&disk.data(), &settings);
    let address = server.address();
    let available = || {
        let found = rustix::fs::statvfs(disk.mount_point()).unwrap();
        found.f_bavail * found.f_frsize
    };
    assert!(push_blob(address, "acme/app", &vec![7; 1 << 20]).unwrap());
    let opened = send(address, "POST", "/v2/acme/app/blobs/uploads/", None, b"").unwrap();
    let location = opened.header("location").unwrap().to_owned();

    // Its length is announced, and is more than there is room for.
    let refused = send(address, "PATCH", &location, None, &vec![1; 30 << 20]).unwrap();
    assert_eq!((refused.status, refused.header("retry-after")), (507, Some("60")));
    assert_eq!(send(address, "GET", &location, None, b"").unwrap().header("range"), Some("0-0"));

    // Nobody knows its length before its end: it is received up to the space that is kept free, and stays.
    let refused = send_in_chunks(address, "PATCH", &location, &vec![1; 40 << 20]).unwrap();
    assert_eq!(refused.status, 507);
    let progress = send(address, "GET", &location, None, b"").unwrap();
    let last: u64 = progress.header("range").unwrap().strip_prefix("0-").unwrap().parse().unwrap();
    assert!(last > 4 << 20, "{last} bytes are kept of what was received");
    assert!(available() > kept - (6 << 20), "{} bytes are left of those that are kept free", available());
    assert!(available() <= kept);

    // The log goes on, and the space that comes back is for pushes again.
    let pushed =
        |digest: &str| send(address, "GET", &format!("/v2/acme/app/blobs/{digest}"), None, b"").unwrap().status;
    let blob = digest_of(&vec![7; 1 << 20]).to_string();
    assert!(!push_blob(address, "acme/app", b"small").unwrap());
    assert_eq!(pushed(&blob), 200);
    let deleted = send(address, "DELETE", &format!("/v2/acme/app/blobs/{blob}"), None, b"").unwrap();
    assert_eq!((deleted.status, pushed(&blob)), (202, 404));
    assert_eq!(send(address, "DELETE", &location, None, b"").unwrap().status, 204);
    assert!(push_blob(address, "acme/app", b"small").unwrap());
}
