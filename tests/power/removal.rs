//! Removal on disks that fail: the power goes, a call fails, the process dies before one, the disk is full. Whatever happens, what the
//! log holds is there, what it says was removed is gone, at the latest some seconds after the next start, and what was answered is gone
//! at once.

use std::collections::BTreeSet;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

use tagstone_replay::content::Layout;

use crate::client::{Reply, send};
use crate::disk::Disk;
use crate::evidence;
use crate::names::can_trace;
use crate::pushes::{IMAGE, digest_of, manifest, push_blob};
use crate::rounds::Random;
use crate::server::Server;

const REPOSITORY: &str = "acme/leaks";
const MARK: &str = "MARK-";

/// Far beyond what a start needs to finish removals, which it begins after a second.
const PATIENCE: Duration = Duration::from_secs(60);

/// An image with a mark in its config and its layer.
#[derive(Clone)]
struct Image {
    mark: String,
    config: Vec<u8>,
    layer: Vec<u8>,
    manifest: Vec<u8>,
}

impl Image {
    /// The larger ones are files of their own.
    fn new(number: usize, layer: usize) -> Self {
        let mark = format!("{MARK}{number:016x}");
        let config = format!("{{\"note\":\"{mark}\"}}").into_bytes();
        let layer: Vec<u8> = format!("a layer with {mark} ").bytes().cycle().take(layer).collect();
        let manifest = manifest(&config, &layer);
        Self { mark, config, layer, manifest }
    }

    fn push(&self, address: SocketAddr) {
        for blob in [&self.config, &self.layer] {
            assert!(push_blob(address, REPOSITORY, blob).unwrap());
        }
        let path = format!("/v2/{REPOSITORY}/manifests/{}", self.mark);
        assert_eq!(send(address, "PUT", &path, Some(IMAGE), &self.manifest).unwrap().status, 201);
    }

    fn purge(&self, address: SocketAddr) -> std::io::Result<Reply> {
        let body = format!("{{\"reference\":\"{}\",\"reason\":\"a leak\"}}", self.mark);
        send(address, "POST", &format!("/api/v1/repository/{REPOSITORY}/purge"), None, body.as_bytes())
    }

    /// Whether it is there: then all of it.
    fn is_whole(&self, address: SocketAddr) -> bool {
        let get = |path: String| send(address, "GET", &path, None, b"").unwrap();
        let tagged = get(format!("/v2/{REPOSITORY}/manifests/{}", self.mark));
        if tagged.status == 404 {
            return false;
        }
        assert!(tagged.status == 200 && tagged.body == self.manifest, "{}: {}", self.mark, tagged.status);
        for blob in [&self.config, &self.layer] {
            let found = get(format!("/v2/{REPOSITORY}/blobs/{}", digest_of(blob)));
            assert!(found.status == 200 && found.body == *blob, "{}: {}", self.mark, found.status);
        }
        true
    }
}

/// The marks in all files of a directory.
fn marks(directory: &Path) -> BTreeSet<String> {
    let found =
        Command::new("grep").args(["-rhoaE", &format!("{MARK}[0-9a-f]{{16}}")]).arg(directory).output().unwrap();
    String::from_utf8_lossy(&found.stdout).lines().map(str::to_owned).collect()
}

/// Where content lies: its marks are those of bytes, not those of tags in the log.
fn content_marks(data: &Path) -> BTreeSet<String> {
    let layout = Layout::new(data);
    marks(&layout.segments()).into_iter().chain(marks(&layout.blobs())).collect()
}

/// Asks a server for all images. Those that are gone leave the disk.
fn settle(server: &Server, data: &Path, images: &[Image]) -> Vec<Image> {
    let (standing, gone): (Vec<_>, Vec<_>) = images.iter().cloned().partition(|image| image.is_whole(server.address()));
    let begun = Instant::now();
    loop {
        let left = content_marks(data);
        let left: Vec<_> = gone.iter().filter(|image| left.contains(&image.mark)).map(|image| &image.mark).collect();
        if left.is_empty() {
            return standing;
        }
        assert!(begun.elapsed() < PATIENCE, "{left:?} stay on the disk");
        std::thread::sleep(Duration::from_millis(100));
    }
}

#[test]
fn a_purge_is_whole_or_finished_after_a_loss_of_power() {
    let Some(mut disk) = Disk::make() else { return };
    let data = disk.data();
    let mut standing = Vec::new();
    let mut next = 0;
    let mut random = Random::new();
    for round in 0..10 {
        let server = Server::start(&data);
        while standing.len() < 8 {
            let image = Image::new(next, if next % 2 == 0 { 900 } else { 150 * 1024 });
            image.push(server.address());
            standing.push(image);
            next += 1;
        }
        let switch = disk.power_switch();
        let (address, images) = (server.address(), standing.clone());
        let (told, hear) = std::sync::mpsc::channel();
        let purging = std::thread::spawn(move || {
            let purged = |image: &&Image| image.purge(address).is_ok_and(|reply| reply.status == 200);
            // Nobody hears it any more behind the cut; then the join tells.
            let mut acknowledged = Vec::new();
            for image in images.iter().take_while(purged) {
                acknowledged.push(image.clone());
                let _ = told.send(());
            }
            acknowledged
        });
        // So many purges are answered, and then some step of the next one is hit: each takes some milliseconds.
        hear.iter().take(round % 4).for_each(drop);
        std::thread::sleep(Duration::from_micros(300 * random.random(30)));
        switch.cut();
        let acknowledged = purging.join().unwrap();
        server.kill();
        disk.power_up();
        eprintln!("round {round}: {} purges were answered", acknowledged.len());
        assert!(acknowledged.len() >= round % 4);
        let left = content_marks(&data);
        for image in &acknowledged {
            assert!(!left.contains(&image.mark), "round {round}: {} was purged and is on the disk", image.mark);
        }
        evidence::examine(&data, disk.beside(), &[]);
        let server = Server::start(&data);
        standing = settle(&server, &data, &standing);
        assert!(standing.iter().all(|image| acknowledged.iter().all(|purged| purged.mark != image.mark)));
        server.kill();
    }
}

