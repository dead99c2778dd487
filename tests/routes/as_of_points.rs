//! Points of the past: which there are, what each stands for, and how long names may be behind them.

use std::time::Duration;

use actix_web::http::Method;
use serde_json::json;
use tagstone::registry::{Command, Expiry, Lock, SetTag};
use tagstone_schema::Timestamp;

use crate::as_of::{behind, last, then};
use crate::case::{case, ok, refused};
use crate::registry::{Registry, run};
use crate::request::{Request, delete, get, head};
use crate::samples::{REPO, push_named, unknown_digest};

#[test]
fn a_point_outside_of_the_past_names_the_range() {
    run(async {
        let registry = Registry::start().await;
        push_named(&registry, REPO, "v1", "one").await;
        let (seq, time) = last(&registry).await;
        let first = registry.check(get(behind(1, "_oci/tag-history/v1")), ok(200)).await;
        assert_eq!(first.json()["manifests"], json!([]));
        let range = format!(" to record {seq} at {time}");
        let digest = unknown_digest();
        let routes = [
            "manifests/v1",
            &format!("manifests/{digest}"),
            &format!("blobs/{digest}"),
            "tags/list",
            "_tagstone/tags",
            "_oci/ext/discover",
            &format!("referrers/{digest}"),
        ];
        for point in ["seq-0", "seq-1000", "seq-99999999999999999999999", "19990101t000000z", "29990101t000000z"] {
            let outside = || {
                let answer = refused(404, "NAME_UNKNOWN", format!("there is no as-of/{point}/{REPO}"));
                answer.says("the past of this registry goes from record 1 at ").says(&range)
            };
            for rest in routes {
                registry.check(get(then(point, rest)), outside()).await;
                registry.check(head(then(point, rest)), outside()).await;
            }
            // By its draft, 404 would mean that there is no tag history.
            let says = format!("there is no as-of/{point}");
            registry.check(get(then(point, "_oci/tag-history/v1")), refused(400, "NAME_UNKNOWN", says)).await;
        }
        for name in [
            "as-of",
            "as-of/seq-1",
            "as-of/latest/acme/app",
            "as-of/seq-x/acme/app",
            "as-of/20261301t000000z/acme/app",
            "as-of/2026-11-01/acme/app",
            "as-of/seq-2/as-of/seq-2/acme/app",
        ] {
            for rest in routes.into_iter().chain(["_oci/tag-history/v1"]) {
                let unreadable = refused(400, "NAME_INVALID", "write as-of/<point>/<repository>").says(&range);
                registry.check(get(format!("/v2/{name}/{rest}")), unreadable).await;
            }
        }
        for name in ["as-of/seq-2/Acme", "as-of/seq-2/a//b", "as-of/seq-2/"] {
            let invalid = refused(400, "NAME_INVALID", "is not a repository name");
            registry.check(get(format!("/v2/{name}/tags/list")), invalid).await;
        }
    });
}

/// The second in which an instant lies, as a point.
fn point(at: Timestamp) -> String {
    let text = Timestamp(at.seconds() * 1_000_000).to_string();
    format!("{}z", text.replace(['-', ':'], "").replace('T', "t").split('.').next().unwrap())
}

/// An instant is a whole second: what happened up to its beginning is seen, what happened later is not.
#[test]
fn an_instant_stands_for_the_last_record_before_it() {
    run(async {
        let registry = Registry::start().await;
        let mut moments = Vec::new();
        for name in ["one", "two", "three"] {
            let sample = push_named(&registry, REPO, "latest", name).await;
            let (seq, time) = last(&registry).await;
            moments.push((time.parse::<Timestamp>().unwrap(), seq, sample));
            registry.let_pass(Duration::from_secs(3));
        }
        let second = Timestamp(1_000_000).0;
        for (number, (time, _, sample)) in moments.iter().enumerate() {
            // The next whole second behind the record, and the last one before the next record.
            for at in [Timestamp(time.0 + second), Timestamp(time.0 + 2 * second)] {
                let expected = ok(200).bytes(sample.bytes.clone());
                registry.check(get(then(&point(at), "manifests/latest")), expected).await;
            }
            // The second in which the record lies began before it.
            let before = number.checked_sub(1).map(|before| &moments[before].2);
            let reply = registry.send(get(then(&point(*time), "manifests/latest"))).await;
            assert_eq!(reply.body, before.map_or(reply.body.clone(), |sample| sample.bytes.clone()));
            assert_ne!(reply.body, sample.bytes);
        }
        // The present is the last point that there is.
        let now = registry.now();
        let three = &moments[2].2;
        registry.check(get(then(&point(now), "manifests/latest")), ok(200).bytes(three.bytes.clone())).await;
        let ahead = point(Timestamp(now.0 + 3_600 * second));
        registry.check(get(then(&ahead, "manifests/latest")), refused(404, "NAME_UNKNOWN", "goes from record 1")).await;
    });
}

/// An instant also says which tags had expired, whether or not that was written down.
#[test]
fn tags_expire_by_the_instant() {
    run(async {
        let registry = Registry::start().await;
        push_named(&registry, REPO, "soon", "one").await;
        let at = Timestamp((registry.now().seconds() + 10) * 1_000_000);
        let expiring = SetTag {
            repository: REPO.parse().unwrap(),
            tag: "soon".parse().unwrap(),
            manifest: None,
            expiry: Expiry::At(at),
            lock: Lock::Keep,
        };
        registry.commit(Command::SetTag(Box::new(expiring))).await;
        let (seq, _) = last(&registry).await;
        registry.let_pass(Duration::from_secs(60));
        let there = || ok(200).header("tagstone-tag-expires", at.to_string());
        registry
            .check_all([
                case(get(behind(seq, "manifests/soon")), there()),
                case(get(then(&point(Timestamp(at.0 - 1_000_000)), "manifests/soon")), there()),
                case(get(then(&point(at), "manifests/soon")), refused(404, "MANIFEST_UNKNOWN", "soon")),
                case(get(behind(seq - 1, "manifests/soon")), ok(200).without("tagstone-tag-expires")),
            ])
            .await;
    });
}

/// Only the name of the repository itself counts for how long a name may be.
#[test]
fn every_repository_has_a_past_however_long_its_name() {
    run(async {
        let registry = Registry::start().await;
        let name = "a".repeat(255);
        let sample = push_named(&registry, &name, "v1", "one").await;
        let (seq, _) = last(&registry).await;
        registry.let_pass(Duration::from_secs(2));
        let point = format!("/v2/as-of/seq-{seq}/{name}");
        let listed = json!({"name": format!("as-of/seq-{seq}/{name}"), "tags": ["v1"]});
        registry
            .check_all([
                case(get(format!("{point}/manifests/v1")), ok(200).bytes(sample.bytes.clone())),
                case(get(format!("{point}/tags/list")), ok(200).json(listed)),
                case(
                    get(format!("{point}a/manifests/v1")),
                    refused(400, "NAME_INVALID", "256 characters; at most 255 are allowed"),
                ),
                case(
                    delete(format!("{point}/manifests/v1")),
                    refused(405, "UNSUPPORTED", "shows the past").header("allow", "GET, HEAD"),
                ),
                case(
                    Request::new(Method::PATCH, format!("{point}/blobs/uploads/1")).body("x"),
                    refused(405, "UNSUPPORTED", "shows the past").header("allow", "GET, HEAD"),
                ),
            ])
            .await;
    });
}
