//! skopeo: push, inspect, pull, copy between repositories, conversion to Docker's schema 2, indexes, deletion.

use serde_json::json;
use tempfile::TempDir;

use crate::support::client::{Client, digest_of};
use crate::support::images::{self, TAG};
use crate::support::layout::{Layout, assert_same_directory, assert_same_image};
use crate::support::registry::Registry;
use crate::support::tool::{Tool, tool};

/// `skopeo copy` between a source and a destination, of which either may be in the registry.
#[track_caller]
fn copy(skopeo: &Tool, options: &[&str], from: &str, to: &str) {
    let insecure = ["--insecure-policy", "copy", "--src-tls-verify=false", "--dest-tls-verify=false"];
    skopeo.run(&[&insecure, options, &[from, to]].concat()).succeeded();
}

#[test]
fn an_image_comes_back_as_it_was_pushed() {
    let Some(skopeo) = tool("skopeo") else { return };
    let scratch = TempDir::new().expect("create a temporary directory");
    let Some(pushed) = images::tiny(&scratch.path().join("pushed"), "skopeo") else { return };
    let registry = Registry::start();
    let digest = pushed.digest(TAG);
    let image = format!("docker://{}/acme/app:{TAG}", registry.host());
    copy(&skopeo, &[], &format!("oci:{}", pushed.image(TAG)), &image);

    let inspected = skopeo.run(&["inspect", "--tls-verify=false", &image]).succeeded();
    assert_eq!(inspected.json()["Digest"], digest, "{inspected}");
    let raw = skopeo.run(&["inspect", "--raw", "--tls-verify=false", &image]).succeeded();
    assert_eq!(digest_of(raw.stdout()), digest, "the manifest's bytes: {raw}");

    let pulled = Layout::at(scratch.path().join("pulled"));
    copy(&skopeo, &[], &image, &format!("oci:{}", pulled.image(TAG)));
    assert_eq!(pulled.digest(TAG), digest);
    assert_same_image(&pushed, &pulled, &digest);
    let directory = scratch.path().join("directory");
    copy(&skopeo, &[], &image, &format!("dir:{}", directory.display()));
    assert_same_directory(&pushed, &directory, &digest);
    let by_digest = scratch.path().join("by-digest");
    let image = format!("docker://{}/acme/app@{digest}", registry.host());
    copy(&skopeo, &[], &image, &format!("dir:{}", by_digest.display()));
    assert_same_directory(&pushed, &by_digest, &digest);
}

#[test]
fn an_image_is_copied_from_repository_to_repository() {
    let Some(skopeo) = tool("skopeo") else { return };
    let scratch = TempDir::new().expect("create a temporary directory");
    let Some(pushed) = images::tiny(&scratch.path().join("pushed"), "copied") else { return };
    let registry = Registry::start();
    let digest = pushed.digest(TAG);
    let from = format!("docker://{}/acme/app:{TAG}", registry.host());
    let to = format!("docker://{}/mirror/deep/app:copy", registry.host());
    copy(&skopeo, &[], &format!("oci:{}", pushed.image(TAG)), &from);
    // skopeo remembers where it has seen a blob and asks for a mount from there.
    copy(&skopeo, &[], &from, &to);

    let directory = scratch.path().join("directory");
    copy(&skopeo, &[], &to, &format!("dir:{}", directory.display()));
    assert_same_directory(&pushed, &directory, &digest);
    let tags =
        skopeo.run(&["list-tags", "--tls-verify=false", &format!("docker://{}/mirror/deep/app", registry.host())]);
    assert_eq!(tags.json()["Tags"], json!(["copy"]), "{tags}");
}

#[test]
fn an_image_is_converted_to_docker_schema_2() {
    let Some(skopeo) = tool("skopeo") else { return };
    let scratch = TempDir::new().expect("create a temporary directory");
    let Some(pushed) = images::tiny(&scratch.path().join("pushed"), "converted") else { return };
    let registry = Registry::start();
    let image = format!("docker://{}/acme/docker:{TAG}", registry.host());
    copy(&skopeo, &["--format", "v2s2"], &format!("oci:{}", pushed.image(TAG)), &image);

    let docker = "application/vnd.docker.distribution.manifest.v2+json";
    let served = Client::new(registry.url()).get_manifest("acme/docker", TAG).expect("an answer").expecting(200);
    assert_eq!(served.header("Content-Type"), Some(docker), "{served}");
    let raw = skopeo.run(&["inspect", "--raw", "--tls-verify=false", &image]).succeeded();
    assert_eq!(raw.json()["mediaType"], docker, "{raw}");
    assert!(raw.stdout() == served.body, "skopeo and we read different bytes: {raw}\n{served}");
    let directory = scratch.path().join("directory");
    copy(&skopeo, &[], &image, &format!("dir:{}", directory.display()));
    for layer in raw.json()["layers"].as_array().expect("a manifest has layers") {
        let digest = layer["digest"].as_str().expect("a layer has a digest");
        let bytes = std::fs::read(directory.join(digest.trim_start_matches("sha256:"))).expect("a pulled layer");
        assert!(bytes == pushed.blob(digest), "layer {digest} differs from what was pushed");
    }
}

