//! The live stream of events.

use serde_json::Value;

use crate::case::{case, ok, refused};
use crate::happenings::{EVENTS, all, busy, every, id};
use crate::live::Live;
use crate::registry::{Registry, run};
use crate::request::{get, head, put};
use crate::samples::{REPO, named_image, push_named};

const STREAM: &str = "/api/v1/events/stream";

/// The events that were committed behind these.
async fn behind(registry: &Registry, known: &[Value]) -> Vec<Value> {
    all(registry).await.split_off(known.len())
}

#[test]
fn a_reader_that_goes_on_at_any_event_misses_nothing_and_sees_nothing_twice() {
    run(async {
        let registry = busy().await;
        let events = all(&registry).await;
        let mut streams = Vec::new();
        for at in 0..events.len() {
            // Where it was to begin otherwise does not matter.
            let resumed = get(format!("{STREAM}?from_seq=1")).with("last-event-id", id(&events[at]));
            let mut live = Live::open(&registry, resumed).await;
            let rest = &events[at + 1..];
            assert_eq!(live.events(rest.len()).await, rest, "behind {}", id(&events[at]));
            streams.push(live);
        }
        // What follows is what happens next, in every stream.
        push_named(&registry, "acme/next", "v1", "next").await;
        let new = behind(&registry, &events).await;
        assert!(new.len() > 2);
        for mut live in streams {
            assert_eq!(live.events(new.len()).await, new);
        }
    });
}

#[test]
fn a_stream_begins_with_any_record() {
    run(async {
        let registry = busy().await;
        let events = all(&registry).await;
        let head = registry.standing().seq;
        for seq in 1..=head + 1 {
            let rest: Vec<_> = events.iter().filter(|event| event["seq"].as_u64().unwrap() >= seq).cloned().collect();
            let mut live = Live::open(&registry, get(format!("{STREAM}?from_seq={seq}"))).await;
            assert_eq!(live.events(rest.len()).await, rest, "from_seq={seq}");
        }
    });
}

#[test]
fn without_a_beginning_it_begins_now() {
    run(async {
        let registry = busy().await;
        let events = all(&registry).await;
        let mut live = Live::open(&registry, get(STREAM)).await;
        // Whoever breaks off before anything happens can go on all the same.
        let began = live.begins_with_id().await;
        assert_eq!(began, id(events.last().unwrap()));
        push_named(&registry, REPO, "now", "now").await;
        let new = behind(&registry, &events).await;
        assert_eq!(live.events(new.len()).await, new);
        let mut resumed = Live::open(&registry, get(STREAM).with("last-event-id", began)).await;
        assert_eq!(resumed.events(new.len()).await, new);
    });
}

#[test]
fn filters_of_a_stream() {
    run(async {
        let registry = busy().await;
        let events = all(&registry).await;
        let time = events[events.len() / 2]["time"].as_str().unwrap().to_owned();
        let last = registry.standing().seq;
        let mut streams = Vec::new();
        for query in [
            "kind=tag_moved".to_owned(),
            "namespace=acme&actor=anonymous".to_owned(),
            "cause=prune".to_owned(),
            format!("digest={}", named_image("one").digest),
            format!("since={time}"),
            format!("since={time}&kind=tag_deleted"),
            "since=2020-01-01T00:00:00Z".to_owned(),
            "since=2199-01-01T00:00:00Z".to_owned(),
        ] {
            let selected = registry.check(get(format!("{EVENTS}?order=asc&{query}")), ok(200)).await.json();
            let selected = selected["events"].as_array().unwrap().clone();
            let mut live = Live::open(&registry, get(format!("{STREAM}?from_seq=1&{query}"))).await;
            assert_eq!(live.events(selected.len()).await, selected, "{query}");
            if query.starts_with("since=2020") || query.starts_with(&format!("since={time}")) {
                let mut since = Live::open(&registry, get(format!("{STREAM}?{query}"))).await;
                assert_eq!(since.events(selected.len()).await, selected, "{query}, without from_seq");
            }
            streams.push((query, live));
        }
        let sample = push_named(&registry, REPO, "v9", "nine").await;
        sample.push(&registry, REPO, "v10").await;
        push_named(&registry, "acme/last", "v9", "one").await;
        for (query, mut live) in streams {
            let path = format!("{EVENTS}?order=asc&from_seq={}&{query}", last + 1);
            let new = registry.check(get(path), ok(200)).await.json();
            let new = new["events"].as_array().unwrap();
            assert_eq!(live.events(new.len()).await, *new, "{query}, live");
        }
    });
}

