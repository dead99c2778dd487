//! Clients that go away behind their request, before it is answered: what comes of it for a later removal is the same.

use std::pin::pin;
use std::rc::Rc;
use std::task::{Context, Waker};
use std::time::Duration;

use serde_json::Value;
use tagstone::registry::{Command, Submission};
use tagstone_schema::media_type::OCI_IMAGE;
use tagstone_schema::{Actor, Origin};

use crate::api_purge::{purge, push_image};
use crate::case::ok;
use crate::registry::{Registry, run};
use crate::request::{Request, delete, get, post, put};
use crate::samples::{REPO, Sample, image, push_blob, sha256};

const OTHER: &str = "acme/other";
const TWO_DAYS: Duration = Duration::from_secs(48 * 3600);

/// A registry whose writer takes one command at a time.
async fn one_by_one() -> Rc<Registry> {
    Rc::new(Registry::with(|settings| settings.writer.batch = 1).await)
}

/// Sends a request whose client goes away while its command waits. The command has been carried out at the end.
async fn send_and_leave(registry: &Rc<Registry>, request: Request) {
    let writer = registry.writer();
    let command = |digest: String| {
        let (repository, digest) = ("acme/beside".parse().unwrap(), digest.parse().unwrap());
        Submission::new(Actor::anonymous(), Origin::default(), Command::LinkBlob { repository, digest, size: 4 })
    };
    let shown = request.to_string();
    registry.hold_writes();
    let mut before = pin!(writer.submit(command(sha256(format!("before {shown}")))));
    assert!(before.as_mut().poll(&mut Context::from_waker(Waker::noop())).is_pending());
    wait_until(|| writer.waiting() == 0).await;
    let sending = actix_web::rt::spawn({
        let registry = registry.clone();
        async move { registry.send_beside_others(request).await.status }
    });
    wait_until(|| writer.waiting() == 1 || sending.is_finished()).await;
    sending.abort();
    assert!(sending.await.is_err_and(|error| error.is_cancelled()), "{shown}: it was answered");
    registry.let_writes_go_on();
    before.await.unwrap();
    writer.submit(command(sha256(format!("behind {shown}")))).await.unwrap();
}

async fn wait_until(is_so: impl Fn() -> bool) {
    for _ in 0..10_000 {
        if is_so() {
            return;
        }
        actix_web::rt::time::sleep(Duration::from_millis(1)).await;
    }
    panic!("it never comes to that");
}

fn blob(repository: &str, bytes: &str) -> String {
    format!("/v2/{repository}/blobs/{}", sha256(bytes))
}

fn manifest(tag: &str, layers: &[&[u8]]) -> Request {
    let sample = Sample::new(OCI_IMAGE, &image(layers));
    put(format!("/v2/{REPO}/manifests/{tag}")).with("content-type", sample.media_type).body(sample.bytes)
}

/// Purges and says what was kept, and why.
async fn kept(registry: &Registry, reference: &str) -> Vec<(String, String)> {
    let reply = registry.check(purge(reference), ok(200)).await.json();
    let text = |kept: &Value, name: &str| kept[name].as_str().unwrap().to_owned();
    let kept = reply["kept"].as_array().unwrap();
    kept.iter().map(|kept| (text(kept, "digest"), text(kept, "why"))).collect()
}

#[test]
fn what_a_manifest_names_is_being_pushed_no_more() {
    run(async {
        let registry = one_by_one().await;
        for bytes in ["{}", "layer"] {
            push_blob(&registry, REPO, bytes).await;
        }
        send_and_leave(&registry, manifest("leaked", &[b"layer"])).await;
        assert_eq!(kept(&registry, "leaked").await, []);
    });
}

#[test]
fn what_was_sent_for_a_manifest_that_was_refused_does_not_keep_a_leak() {
    run(async {
        let registry = one_by_one().await;
        push_image(&registry, REPO, "leaked", &[b"layer"]).await;
        for bytes in ["{}", "layer"] {
            push_blob(&registry, REPO, bytes).await;
        }
        let condition = format!("\"sha256:{}\"", "0".repeat(64));
        send_and_leave(&registry, manifest("other", &[b"layer"]).with("if-match", condition)).await;
        assert_eq!(kept(&registry, "leaked").await, []);
    });
}

#[test]
fn what_was_deleted_is_promised_no_more() {
    run(async {
        let registry = one_by_one().await;
        for path in [blob(OTHER, "layer"), format!("/api/v1/repository/{OTHER}")] {
            push_blob(&registry, OTHER, "layer").await;
            send_and_leave(&registry, delete(&*path)).await;
            push_image(&registry, REPO, "leaked", &[b"layer"]).await;
            assert_eq!(kept(&registry, "leaked").await, [], "{path}");
        }
    });
}

#[test]
fn what_was_stored_may_be_named_by_a_manifest() {
    run(async {
        let registry = one_by_one().await;
        let storing = |how: String, body: &'static str| post(format!("/v2/{OTHER}/blobs/uploads/?{how}")).body(body);
        let digest = sha256("layer");
        for (how, body) in [(format!("digest={digest}"), "layer"), (format!("mount={digest}&from={REPO}"), "")] {
            push_image(&registry, REPO, "leaked", &[b"layer"]).await;
            registry.let_pass(TWO_DAYS);
            send_and_leave(&registry, storing(how.clone(), body)).await;
            let is_kept = kept(&registry, "leaked").await.iter().any(|(kept, _)| *kept == digest);
            assert!(is_kept, "{how}");
            registry.check(get(blob(OTHER, "layer")), ok(200).bytes("layer")).await;
            registry.check(delete(blob(OTHER, "layer")), ok(202)).await;
        }
    });
}
