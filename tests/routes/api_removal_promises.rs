//! What clients were told keeps content from removal: by what it begins, whom it binds, and by what it ends.

use std::time::Duration;

use serde_json::{Value, json};
use tagstone::settings::Settings;
use tagstone_schema::media_type::OCI_IMAGE;

use crate::api_purge::{lies_on_disk, purge, purge_in, push_image, referrer, removed_blob, removed_manifest};
use crate::case::{ok, refused};
use crate::registry::{Registry, run};
use crate::request::{Request, delete, get, head, post, put};
use crate::samples::{REPO, Sample, image, named_image, push_blob, push_named, sha256};

const OTHER: &str = "acme/other";
const DAY: Duration = Duration::from_secs(24 * 3600);

fn blob(repository: &str, bytes: &str) -> String {
    format!("/v2/{repository}/blobs/{}", sha256(bytes))
}

fn why(reply: &Value, bytes: &str) -> Option<String> {
    let kept = reply["kept"].as_array().unwrap().iter().find(|kept| kept["digest"] == sha256(bytes))?;
    Some(kept["why"].as_str().unwrap().to_owned())
}

async fn collect(registry: &Registry) -> Value {
    registry.check(post("/api/v1/collect").body("{}"), ok(200)).await.json()
}

/// Anybody can ask for a mount of anything.
#[test]
fn a_mount_that_failed_promises_nothing() {
    run(async {
        let registry = Registry::start().await;
        push_blob(&registry, OTHER, "something else").await;
        push_image(&registry, REPO, "leaked", &[b"layer"]).await;
        let mount = |from: &str| post(format!("/v2/evil/repo/blobs/uploads/?mount={}{from}", sha256("layer")));
        for from in ["&from=evil/none", "&from=evil/repo", "&from=acme/other", "&from=No_Name"] {
            registry.check(mount(from), ok(202)).await;
        }
        let reply = registry.check(purge("leaked"), ok(200)).await.json();
        assert_eq!((why(&reply, "layer"), why(&reply, "{}")), (None, None), "{reply}");
        assert!(!lies_on_disk(registry.data(), b"layer"));
        // One that succeeded promises that it is there.
        push_image(&registry, REPO, "leaked", &[b"layer"]).await;
        registry.let_pass(2 * DAY);
        registry.check(mount(&format!("&from={REPO}")), ok(201)).await;
        let reply = registry.check(purge("leaked"), ok(200)).await.json();
        assert!(why(&reply, "layer").is_some(), "{reply}");
        registry.check(get(blob("evil/repo", "layer")), ok(200).bytes("layer")).await;
    });
}

fn trusting(settings: &mut Settings) {
    settings.http.trusted_proxies = vec!["192.0.2.0/24".parse().unwrap()];
}

/// The same request by another client.
fn by(client: u8, request: Request) -> Request {
    request.with("x-forwarded-for", format!("198.51.100.{client}"))
}
