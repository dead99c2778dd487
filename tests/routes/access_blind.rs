//! Who may push or delete and not pull: a machine that only builds images can push, and is told nothing of what is there.

use serde_json::json;
use tagstone_schema::event::Action;
use tagstone_schema::media_type::{DOCKER_IMAGE, OCI_IMAGE};

use crate::case::{case, ok, refused};
use crate::guarded::{authorization, guarded, rule};
use crate::registry::{Registry, run};
use crate::request::{Request, delete, get, post, put};
use crate::samples::{Sample, image, named_image, push_named};

const REPO: &str = "blind/app";

/// A registry in which `writer` may push to `blind/**` and `deleter` delete there, and neither may pull; with the immutable tag `v1`.
async fn filled() -> (Registry, Sample) {
    let registry = guarded(|settings| {
        let only = [("writer", Action::Push), ("deleter", Action::Delete)];
        settings.auth.access.splice(0..0, only.map(|(user, action)| rule(user, "blind/**", &[action])));
    })
    .await;
    registry.log_in("root");
    let standing = push_named(&registry, REPO, "v1", "standing").await;
    let lock = put(format!("/api/v1/repository/{REPO}/tag/v1")).body(r#"{"immutable":true}"#);
    registry.check(lock, ok(201)).await;
    push_named(&registry, REPO, "free", "standing").await;
    registry.log_out();
    (registry, standing)
}

fn of(user: &str, request: Request) -> Request {
    request.with("authorization", authorization(user))
}

fn push(repository: &str, reference: &str, sample: &Sample) -> Request {
    let request = put(format!("/v2/{repository}/manifests/{reference}"));
    of("writer", request.with("content-type", sample.media_type).body(sample.bytes.clone()))
}

#[test]
fn a_machine_that_only_pushes_goes_on_pushing() {
    run(async {
        let (registry, _) = filled().await;
        registry.log_in("writer");
        push_named(&registry, REPO, "v2", "new").await;
        push_named(&registry, REPO, "free", "new").await;
        registry
            .check_all([
                case(get(format!("/v2/{REPO}/manifests/v2")), refused(403, "DENIED", "may not pull")),
                case(push(REPO, "v2", &named_image("new")).with("if-match", "*"), ok(201)),
            ])
            .await;
    });
}

#[test]
fn a_refused_push_tells_nothing_of_what_stands() {
    run(async {
        let (registry, standing) = filled().await;
        registry.log_in("writer");
        let new = push_named(&registry, REPO, "v2", "new").await;
        registry.log_out();
        let mut document = image(&[]);
        document.as_object_mut().unwrap().remove("mediaType");
        registry.log_in("root");
        let untyped = Sample::new(OCI_IMAGE, &document);
        untyped.push(&registry, REPO, "untyped").await;
        registry.log_out();
        let as_docker = Sample::new(DOCKER_IMAGE, &document);
        let cases = [
            (push(REPO, "v1", &new), 409, "DENIED", Some("TAG_IMMUTABLE")),
            (push(REPO, "free", &new).with("if-none-match", "*"), 412, "DENIED", Some("PRECONDITION_FAILED")),
            (
                push(REPO, "free", &new).with("if-match", format!("\"{}\"", new.digest)),
                412,
                "DENIED",
                Some("PRECONDITION_FAILED"),
            ),
            (push(REPO, "v3", &as_docker), 400, "MANIFEST_INVALID", None),
        ];
        for (request, status, code, reason) in cases {
            let shown = request.to_string();
            let reply = registry.check(request, refused(status, code, "the push to blind/app was refused")).await;
            let error = reply.error();
            assert_eq!(error.get("detail"), reason.map(|reason| json!({"reason": reason})).as_ref(), "{shown}");
            let told = error.to_string();
            for secret in [&*standing.digest, standing.media_type, "locked", "lock"] {
                assert!(!told.contains(secret), "{shown}: {secret} is in {told}");
            }
        }
        // The name that was bound to another digest is no better known.
        registry.log_in("root");
        let erase = post(format!("/api/v1/repository/{REPO}/tag/v1/erase"));
        registry.check(erase.body(r#"{"reason":"a test","purge":false}"#), ok(200)).await;
        registry.log_out();
        let spent = registry.check(push(REPO, "v1", &new), refused(409, "DENIED", "bound to other content")).await;
        assert_eq!(spent.error()["detail"], json!({"reason": "TAG_SPENT"}));
        assert!(!spent.error().to_string().contains(&standing.digest));
    });
}

#[test]
fn deleting_and_moving_tags_take_pull_too() {
    run(async {
        let (registry, standing) = filled().await;
        let body = |value: serde_json::Value| value.to_string();
        for repository in [REPO, "blind/zzz"] {
            let v2 = |rest: &str| format!("/v2/{repository}/{rest}");
            let api = |rest: &str| format!("/api/v1/repository/{repository}/{rest}");
            let requests = [
                ("deleter", delete(v2("manifests/v1"))),
                ("deleter", delete(v2(&format!("manifests/{}", standing.digest)))),
                ("deleter", delete(v2(&format!("blobs/{}", standing.digest)))),
                ("deleter", delete(api("tag/v1"))),
                ("deleter", delete(format!("/api/v1/repository/{repository}"))),
                ("deleter", post(api("tags/delete")).body(body(json!({"tags": ["v1"]})))),
                ("deleter", post(api("purge")).body(body(json!({"reference": "v1", "reason": "x", "dry_run": true})))),
                ("deleter", post(api("tag/v1/expire")).body("{}")),
                ("writer", put(api("tag/v1")).body(body(json!({"immutable": true})))),
                ("writer", post(api("tag/v1/restore")).body(body(json!({"manifest_digest": standing.digest})))),
            ];
            for (user, request) in requests {
                let shown = request.to_string();
                let reply = registry.send(of(user, request)).await;
                let told = String::from_utf8_lossy(&reply.body).into_owned();
                assert_eq!(reply.status, 403, "{shown}: {told}");
                assert!(told.contains("takes to pull"), "{shown}: {told}");
                assert!(!told.contains("UNKNOWN") && !told.contains(&standing.digest[7..]), "{shown}: {told}");
            }
        }
    });
}
