//! Removal beside pushes: who was told that content is there finds it there.

use std::cell::Cell;
use std::rc::Rc;
use std::time::Duration;

use actix_web::body::to_bytes;
use actix_web::test::TestRequest;
use serde_json::json;
use tagstone::registry::{CollectOrder, Collection};
use tagstone_schema::Timestamp;
use tagstone_schema::media_type::OCI_IMAGE;

use crate::api_purge::{purge, push_image};
use crate::as_of::{behind, last};
use crate::registry::{Registry, run};
use crate::request::{Request, delete, get, head, post, put};
use crate::samples::{REPO, Sample, image, noise, sha256};

const PUSHERS: u64 = 6;
const PUSHES: u64 = 12;
const GRACE: Duration = Duration::from_secs(1_000);
/// Pulls of the same content at a time, so that some of them are between the look at the state and the bytes when these go.
const PULLS: usize = 8;

/// Bytes that pushers share, so that what one lets go another is told of.
fn layer(number: u64) -> Vec<u8> {
    let length = if number.is_multiple_of(2) { 100 } else { 9_000 };
    format!("layer {number} ").into_bytes().into_iter().cycle().take(length).collect()
}

async fn has(registry: &Registry, digest: &str) -> bool {
    registry.send_beside_others(head(format!("/v2/{REPO}/blobs/{digest}"))).await.status == 200
}

/// Pushes as clients do: asks for each blob, sends those that are not there, then the manifest. Everything that it was told of has
/// to be there for it. Then it pulls all, and lets it go.
async fn push(registry: &Registry, pusher: u64, round: u64) {
    let layers = [layer((pusher + round) % 4), layer(4 + round % 3)];
    for bytes in [b"{}".as_slice(), &layers[0], &layers[1]] {
        let digest = sha256(bytes);
        if !has(registry, &digest).await {
            let upload = post(format!("/v2/{REPO}/blobs/uploads/?digest={digest}")).body(bytes.to_vec());
            assert_eq!(registry.send_beside_others(upload).await.status, 201);
        }
    }
    let mut document = image(&[&layers[0], &layers[1]]);
    document["annotations"] = json!({"pusher": pusher.to_string()});
    let sample = Sample::new(OCI_IMAGE, &document);
    let path = format!("/v2/{REPO}/manifests/{}", sample.digest);
    let pushed = put(&*path).with("content-type", sample.media_type).body(sample.bytes.clone());
    let reply = registry.send_beside_others(pushed).await;
    assert_eq!(reply.status, 201, "{}", String::from_utf8_lossy(&reply.body));
    let reply = registry.send_beside_others(get(&*path)).await;
    assert!(reply.status == 200 && reply.body == sample.bytes, "the manifest of {pusher} in round {round}");
    for bytes in &layers {
        let reply = registry.send_beside_others(get(format!("/v2/{REPO}/blobs/{}", sha256(bytes)))).await;
        assert!(reply.status == 200 && reply.body == *bytes, "a layer of {pusher} in round {round}: {}", reply.status);
    }
    assert_eq!(registry.send_beside_others(delete(&*path)).await.status, 202);
}

/// The clock moves only when every pusher has come to the end of a push, so that no push takes longer than the grace period.
#[test]
fn a_push_loses_nothing_that_it_was_told_it_has() {
    run(async {
        let registry = Rc::new(
            Registry::with(|settings| {
                settings.collect.grace = GRACE;
                settings.content.small_blob_bytes = 4096;
            })
            .await,
        );
        let begun = registry.now();
        registry.set_clock(begun);
        let rounds: Rc<Vec<Cell<u64>>> = Rc::new((0..PUSHERS).map(|_| Cell::new(0)).collect());
        let pushers = (0..PUSHERS).map(|pusher| {
            let (registry, rounds) = (registry.clone(), rounds.clone());
            actix_web::rt::spawn(async move {
                for round in 0..PUSHES {
                    push(&registry, pusher, round).await;
                    rounds[usize::try_from(pusher).unwrap()].set(round + 1);
                }
            })
        });
        let pushers: Vec<_> = pushers.collect();
        let (mut removed, mut collections) = (0, 0);
        let mut moved_at: Vec<u64> = vec![0; rounds.len()];
        let mut now = begun;
        while !pushers.iter().all(actix_web::rt::task::JoinHandle::is_finished) {
            let all_ended_one =
                rounds.iter().zip(&moved_at).all(|(round, at)| round.get() > *at || round.get() == PUSHES);
            if all_ended_one {
                now = Timestamp(now.0 + i64::try_from(GRACE.as_micros() / 2).unwrap());
                registry.set_clock(now);
                // A push that is under way may have begun before: only the next one is wholly behind the move.
                moved_at = rounds.iter().map(|round| round.get() + 1).collect();
            }
            let collection = collected(&registry).await;
            removed += collection.removed.count;
            collections += 1;
        }
        for pusher in pushers {
            pusher.await.unwrap();
        }
        assert!(collections > 3, "{collections} collections beside the pushes");
        registry.set_clock(Timestamp(now.0 + 3 * i64::try_from(GRACE.as_micros()).unwrap()));
        removed += collected(&registry).await.removed.count;
        assert!(removed > PUSHERS, "{removed} were removed");
        assert_eq!(registry.state().repository(REPO).unwrap().blobs().count(), 0);
        drop(Rc::into_inner(registry).unwrap().records());
    });
}

