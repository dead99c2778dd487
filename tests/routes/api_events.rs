//! Audit queries.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Value, json};

use crate::case::{case, ok, refused};
use crate::happenings::{EVENTS, PRUNING, all, busy, id, selected};
use crate::registry::{PEER, Registry, run};
use crate::request::{get, head};
use crate::samples::{REPO, named_image, push_named};

/// Asks for page after page, until there is none.
async fn pages(registry: &Registry, query: &str) -> (Vec<Value>, usize) {
    let (mut events, mut asked, mut next) = (Vec::new(), 0, String::new());
    loop {
        let path = format!("{EVENTS}?{query}{next}");
        let reply = registry.check(get(&*path), ok(200).header("content-type", "application/json")).await;
        let page = reply.json();
        events.extend(page["events"].as_array().unwrap().iter().cloned());
        asked += 1;
        let Some(token) = page.get("next") else {
            assert_eq!(reply.header("link"), None);
            return (events, asked);
        };
        next = format!("&next={}", token.as_str().unwrap());
        assert_eq!(reply.header("link").unwrap(), format!("<{EVENTS}?{query}{next}>; rel=\"next\""));
    }
}

fn kinds(events: &[Value]) -> Vec<&str> {
    events.iter().map(|event| event["kind"].as_str().unwrap()).collect()
}

#[test]
fn everything_that_happened_is_told_once_and_in_order() {
    run(async {
        let registry = busy().await;
        let events = all(&registry).await;
        let ids: Vec<_> = events.iter().map(|event| (event["seq"].as_u64(), event["index"].as_u64())).collect();
        assert!(ids.is_sorted() && BTreeSet::from_iter(&ids).len() == ids.len(), "{ids:?}");
        let kinds: BTreeSet<_> = kinds(&events).into_iter().collect();
        let expected = [
            "attempts_refused",
            "blob_linked",
            "log_started",
            "manifest_deleted",
            "manifest_pushed",
            "policy_activated",
            "policy_drafted",
            "policy_retired",
            "repository_deleted",
            "server_started",
            "tag_deleted",
            "tag_erased",
            "tag_expiry_set",
            "tag_locked",
            "tag_moved",
            "tag_unlocked",
        ];
        assert_eq!(kinds, BTreeSet::from(expected));
        // Every written event stands there; the deletion of tags as the end of each, the others with what ended with them.
        let standing = registry.standing();
        let records = registry.records();
        assert_eq!(standing.seq, records.len() as u64);
        let mut told = events.iter();
        for record in &records {
            let of_record = told.clone().take_while(|event| event["seq"] == record.seq).count();
            let own: Vec<_> = told.by_ref().take(of_record).collect();
            assert_eq!(own[0]["time"], record.time.to_string());
            assert_eq!(own[0]["actor"]["name"], record.actor.name.as_str());
            assert_eq!(own[0]["origin"]["request_id"], record.origin.request_id.as_str());
            for (at, event) in own.iter().enumerate() {
                assert_eq!(event["index"], at);
            }
        }
        assert_eq!(told.count(), 0);
    });
}