#[test]
fn a_stream_goes_on_across_a_restart() {
    run(async {
        let mut registry = Registry::start().await;
        let (mut seen, mut last) = (Vec::new(), None::<String>);
        for at in 0..4 {
            let begin = get(format!("{STREAM}?from_seq=1"));
            let request = last.iter().fold(begin, |request, last| request.with("last-event-id", last));
            let mut live = Live::open(&registry, request).await;
            push_named(&registry, REPO, &format!("v{at}"), &format!("{at}")).await;
            // It breaks off in the middle of what there is.
            for _ in 0..3 {
                let event = live.event().await;
                last = Some(id(&event));
                seen.push(event);
            }
            drop(live);
            registry = registry.restarted().await;
        }
        let events = all(&registry).await;
        assert_eq!(seen, events[..seen.len()]);
        assert!(events.len() > seen.len());
    });
}

#[test]
fn a_reader_that_does_not_read_holds_nobody() {
    run(async {
        let registry = Registry::start().await;
        let mut idle = Live::open(&registry, get(format!("{STREAM}?from_seq=1"))).await;
        let image = push_named(&registry, REPO, "v1", "one").await;
        for at in 0..160 {
            let tags: Vec<_> = (0..64).map(|tag| format!("tag=t{at}-{tag}")).collect();
            let path = format!("/v2/{REPO}/manifests/{}?{}", image.digest, tags.join("&"));
            let push = put(path).with("content-type", image.media_type).body(image.bytes.clone());
            // Longer events than fit into one batch.
            let push = push.with("user-agent", "a".repeat(256));
            // Not compared state by state, which would take longer than all else.
            assert_eq!(registry.send_beside_others(push).await.status, 201);
        }
        let expected = every(&registry).await;
        assert!(expected.len() > 10_000);
        for event in expected {
            assert_eq!(idle.event().await, event);
        }
    });
}

#[test]
fn there_are_only_so_many_streams() {
    run(async {
        let registry = Registry::with(|settings| settings.limits.event_streams = 2).await;
        let first = Live::open(&registry, get(STREAM)).await;
        let second = Live::open(&registry, get(STREAM)).await;
        let refusal =
            || refused(503, "unavailable", "all 2 streams").says("limits.event_streams").header("retry-after", "5");
        registry
            .check_all([case(get(STREAM), refusal()), case(head(STREAM), ok(200)), case(get(STREAM), refusal())])
            .await;
        drop(first);
        let third = Live::open(&registry, get(STREAM)).await;
        registry.check(get(STREAM), refusal()).await;
        drop((second, third));
        Live::open(&registry, get(STREAM)).await;
    });
}

#[test]
fn what_cannot_be_streamed() {
    run(async {
        let registry = Registry::start().await;
        let image = push_named(&registry, REPO, "v1", "one").await;
        let head_seq = registry.standing().seq;
        let bad = |says: &str| refused(400, "invalid_request", says);
        let range = format!("1 to {head_seq}");
        registry
            .check_all([
                case(get(format!("{STREAM}?from_seq={}", head_seq + 2)), bad(&range)),
                case(get(format!("{STREAM}?from_seq=0")), bad("give an integer from 1")),
                case(get(format!("{STREAM}?from_seq=x")), bad("give an integer from 1")),
                case(get(format!("{STREAM}?until=2199-01-01T00:00:00Z")), bad("a stream has no end")),
                case(get(format!("{STREAM}?to_seq=9")), bad("a stream has no end")),
                case(get(format!("{STREAM}?n=1")), bad("cause, since, from_seq")),
                case(get(format!("{STREAM}?order=asc")), bad("there is no parameter `order`")),
                case(get(format!("{STREAM}?digest={}&digest={0}", image.digest)), bad("more than once")),
                case(get(format!("{STREAM}?kind=none")), bad("there are log_started")),
                case(head(format!("{STREAM}?kind=none")), bad("there are log_started")),
                case(
                    head(STREAM),
                    ok(200).header("content-type", "text/event-stream").header("cache-control", "no-store").empty(),
                ),
            ])
            .await;
        for id in
            ["", "1", "1.", ".1", "1.x", "-1.0", "1.0.0", " 1.0", "1.0 ", "18446744073709551616.0", "1.4294967296", "é"]
        {
            registry.check(get(STREAM).with("last-event-id", id), bad("is no id of an event")).await;
        }
        for id in ["0.0".to_owned(), format!("{}.0", head_seq + 1), "18446744073709551615.0".to_owned()] {
            registry.check(get(STREAM).with("last-event-id", id), bad("is not in this log").says(&range)).await;
        }
    });
}
