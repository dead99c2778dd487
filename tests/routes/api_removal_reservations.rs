//! Bytes whose record is still to be written, and bytes that are being removed.

use std::rc::Rc;
use std::time::Duration;

use tagstone_replay::content::Layout;

use crate::api_purge::{lies_on_disk, purge, push_image};
use crate::case::ok;
use crate::registry::{Registry, run};
use crate::request::{get, post, put};
use crate::samples::{REPO, sha256};

/// Not even where an earlier record says that they are gone.
#[test]
fn bytes_are_not_removed_before_their_record_is_written() {
    run(async {
        let registry = Rc::new(
            Registry::with(|settings| {
                settings.content.small_blob_bytes = 4096;
                settings.collect.grace = Duration::ZERO;
            })
            .await,
        );
        let small = b"a small layer like no other".to_vec();
        let large = b"a large layer like no other ".repeat(400);
        let image = push_image(&registry, REPO, "leaked", &[&small, &large]).await;
        registry.check(purge("leaked"), ok(200)).await;
        // Answered when history knows of the purge.
        registry.check(get("/api/v1/events?kind=content_purged"), ok(200)).await;
        let blob = |bytes: &[u8]| {
            let path = format!("/v2/{REPO}/blobs/uploads/?digest={}", sha256(bytes));
            (post(path).body(bytes.to_vec()), bytes.to_vec(), format!("/v2/{REPO}/blobs/{}", sha256(bytes)))
        };
        let path = format!("/v2/{REPO}/manifests/{}", image.digest);
        let manifest = put(&*path).with("content-type", image.media_type).body(image.bytes.clone());
        let layout = Layout::new(registry.data());
        for (request, bytes, path) in [blob(b"{}"), blob(&small), blob(&large), (manifest, image.bytes.to_vec(), path)]
        {
            registry.hold_writes();
            let pushing = actix_web::rt::spawn({
                let registry = registry.clone();
                async move { registry.send_beside_others(request).await.status }
            });
            let digest = sha256(&bytes).parse().unwrap();
            while !layout.blob(&digest).exists() && !lies_on_disk(&layout.segments(), &bytes) {
                actix_web::rt::time::sleep(Duration::from_millis(1)).await;
            }
            let collector = registry.collector();
            let finished = actix_web::rt::task::spawn_blocking(move || collector.finish_removals()).await;
            assert!(finished.unwrap().unwrap());
            registry.let_writes_go_on();
            assert_eq!(pushing.await.unwrap(), 201, "{path}");
            registry.check(get(&*path), ok(200).bytes(bytes)).await;
        }
    });
}