#[test]
fn every_end_of_a_tag_is_an_event_with_its_cause() {
    run(async {
        let registry = busy().await;
        let (ends, _) = pages(&registry, "kind=tag_deleted&order=asc").await;
        let mut by_cause = BTreeMap::<_, Vec<_>>::new();
        for end in &ends {
            assert_eq!(end["from"], end["digest"]);
            let tag = format!("{}:{}", end["repository"].as_str().unwrap(), end["tag"].as_str().unwrap());
            by_cause.entry(end["cause"].as_str().unwrap()).or_default().push(tag);
        }
        let expected = [
            ("erased", vec!["acme/app:r1"]),
            ("expiry", vec!["acme/app:v2"]),
            ("manifest_deleted", vec!["acme/team/tool:v1", "acme/team/tool:v2"]),
            ("prune", vec!["acme/nightly:n1", "acme/nightly:n2"]),
            ("repository_deleted", vec!["lib:v1", "lib:w1"]),
            ("request", vec!["acme/app:a", "acme/app:b", "acme/app:c"]),
        ];
        let expected = expected.map(|(cause, tags)| (cause, tags.into_iter().map(str::to_owned).collect()));
        assert_eq!(by_cause, BTreeMap::from(expected));
        let of = |cause| ends.iter().filter(move |end| end["cause"] == cause);
        for pruned in of("prune") {
            assert_eq!(pruned["policy"], PRUNING.to_string());
            assert!(pruned["run"].is_string(), "{pruned}");
        }
        // What was done for a reason is one act: the erasure, and the end that it is.
        let (erased, _) = pages(
            &registry,
            &format!("repository={REPO}&tag=r1&order=asc&from_seq={}", {
                of("erased").next().unwrap()["seq"].as_u64().unwrap()
            }),
        )
        .await;
        assert_eq!(kinds(&erased), ["tag_erased", "tag_deleted", "attempts_refused"]);
        assert_eq!(erased[0]["reason"], "a secret in it");
        assert_eq!((&erased[0]["seq"], &erased[0]["digest"]), (&erased[1]["seq"], &erased[1]["digest"]));
    });
}

#[test]
fn an_event_as_it_is_told() {
    run(async {
        let registry = Registry::start().await;
        let one = push_named(&registry, REPO, "v1", "one").await;
        let two = push_named(&registry, REPO, "v2", "two").await;
        two.push(&registry, REPO, "v1").await;
        let (mut moved, _) = pages(&registry, "kind=tag_moved&tag=v1&n=1").await;
        let event = &mut moved[0];
        let time = event["time"].take();
        assert!(time.as_str().unwrap().len() == "2026-01-01T00:00:00.000000Z".len(), "{time}");
        let request_id = event["origin"]["request_id"].take();
        assert_eq!(request_id.as_str().unwrap().len(), 16);
        let seq = registry.standing().seq;
        assert_eq!(
            *event,
            json!({
                "seq": seq, "index": 0, "time": null, "actor": {"kind": "anonymous", "name": "anonymous"},
                "origin": {"request_id": null, "address": PEER, "user_agent": ""},
                "kind": "tag_moved", "repository": REPO, "tag": "v1", "from": one.digest, "to": two.digest,
            })
        );
    });
}

#[test]
fn filters_select_what_they_name() {
    run(async {
        let registry = busy().await;
        let events = all(&registry).await;
        let (one, three) = (named_image("one").digest, named_image("three").digest);
        let middle = &events[events.len() / 2];
        let (time, seq) = (middle["time"].as_str().unwrap(), middle["seq"].to_string());
        let filters = [
            ("repository", REPO),
            ("repository", "lib"),
            ("repository", "acme/nobody"),
            ("namespace", "acme"),
            ("namespace", "acme/team"),
            ("namespace", "ac"),
            ("tag", "v1"),
            ("tag", "r1"),
            ("digest", &one),
            ("digest", &three),
            ("actor", "anonymous"),
            ("actor", "system:test"),
            ("actor", "user:anonymous"),
            ("actor", "start"),
            ("kind", "tag_moved"),
            ("kind", "tag_deleted"),
            ("kind", "blob_unlinked"),
            ("cause", "prune"),
            ("cause", "repository_deleted"),
            ("since", time),
            ("until", time),
            ("from_seq", &seq),
            ("to_seq", &seq),
        ];
        let mut found = 0;
        for (at, first) in filters.iter().enumerate() {
            // Each alone, and each pair that can stand together.
            let alone = std::iter::once(vec![*first]);
            let others = filters[at + 1..].iter().filter(|second| second.0 != first.0);
            for chosen in alone.chain(others.map(|second| vec![*first, *second])) {
                let is_empty = ["since", "until"].iter().all(|name| chosen.iter().any(|one| one.0 == *name));
                let query: Vec<_> = chosen.iter().map(|(name, value)| format!("{name}={value}")).collect();
                let query = query.join("&");
                if is_empty {
                    registry.check(get(format!("{EVENTS}?{query}")), refused(400, "invalid_request", "since")).await;
                    continue;
                }
                let mut expected: Vec<_> = events.iter().filter(|event| selected(event, &chosen)).cloned().collect();
                found += expected.len();
                assert_eq!(pages(&registry, &format!("{query}&order=asc")).await.0, expected, "{query}");
                expected.reverse();
                assert_eq!(pages(&registry, &query).await.0, expected, "{query}");
            }
        }
        assert!(found > 1_000, "the filters select next to nothing: {found}");
        let many = format!("repository={REPO}&namespace=acme&tag=v1&digest={one}&actor=anonymous&kind=tag_moved");
        assert_eq!(pages(&registry, &many).await.0.len(), 3);
    });
}