/// What happens to the call: it fails, or the process dies before it.
#[derive(Clone, Copy, Debug)]
enum Accident {
    Fails,
    Dies,
}

/// A purge meets an accident at one call on one file. The other image stays whole in any case, and the next start finishes.
fn meets(accident: Accident, call: &str, count: u32, file: impl Fn(&Layout, &Image) -> PathBuf) {
    let directory = tempfile::tempdir().unwrap();
    let root = directory.path().canonicalize().unwrap();
    let (data, trace) = (root.join("data"), root.join("trace"));
    let [leaked, good] = [Image::new(1, 150 * 1024), Image::new(2, 150 * 1024)];
    let server = Server::start(&data);
    [&leaked, &good].iter().for_each(|image| image.push(server.address()));
    server.kill();
    let file = file(&Layout::new(&data), &leaked);
    let server = match accident {
        Accident::Fails => Some(Server::start_failing_on(&data, &trace, &file, call, count)),
        Accident::Dies => Server::start_dying(&data, &trace, Some(&file), call, count),
    };
    let what = format!("{accident:?} at {call} {count} of {}", file.display());
    let server = server.unwrap_or_else(|| panic!("{what}: the accident met the start"));
    let reply = leaked.purge(server.address());
    match (accident, reply) {
        (Accident::Fails, Ok(reply)) => {
            assert_eq!(reply.status, 500, "{what}: {}", String::from_utf8_lossy(&reply.body));
            assert!(!leaked.is_whole(server.address()), "{what}");
            assert!(good.is_whole(server.address()), "{what}");
        }
        (Accident::Dies, Err(_)) => {}
        (_, Ok(reply)) => panic!("{what}: answered {}", reply.status),
        (_, Err(error)) => panic!("{what}: {error}"),
    }
    server.kill();
    evidence::examine(&data, &root, &[]);
    let server = Server::start(&data);
    let standing = settle(&server, &data, &[leaked, good]);
    assert_eq!(standing.len(), 1, "{what}: the record stands, and the removal is finished");
    assert!(push_blob(server.address(), REPOSITORY, b"it goes on").unwrap());
}

#[test]
fn a_purge_that_fails_or_dies_in_the_middle_is_finished_by_the_next_start() {
    if !can_trace() {
        return;
    }
    let segment = |layout: &Layout, _: &Image| layout.segment(1);
    let blob = |layout: &Layout, image: &Image| layout.blob(&digest_of(&image.layer));
    let directory = |layout: &Layout, image: &Image| layout.blob_directory(&digest_of(&image.layer));
    // Each waits for most of its time, for a start that finishes what was begun.
    std::thread::scope(|scope| {
        for accident in [Accident::Fails, Accident::Dies] {
            scope.spawn(move || {
                // Config and manifest: two overwritten contents, a sync, two headers, a sync.
                (1..=4).for_each(|count| meets(accident, "pwrite64", count, segment));
            });
            scope.spawn(move || {
                (1..=2).for_each(|count| meets(accident, "fdatasync", count, segment));
                meets(accident, "ftruncate", 1, blob);
                meets(accident, "unlink", 1, blob);
                meets(accident, "fsync", 1, directory);
            });
        }
    });
}

/// To remove is how one gets space, so it has to work where there is none, but for the record.
#[test]
fn a_full_disk_does_not_keep_a_purge_from_its_end() {
    let Some(disk) = Disk::of_size(64 << 20) else { return };
    // What is kept free is what a purge would live from.
    let server = Server::start_with(&disk.data(), &[("TAGSTONE_LIMITS_FREE_DISK_BYTES", "0")]);
    let images: Vec<_> = (0..4).map(|number| Image::new(number, 2 << 20)).collect();
    images.iter().for_each(|image| image.push(server.address()));
    let ballast = disk.mount_point().join("ballast");
    let mut file = std::fs::File::create(&ballast).unwrap();
    let full = loop {
        if let Err(error) = std::io::Write::write_all(&mut file, &[1; 64 << 10]) {
            break error;
        }
    };
    assert_eq!(full.kind(), std::io::ErrorKind::StorageFull);
    // A little for the records.
    let length = file.metadata().unwrap().len();
    file.set_len(length - (256 << 10)).unwrap();
    file.sync_all().unwrap();
    for image in &images[..3] {
        let reply = image.purge(server.address()).unwrap();
        assert_eq!(reply.status, 200, "{}", String::from_utf8_lossy(&reply.body));
    }
    let left = content_marks(&disk.data());
    assert_eq!(left, BTreeSet::from([images[3].mark.clone()]));
    // There is space again.
    Image::new(9, 2 << 20).push(server.address());
    assert!(images[3].is_whole(server.address()));
    server.kill();
    evidence::examine(&disk.data(), disk.beside(), &[]);
}
