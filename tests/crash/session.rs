//! An upload session across the death of the server.

use ureq::http::Method;

use crate::support::client::{Client, digest_of};
use crate::support::images::incompressible;
use crate::support::registry::Registry;

const REPOSITORY: &str = "acme/upload";

/// Locations may be absolute, and the port is another after a restart: only the path and the query are the session's.
fn path(location: &str) -> &str {
    match location.strip_prefix("http://") {
        Some(rest) => &rest[rest.find('/').expect("a Location has a path")..],
        None => location,
    }
}

#[test]
fn an_upload_session_survives_a_restart_at_its_true_offset() {
    let blob = incompressible(500_000, "session");
    let digest = digest_of(&blob);
    let mut registry = Registry::start();
    let client = Client::new(registry.url());
    let location = client.open_upload(REPOSITORY).expect("an answer").expecting(202).location();
    let first = client.patch(&location, 0, &blob[..1000]).expect("an answer").expecting(202);
    let second = client.patch(&first.location(), 1000, &blob[1000..200_000]).expect("an answer").expecting(202);
    assert_eq!(second.header("Range"), Some("0-199999"), "{second}");
    let location = second.location();
    let location = path(&location);

    registry.kill9();
    registry.restart();
    let client = Client::new(registry.url());
    let status = client.get(location).expect("an answer").expecting(204);
    assert_eq!(status.header("Range"), Some("0-199999"), "{status}");
    // A client that has lost count is told so, and the session goes on where it was.
    client.patch(location, 100_000, &blob[100_000..300_000]).expect("an answer").expecting(416);
    let status = client.get(location).expect("an answer").expecting(204);
    assert_eq!(status.header("Range"), Some("0-199999"), "{status}");
    let third = client.patch(location, 200_000, &blob[200_000..400_000]).expect("an answer").expecting(202);
    assert_eq!(third.header("Range"), Some("0-399999"), "{third}");
    client.close_upload(path(&third.location()), &digest, &blob[400_000..]).expect("an answer").expecting(201);
    let served = client.get_blob(REPOSITORY, &digest).expect("an answer").expecting(200);
    assert!(served.body == blob, "the blob differs from what was sent in pieces");

    registry.kill9();
    registry.restart();
    let client = Client::new(registry.url());
    let served = client.get_blob(REPOSITORY, &digest).expect("an answer").expecting(200);
    assert!(served.body == blob, "the blob differs from what was sent in pieces");
    client.request(Method::GET, location, &[]).expect("an answer").expecting(404);
}