#[test]
fn following_next_gives_everything_once() {
    run(async {
        let registry = busy().await;
        let events = all(&registry).await;
        let reversed: Vec<_> = events.iter().rev().cloned().collect();
        for n in (1..=7).chain([events.len() - 1, events.len(), events.len() + 1, 100_000]) {
            assert_eq!(
                pages(&registry, &format!("n={n}")).await,
                (reversed.clone(), events.len().div_ceil(n)),
                "n={n}"
            );
            let ascending = pages(&registry, &format!("order=asc&n={n}")).await;
            assert_eq!(ascending, (events.clone(), events.len().div_ceil(n)), "n={n}, ascending");
        }
        for filter in ["kind=tag_deleted", "tag=v1", "namespace=acme&actor=anonymous"] {
            let whole = pages(&registry, filter).await.0;
            assert_eq!(pages(&registry, &format!("{filter}&n=1")).await, (whole.clone(), whole.len()), "{filter}");
        }
    });
}

#[test]
fn what_happens_meanwhile_disturbs_no_page() {
    run(async {
        let registry = Registry::start().await;
        push_named(&registry, REPO, "v1", "one").await;
        let before: Vec<_> = all(&registry).await.iter().rev().map(id).collect();
        let (mut seen, mut next) = (Vec::new(), String::new());
        for at in 0.. {
            let page = registry.check(get(format!("{EVENTS}?n=1{next}")), ok(200)).await.json();
            seen.extend(page["events"].as_array().unwrap().iter().map(id));
            push_named(&registry, REPO, &format!("w{at}"), &format!("{at}")).await;
            let Some(token) = page.get("next") else { break };
            next = format!("&next={}", token.as_str().unwrap());
        }
        assert_eq!(seen, before);
    });
}

#[test]
fn pages_are_bounded_by_the_limit() {
    run(async {
        let registry = Registry::with(|settings| settings.limits.page_entries = 3).await;
        push_named(&registry, REPO, "v1", "one").await;
        for query in ["", "?n=4", "?n=99999999999999999999"] {
            let page = registry.check(get(format!("{EVENTS}{query}")), ok(200)).await.json();
            assert_eq!(page["events"].as_array().unwrap().len(), 3, "{query}");
            assert!(page["next"].is_string(), "{query}");
        }
    });
}

#[test]
fn json_lines() {
    run(async {
        let registry = busy().await;
        let whole = all(&registry).await;
        let lines = || ok(200).header("content-type", "application/x-ndjson").header("vary", "accept");
        let (mut seen, mut path) = (Vec::<Value>::new(), format!("{EVENTS}?order=asc&n=7"));
        loop {
            let reply = registry.check(get(&*path).with("accept", "application/x-ndjson"), lines()).await;
            let text = std::str::from_utf8(&reply.body).unwrap();
            assert!(text.ends_with('\n'));
            seen.extend(text.lines().map(|line| serde_json::from_str::<Value>(line).unwrap()));
            let Some(link) = reply.header("link") else { break };
            path = link.strip_prefix('<').unwrap().strip_suffix(">; rel=\"next\"").unwrap().to_owned();
        }
        assert_eq!(seen, whole);
        let none = get(format!("{EVENTS}?tag=none")).with("accept", "application/x-ndjson");
        registry.check(none, lines().bytes("")).await;
        let either = get(format!("{EVENTS}?tag=none")).with("accept", "text/html, */*;q=0.1");
        registry.check(either, ok(200).json(json!({"events": []}))).await;
    });
}