pub(crate) async fn collected(registry: &Registry) -> Collection {
    let collector = registry.collector();
    let running = actix_web::rt::task::spawn_blocking(move || collector.run(&CollectOrder::of_the_registry()));
    Collection::clone(&*running.await.unwrap().unwrap())
}

/// A purge takes from pushes of the same repository what they did not send themselves; but what was pushed is whole, or was
/// refused.
#[test]
fn what_is_pushed_beside_purges_is_whole() {
    run(async {
        let registry = Registry::with(|settings| {
            settings.content.small_blob_bytes = 4096;
            settings.http.trusted_proxies = vec!["192.0.2.0/24".parse().unwrap()];
        });
        let registry = Rc::new(registry.await);
        let tasks = (0..PUSHERS).map(|pusher| {
            let registry = registry.clone();
            actix_web::rt::spawn(async move {
                for round in 0..PUSHES {
                    push_and_purge(&registry, pusher, round).await;
                }
            })
        });
        for task in tasks.collect::<Vec<_>>() {
            task.await.unwrap();
        }
        drop(Rc::into_inner(registry).unwrap().records());
    });
}

async fn push_and_purge(registry: &Registry, pusher: u64, round: u64) {
    // Each is a client of its own: what it has sent waits for its own manifest.
    let by = |request: Request| request.with("x-forwarded-for", format!("198.51.100.{pusher}"));
    let layers = [layer((pusher + round) % 2), layer(2 + round % 2)];
    for bytes in [b"{}".as_slice(), &layers[0], &layers[1]] {
        let upload = post(format!("/v2/{REPO}/blobs/uploads/?digest={}", sha256(bytes))).body(bytes.to_vec());
        assert_eq!(registry.send_beside_others(by(upload)).await.status, 201);
    }
    let mut document = image(&[&layers[0], &layers[1]]);
    document["annotations"] = json!({"pusher": pusher.to_string()});
    let sample = Sample::new(OCI_IMAGE, &document);
    let tag = format!("tag-{pusher}");
    let pushed = put(format!("/v2/{REPO}/manifests/{tag}")).with("content-type", sample.media_type);
    let reply = registry.send_beside_others(by(pushed.body(sample.bytes.clone()))).await;
    // What this one has sent counts as linked lately, whoever purges.
    assert_eq!(reply.status, 201, "{}", String::from_utf8_lossy(&reply.body));
    for bytes in &layers {
        let reply = registry.send_beside_others(get(format!("/v2/{REPO}/blobs/{}", sha256(bytes)))).await;
        assert!(reply.status == 200 && reply.body == *bytes, "a layer of {pusher} in round {round}: {}", reply.status);
    }
    let reply = registry.send_beside_others(purge(&tag)).await;
    assert_eq!(reply.status, 200, "{}", String::from_utf8_lossy(&reply.body));
    let reply = registry.send_beside_others(get(format!("/v2/{REPO}/manifests/{}", sample.digest))).await;
    assert_eq!(reply.status, 404);
}

/// Asks again and again until there is nothing. What is given is whole, or breaks off; it is never anything else.
async fn pull_until_gone(registry: &Registry, path: &str, bytes: &[u8]) -> usize {
    let mut whole = 0;
    loop {
        // What is cached is answered without a pause, and nobody else would ever have a turn.
        actix_web::rt::time::sleep(Duration::from_millis(1)).await;
        let response = registry.answer(TestRequest::with_uri(path)).await;
        match response.status().as_u16() {
            200 => {
                if let Ok(body) = to_bytes(response.into_body()).await {
                    assert!(body == bytes, "{path}: {} bytes that are not those of the content", body.len());
                    whole += 1;
                }
            }
            404 => return whole,
            status => panic!("{path}: {status}"),
        }
    }
}

#[test]
fn a_download_beside_a_purge_is_whole_or_there_is_none() {
    run(async {
        let registry = Rc::new(Registry::with(|settings| settings.content.small_blob_bytes = 4096).await);
        let large = noise(400_000).to_vec();
        let mut whole = 0;
        for _ in 0..PUSHES {
            let leaked = push_image(&registry, REPO, "leaked", &[b"small", &large]).await;
            let (seq, _) = last(&registry).await;
            let mut pulls = Vec::new();
            for (path, bytes) in [
                (format!("blobs/{}", sha256("small")), b"small".to_vec()),
                (format!("blobs/{}", sha256(&large)), large.clone()),
                (format!("manifests/{}", leaked.digest), leaked.bytes.to_vec()),
                ("manifests/leaked".to_owned(), leaked.bytes.to_vec()),
            ] {
                let now = format!("/v2/{REPO}/{path}");
                for path in [vec![now; PULLS], vec![behind(seq, &path)]].concat() {
                    let (registry, bytes) = (registry.clone(), bytes.clone());
                    pulls.push(actix_web::rt::spawn(async move { pull_until_gone(&registry, &path, &bytes).await }));
                }
            }
            actix_web::rt::time::sleep(Duration::from_millis(5)).await;
            assert_eq!(registry.send_beside_others(purge("leaked")).await.status, 200);
            for pull in pulls {
                whole += pull.await.unwrap();
            }
        }
        assert!(whole > 0);
        drop(Rc::into_inner(registry).unwrap().records());
    });
}
