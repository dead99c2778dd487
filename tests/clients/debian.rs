//! The whole story with a real image: pushed, pulled, killed, pulled again, and told alike by the forensic program.

use serde_json::Value;
use tempfile::TempDir;

use crate::podman::Engine;
use crate::support::client::Client;
use crate::support::images::{self, TAG};
use crate::support::layout::{Layout, assert_same_image};
use crate::support::registry::Registry;
use crate::support::replay::{assert_verifies, replay};
use crate::support::tool::{Tool, tool};

const REPOSITORY: &str = "debian/essential";

/// The image as crane brings it is the image that was pushed.
#[track_caller]
fn assert_crane_pulls(crane: &Tool, registry: &Registry, pushed: &Layout) {
    let scratch = TempDir::new().expect("create a temporary directory");
    let pulled = Layout::at(scratch.path().join("pulled"));
    crane.run(&["pull", "--format=oci", &format!("{}/{REPOSITORY}:{TAG}", registry.host()), pulled.dir()]).succeeded();
    let digest = pushed.digest(TAG);
    assert_eq!(pulled.digest(TAG), digest);
    assert_same_image(pushed, &pulled, &digest);
}

/// The image as podman brings it, into an empty storage, has the digest that was pushed.
#[track_caller]
fn assert_podman_pulls(registry: &Registry, digest: &str) {
    // Where the machine does not let podman work, its absence has been said and the rest of the story is still told.
    if let Some(podman) = Engine::find("podman") {
        assert_eq!(podman.pull(&format!("{}/{REPOSITORY}:{TAG}", registry.host())), digest);
    }
}

#[test]
fn debian_image_survives_kill_9() {
    let (Some(skopeo), Some(crane)) = (tool("skopeo"), tool("crane")) else { return };
    let Some(debian) = images::debian() else { return };
    let digest = debian.digest(TAG);
    let mut registry = Registry::start();
    let image = format!("docker://{}/{REPOSITORY}:{TAG}", registry.host());
    let layout = format!("oci:{}", debian.image(TAG));
    skopeo.run(&["--insecure-policy", "copy", "--dest-tls-verify=false", &layout, &image]).succeeded();
    assert_crane_pulls(&crane, &registry, &debian);
    assert_podman_pulls(&registry, &digest);

    registry.kill9();
    registry.restart();
    assert_crane_pulls(&crane, &registry, &debian);
    assert_podman_pulls(&registry, &digest);
    let answer = Client::new(registry.url()).get_manifest(REPOSITORY, TAG).expect("an answer").expecting(200);
    assert!(answer.body == debian.blob(&digest), "the manifest's bytes have changed: {answer}");

    registry.stop();
    assert_verifies(&registry.data());
    let state = replay("state", &registry.data(), &["--format", "json"]).succeeded();
    assert!(tells_of(&state.json(), &digest), "no {REPOSITORY}:{TAG} at {digest} in {state}");
}

/// The state names the repository, and in it the tag with the digest.
fn tells_of(state: &Value, digest: &str) -> bool {
    let named = |things: &Value, name: &str| things.as_array()?.iter().find(|thing| thing["name"] == name).cloned();
    let repository = named(&state["repositories"], REPOSITORY).unwrap_or_default();
    named(&repository["tags"], TAG).is_some_and(|tag| tag["digest"] == digest)
}
