//! The request id of an answer is that of the record, and no other answer has it.

use std::collections::HashSet;

use tagstone_schema::Event;
use tagstone_schema::media_type::OCI_INDEX;

use crate::registry::{PEER, Registry, run};
use crate::request::{delete, get, head, patch, post, put};
use crate::samples::{REPO, Sample, sha256};
use crate::uploads::open;

#[test]
fn a_record_says_which_request_made_it() {
    run(async {
        let registry = Registry::start().await;
        let location = open(&registry, REPO).await;
        let empty = Sample::of_bytes(OCI_INDEX, r#"{"schemaVersion":2,"manifests":[]}"#);
        let manifest = format!("/v2/{REPO}/manifests");
        let push =
            |tail: &str| put(format!("{manifest}/{tail}")).with("content-type", OCI_INDEX).body(empty.bytes.clone());
        let (small, streamed) = (sha256("small"), sha256("streamed"));
        let start = |query: String| post(format!("/v2/{REPO}/blobs/uploads/?{query}"));
        let mount = post(format!("/v2/acme/other/blobs/uploads/?mount={small}&from={REPO}"));
        let closing = put(format!("{location}?digest={streamed}"));
        // Each request with the status of its answer, and the events of its record.
        let (mut expected, mut ids) = (Vec::new(), HashSet::new());
        for (number, (request, status, events)) in [
            (start(format!("digest={small}")).body("small"), 201, &["BlobLinked"][..]),
            (start(format!("digest={small}")).body("small"), 201, &[]),
            (patch(&*location).streamed([b"streamed"]), 202, &[]),
            (closing, 201, &["BlobLinked"]),
            (mount, 201, &["BlobLinked"]),
            (push("v1"), 201, &["ManifestPushed", "TagMoved"]),
            (push("v1"), 201, &[]),
            (push(&format!("{}?tag=v1&tag=v2&tag=v3", empty.digest)), 201, &["TagMoved", "TagMoved"]),
            (push(".bad"), 400, &[]),
            (get(format!("{manifest}/v1")), 200, &[]),
            (head(format!("{manifest}/v9")), 404, &[]),
            (get("/nothing"), 404, &[]),
            (delete(format!("{manifest}/v1")), 202, &["TagsDeleted"]),
            (delete(format!("{manifest}/v1")), 404, &[]),
            (delete(format!("{manifest}/{}", empty.digest)), 202, &["ManifestDeleted"]),
            (delete(format!("/v2/{REPO}/blobs/{small}")), 202, &["BlobUnlinked"]),
        ]
        .into_iter()
        .enumerate()
        {
            let agent = format!("test/{number} {}", "x".repeat(300));
            let shown = request.to_string();
            // A client cannot choose its id.
            let reply = registry.send(request.with("user-agent", &agent).with("x-request-id", "chosen")).await;
            assert_eq!(reply.status, status, "{shown}");
            let id = reply.header("x-request-id").unwrap().to_owned();
            assert!(ids.insert(id.clone()), "{shown}: the id {id} was given before");
            if !events.is_empty() {
                expected.push((id, agent[..256].to_owned(), events.to_vec()));
            }
        }
        let records = registry.records();
        assert!(matches!(
            records[0].events[..],
            [Event::LogStarted { .. }, Event::ServerStarted { .. }, Event::PolicyActivated { .. }]
        ));
        assert_eq!(records.len(), 1 + expected.len());
        for (record, (id, agent, events)) in records[1..].iter().zip(&expected) {
            assert_eq!((&*record.origin.request_id, &*record.origin.user_agent), (&**id, &**agent), "{record:?}");
            assert_eq!((&*record.origin.address, &*record.actor.name), (PEER, "anonymous"), "{record:?}");
            let names = record.events.iter().map(|event| format!("{event:?}"));
            let names: Vec<_> = names.map(|name| name.split([' ', '{']).next().unwrap().to_owned()).collect();
            assert_eq!(names, *events, "{record:?}");
        }
    });
}
