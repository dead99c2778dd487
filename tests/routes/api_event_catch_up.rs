//! Streams that have much to catch up with, and take turns.

use serde_json::Value;

use crate::happenings::every;
use crate::live::Live;
use crate::registry::{Registry, run};
use crate::request::{get, put};
use crate::samples::{REPO, named_image, push_named};

const STREAM: &str = "/api/v1/events/stream";

/// More records than a stream reads without a turn.
const RECORDS: usize = 1_500;

async fn with_many_records() -> Registry {
    let registry = Registry::start().await;
    push_named(&registry, REPO, "moving", "one").await;
    push_named(&registry, REPO, "moving", "two").await;
    let images = ["one", "two"].map(named_image);
    for image in images.iter().cycle().take(RECORDS) {
        let path = format!("/v2/{REPO}/manifests/moving");
        let push = put(path).with("content-type", image.media_type).body(image.bytes.clone());
        // Not compared state by state, which would take longer than all else.
        assert_eq!(registry.send_beside_others(push).await.status, 201);
    }
    registry
}

async fn from_the_first(registry: &Registry) -> Live {
    Live::open(registry, get(format!("{STREAM}?from_seq=1"))).await
}

#[test]
fn streams_that_catch_up_take_turns_and_each_gets_everything() {
    run(async {
        let registry = with_many_records().await;
        let expected = every(&registry).await;
        let mut present = Live::open(&registry, get(STREAM)).await;
        present.begins_with_id().await;

        // Each waits for the turn, or has it and reads; those that are closed pass it on.
        let mut gone = Vec::new();
        for _ in 0..3 {
            let mut live = from_the_first(&registry).await;
            live.event().await;
            gone.push(live);
        }
        let streams: Vec<_> = futures_util::future::join_all((0..6).map(|_| from_the_first(&registry))).await;
        drop(gone);
        let reading = streams.into_iter().map(async |mut live| (live.events(expected.len()).await, live));
        let pushing = async {
            push_named(&registry, "acme/next", "v1", "next").await;
            // What is new need not wait until the others have caught up.
            present.event().await
        };
        let (read, first) = futures_util::future::join(futures_util::future::join_all(reading), pushing).await;
        let new: Vec<Value> = every(&registry).await.split_off(expected.len());
        assert_eq!(first, new[0]);
        for (seen, mut live) in read {
            assert_eq!(seen.len(), expected.len());
            assert!(seen == expected, "a stream has sent other events than the list");
            assert_eq!(live.events(new.len()).await, new);
        }
    });
}