#[test]
fn head_has_the_length_of_what_get_answers() {
    run(async {
        let registry = busy().await;
        for query in ["", "?n=1", "?tag=none"] {
            let whole = registry.send(get(format!("{EVENTS}{query}"))).await;
            let told = ok(200).header("content-type", "application/json").empty_of_length(whole.body.len());
            let reply = registry.check(head(format!("{EVENTS}{query}")), told).await;
            assert_eq!(reply.header("link"), whole.header("link"));
        }
    });
}

#[test]
fn instants_in_any_time_zone() {
    run(async {
        let registry = Registry::start().await;
        for (since, until, count) in [
            ("2020-01-01T00:00:00Z", "2200-01-01T00:00:00Z", 3),
            ("2020-01-01T00:00:00+02:00", "2200-01-01T00:00:00-11:30", 3),
            ("2020-01-01T00:00:00%2B02:00", "2200-01-01T00:00:00.123456Z", 3),
            ("2199-01-01T00:00:00Z", "2200-01-01T00:00:00Z", 0),
            ("2019-01-01T00:00:00Z", "2020-01-01T00:00:00Z", 0),
        ] {
            let page = registry.check(get(format!("{EVENTS}?since={since}&until={until}")), ok(200)).await.json();
            assert_eq!(page["events"].as_array().unwrap().len(), count, "{since} to {until}");
        }
    });
}

#[test]
fn what_cannot_be_asked() {
    run(async {
        let registry = Registry::start().await;
        push_named(&registry, REPO, "v1", "one").await;
        let first = registry.check(get(format!("{EVENTS}?n=1")), ok(200)).await.json();
        let next = first["next"].as_str().unwrap();
        let beyond = tagstone_schema::digest::hex(b"desc:99999.0");
        let cases = [
            ("repository=UPPER", "`repository`"),
            ("repository=", "`repository`"),
            ("namespace=a//b", "`namespace`"),
            ("tag=.bad", "`tag`"),
            ("digest=sha256:12", "`digest`"),
            ("actor=", "kind and name as in user:alice"),
            ("kind=tag_mov", "there are log_started, server_started"),
            ("cause=boredom", "there are request, prune"),
            ("since=yesterday", "RFC 3339"),
            ("until=2026-13-01T00:00:00Z", "RFC 3339"),
            ("since=2026-01-01T00:00:00Z&until=2026-01-01T00:00:00Z", "`since` is not before `until`"),
            ("from_seq=x", "give an integer from 1"),
            ("from_seq=0", "give an integer from 1"),
            ("to_seq=-1", "give an integer from 1"),
            ("to_seq=99999999999999999999", "give an integer from 1"),
            ("from_seq=3&to_seq=2", "`from_seq` lies behind `to_seq`"),
            ("n=0", "give an integer from 1"),
            ("n=x", "give an integer from 1"),
            ("order=up", "`desc`"),
            ("order=", "`asc`"),
            ("next=zz", "give back what stood in `next`"),
            ("next=78", "give back what stood in `next`"),
            (&format!("next={beyond}"), "give back what stood in `next`"),
            (&format!("order=asc&next={next}"), "the same `order`"),
            ("repo=a", "there is no parameter `repo`; there are repository, namespace"),
            ("repo", "to_seq, order, n, next"),
            ("Tag=a", "there is no parameter `Tag`"),
            ("tag=a&tag=a", "`tag` is given more than once"),
            ("n=1&n=1", "`n` stands 2 times"),
            ("order=asc&order=asc", "`order` stands 2 times"),
            ("tag=%ff", "not UTF-8"),
        ];
        for (query, says) in cases {
            registry.check(get(format!("{EVENTS}?{query}")), refused(400, "invalid_request", says)).await;
        }
        registry
            .check_all([case(get(format!("{EVENTS}?&n=1&")), ok(200)), case(get(format!("{EVENTS}/")), ok(200))])
            .await;
    });
}
