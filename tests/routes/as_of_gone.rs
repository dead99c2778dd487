//! The past whose bytes are gone: what it says of them.

use serde_json::{Value, json};
use tagstone_replay::content::Layout;
use tagstone_replay::log::{EmbeddedLog, Log, Options};
use tagstone_schema::event::{ContentKind, RemovedContent};
use tagstone_schema::record::FORMAT_VERSION;
use tagstone_schema::{Actor, Event, Origin, Record, Timestamp};

use crate::as_of::{behind, last};
use crate::case::{Answer, case, ok, refused};
use crate::registry::{Registry, run};
use crate::request::{delete, get, head};
use crate::samples::{REPO, named_image, push_blob, push_named};

/// Writes a record behind the log of a registry that stopped, and removes all small content.
fn removed(layout: &Layout, events: Vec<Event>) {
    let mut log = loop {
        match EmbeddedLog::open(layout, Options::default(), &mut |_| Ok(())) {
            Ok(opened) => break opened.log,
            Err(error) if error.to_string().contains("could not acquire lock") => std::thread::yield_now(),
            Err(error) => panic!("{error}"),
        }
    };
    let head = log.head();
    let (seq, time, actor, origin) = (head.seq + 1, head.time.next(), Actor::system("test"), Origin::default());
    let record = Record { format: FORMAT_VERSION, seq, time, prev: head.hash, actor, origin, events };
    log.append(&head, &[record.encode().unwrap()]).unwrap();
    drop(log);
    std::fs::remove_dir_all(layout.segments()).unwrap();
}

#[test]
fn bytes_that_are_gone_say_how_they_went() {
    run(async {
        let registry = Registry::start().await;
        let purged = push_named(&registry, REPO, "purged", "one").await;
        let collected = push_named(&registry, REPO, "collected", "two").await;
        let lost = push_named(&registry, REPO, "lost", "three").await;
        let config = push_blob(&registry, REPO, "{}").await;
        let (seq, time) = last(&registry).await;
        registry.check(delete(format!("/api/v1/repository/{REPO}")), ok(204)).await;
        let content = |digest: &str, content| RemovedContent { digest: digest.parse().unwrap(), size: 1, content };
        let events = vec![
            Event::ContentPurged {
                repository: REPO.parse().unwrap(),
                contents: vec![content(&purged.digest, ContentKind::Manifest), content(&config, ContentKind::Blob)],
                reason: "a key was in it".to_owned(),
            },
            Event::ContentCollected { contents: vec![content(&collected.digest, ContentKind::Manifest)] },
        ];
        let registry = registry.restarted_after(|layout| removed(layout, events)).await;
        let record = registry.check(get(behind(1, "_oci/tag-history/x")), ok(200)).await;
        assert_eq!(record.json()["manifests"], json!([]));
        let gone = |code, digest: &str, says: &str, detail: Value| -> Answer {
            let mut detail = detail;
            detail["digest"] = json!(digest);
            detail["as_of"] = json!({"seq": seq, "time": time});
            refused(404, code, says).says(digest).says(format!("behind record {seq} of {time}")).detail(detail)
        };
        // Two records follow the point: the deletion of the repository, a start aside, and the removal.
        let removal = seq + 2;
        let at = Timestamp(registry_time(&registry, removal).await);
        let by = |reason: Option<&str>| json!({"seq": removal, "time": at.to_string(), "reason": reason});
        let how = format!("they were purged at {at} by record {removal}; the reason given: a key was in it");
        let purge = || json!({"reason": "CONTENT_PURGED", "removed": by(Some("a key was in it"))});
        let collection = || json!({"reason": "CONTENT_COLLECTED", "removed": by(None)});
        let collected_how = format!("collected, as nothing named them any more, at {at} by record {removal}");
        for reference in ["purged", &purged.digest] {
            let path = behind(seq, &format!("manifests/{reference}"));
            registry.check(get(&*path), gone("MANIFEST_UNKNOWN", &purged.digest, &how, purge())).await;
            registry.check(head(&*path), refused(404, "MANIFEST_UNKNOWN", "")).await;
        }
        registry
            .check_all([
                case(
                    get(behind(seq, &format!("blobs/{config}"))),
                    gone("BLOB_UNKNOWN", &config, "they were purged", purge()),
                ),
                case(
                    get(behind(seq, "manifests/collected")),
                    gone("MANIFEST_UNKNOWN", &collected.digest, &collected_how, collection()),
                ),
                case(
                    get(behind(seq, "manifests/lost")),
                    gone(
                        "MANIFEST_UNKNOWN",
                        &lost.digest,
                        "no record says that they were removed",
                        json!({"reason": "CONTENT_MISSING"}),
                    ),
                ),
                // What was is known still.
                case(
                    get(behind(seq, "tags/list")),
                    ok(200).json(json!({
                        "name": format!("as-of/seq-{seq}/{REPO}"), "tags": ["collected", "lost", "purged"],
                    })),
                ),
            ])
            .await;
        // Bytes that come back are read again.
        let again = named_image("one");
        push_named(&registry, "other/place", "v1", "one").await;
        registry.check(get(behind(seq, "manifests/purged")), ok(200).bytes(again.bytes)).await;
    });
}

/// The time of a record, from the point that stands for it.
async fn registry_time(registry: &Registry, seq: u64) -> i64 {
    let nothing = registry.send(get(format!("/v2/as-of/seq-{seq}/nobody/here/tags/list"))).await;
    let error = nothing.error();
    error["detail"]["as_of"]["time"].as_str().unwrap().parse::<Timestamp>().unwrap().0
}