#[test]
fn an_index_travels_with_all_its_images() {
    let Some(skopeo) = tool("skopeo") else { return };
    let scratch = TempDir::new().expect("create a temporary directory");
    let Some(pushed) = images::multi_arch(&scratch.path().join("pushed"), "everywhere") else { return };
    let registry = Registry::start();
    let digest = pushed.digest(TAG);
    let image = format!("docker://{}/acme/multi:{TAG}", registry.host());
    copy(&skopeo, &["--all"], &format!("oci:{}", pushed.image(TAG)), &image);

    let raw = skopeo.run(&["inspect", "--raw", "--tls-verify=false", &image]).succeeded();
    assert_eq!(digest_of(raw.stdout()), digest, "the index's bytes: {raw}");
    let pulled = Layout::at(scratch.path().join("pulled"));
    copy(&skopeo, &["--all"], &image, &format!("oci:{}", pulled.image(TAG)));
    assert_eq!(pulled.digest(TAG), digest);
    assert_same_image(&pushed, &pulled, &digest);
    let one = scratch.path().join("one");
    copy(&skopeo, &["--override-arch", "arm64"], &image, &format!("dir:{}", one.display()));
    assert_same_directory(&pushed, &one, &pushed.digest("arm64"));
}

#[test]
fn a_deleted_image_is_gone_and_another_stays() {
    let Some(skopeo) = tool("skopeo") else { return };
    let scratch = TempDir::new().expect("create a temporary directory");
    let Some(first) = images::tiny(&scratch.path().join("first"), "first") else { return };
    let Some(second) = images::tiny(&scratch.path().join("second"), "second") else { return };
    let registry = Registry::start();
    let repository = format!("docker://{}/acme/app", registry.host());
    copy(&skopeo, &[], &format!("oci:{}", first.image(TAG)), &format!("{repository}:first"));
    copy(&skopeo, &[], &format!("oci:{}", first.image(TAG)), &format!("{repository}:first-again"));
    copy(&skopeo, &[], &format!("oci:{}", second.image(TAG)), &format!("{repository}:second"));

    // skopeo deletes by digest, and every tag goes with the manifest.
    skopeo.run(&["delete", "--tls-verify=false", &format!("{repository}:first")]).succeeded();
    let tags = skopeo.run(&["list-tags", "--tls-verify=false", &repository]).succeeded();
    assert_eq!(tags.json()["Tags"], json!(["second"]), "{tags}");
    let gone = skopeo.run(&["inspect", "--tls-verify=false", &format!("{repository}:first-again")]).failed();
    assert!(gone.stderr().contains("manifest unknown"), "{gone}");
    let directory = scratch.path().join("directory");
    copy(&skopeo, &[], &format!("{repository}:second"), &format!("dir:{}", directory.display()));
    assert_same_directory(&second, &directory, &second.digest(TAG));
}

#[test]
fn a_full_disk_is_told_and_nothing_is_left() {
    let Some(skopeo) = tool("skopeo") else { return };
    let scratch = TempDir::new().expect("create a temporary directory");
    let Some(pushed) = images::tiny(&scratch.path().join("pushed"), "refused") else { return };
    let registry = Registry::start_with(&[
        ("TAGSTONE_LIMITS_FREE_DISK_BYTES", "1125899906842624"),
        ("TAGSTONE_LIMITS_FREE_DISK_PERCENT", "100"),
    ]);
    let (from, to) = (format!("oci:{}", pushed.image(TAG)), format!("docker://{}/acme/app:{TAG}", registry.host()));
    let refused = skopeo.run(&["--insecure-policy", "copy", "--dest-tls-verify=false", &from, &to]).failed();
    assert!(refused.stderr().contains("507 Insufficient Storage"), "{refused}");
    // It asks once for the layer and once for the config, and does not come again with another form of the image.
    let attempts = registry.stderr().matches("method=POST").count();
    assert!(attempts <= 2, "{}", registry.stderr());
    Client::new(registry.url()).get("/v2/acme/app/tags/list").expect("an answer").expecting(404);
}
