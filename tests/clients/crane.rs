//! crane: push, pull, tags, catalog, deletion by tag and by digest, validation, and images made in the registry itself.

use serde_json::json;
use tempfile::TempDir;

use crate::support::client::{Client, digest_of};
use crate::support::images::{self, TAG};
use crate::support::layout::{Layout, OCI_INDEX, assert_same_image};
use crate::support::registry::Registry;
use crate::support::tool::{Tool, text, tool};

/// Pushes a tiny image to `acme/app:v1` of a new registry.
fn pushed(crane: &Tool, scratch: &TempDir) -> Option<(Registry, Layout, String)> {
    let layout = images::tiny(&scratch.path().join("pushed"), "crane")?;
    let registry = Registry::start();
    let image = format!("{}/acme/app", registry.host());
    crane.run(&["push", layout.dir(), &format!("{image}:{TAG}")]).succeeded();
    Some((registry, layout, image))
}

#[test]
fn an_image_comes_back_as_it_was_pushed() {
    let Some(crane) = tool("crane") else { return };
    let scratch = TempDir::new().expect("create a temporary directory");
    let Some((registry, layout, image)) = pushed(&crane, &scratch) else { return };
    let digest = layout.digest(TAG);

    let asked = crane.run(&["digest", &format!("{image}:{TAG}")]).succeeded();
    assert_eq!(asked.text(), digest, "{asked}");
    let manifest = crane.run(&["manifest", &format!("{image}@{digest}")]).succeeded();
    assert!(manifest.stdout() == layout.blob(&digest), "the manifest's bytes: {manifest}");
    let pulled = Layout::at(scratch.path().join("pulled"));
    crane.run(&["pull", "--format=oci", &format!("{image}:{TAG}"), pulled.dir()]).succeeded();
    assert_eq!(pulled.digest(TAG), digest);
    assert_same_image(&layout, &pulled, &digest);
    crane.run(&["validate", "--remote", &format!("{image}:{TAG}")]).succeeded();

    let tags = crane.run(&["ls", &image]).succeeded();
    assert_eq!(tags.text(), TAG, "{tags}");
    let catalog = crane.run(&["catalog", registry.host()]).succeeded();
    assert_eq!(catalog.text(), "acme/app", "{catalog}");
}

#[test]
fn a_tag_is_deleted_alone_and_a_digest_with_its_tags() {
    let Some(crane) = tool("crane") else { return };
    let scratch = TempDir::new().expect("create a temporary directory");
    let Some((_registry, layout, image)) = pushed(&crane, &scratch) else { return };
    let digest = layout.digest(TAG);
    for tag in ["stable", "latest"] {
        crane.run(&["tag", &format!("{image}:{TAG}"), tag]).succeeded();
        let tagged = crane.run(&["digest", &format!("{image}:{tag}")]).succeeded();
        assert_eq!(tagged.text(), digest, "{tagged}");
    }

    crane.run(&["delete", &format!("{image}:stable")]).succeeded();
    let tags = crane.run(&["ls", &image]).succeeded();
    assert_eq!(tags.text(), "latest\nv1", "{tags}");
    crane.run(&["manifest", &format!("{image}@{digest}")]).succeeded();

    crane.run(&["delete", &format!("{image}@{digest}")]).succeeded();
    for gone in [format!("{image}:latest"), format!("{image}:{TAG}"), format!("{image}@{digest}")] {
        let answer = crane.run(&["manifest", &gone]).failed();
        assert!(answer.stderr().contains("MANIFEST_UNKNOWN"), "{answer}");
    }
}

#[test]
fn images_are_made_from_others() {
    let Some(crane) = tool("crane") else { return };
    let scratch = TempDir::new().expect("create a temporary directory");
    let Some((registry, layout, image)) = pushed(&crane, &scratch) else { return };
    let client = Client::new(registry.url());
    let served = |tag: &str| client.get_manifest("acme/app", tag).expect("an answer").expecting(200);
    let tar = scratch.path().join("layer.tar");
    images::tar(&tar, "appended", b"one more layer\n");

    let base = format!("{image}:{TAG}");
    crane
        .run(&["append", "--base", &base, "--new_layer", text(&tar), "--new_tag", &format!("{image}:appended")])
        .succeeded();
    crane.run(&["validate", "--remote", &format!("{image}:appended")]).succeeded();
    let (before, after) = (layout.blob(&layout.digest(TAG)), served("appended"));
    let before: serde_json::Value = serde_json::from_slice(&before).expect("a manifest is JSON");
    let layers = |manifest: &serde_json::Value| manifest["layers"].as_array().expect("a manifest has layers").clone();
    let (before, appended) = (layers(&before), layers(&after.json()));
    assert_eq!(appended.len(), before.len() + 1, "{after}");
    assert_eq!(appended[..before.len()], before, "{after}");

    let noted = ["mutate", &base, "--annotation", "org.example.note=kept", "--tag", &format!("{image}:noted")];
    crane.run(&noted).succeeded();
    crane.run(&["validate", "--remote", &format!("{image}:noted")]).succeeded();
    let noted = served("noted");
    assert_eq!(noted.json()["annotations"]["org.example.note"], "kept", "{noted}");

    let members = [format!("{image}:appended"), format!("{image}:noted")];
    let index = format!("{image}:index");
    crane.run(&["index", "append", "-m", &members[0], "-m", &members[1], "--tag", &index]).succeeded();
    crane.run(&["validate", "--remote", &index]).succeeded();
    let index = served("index");
    assert_eq!(index.header("Content-Type"), Some(OCI_INDEX), "{index}");
    let digests: Vec<_> =
        index.json()["manifests"].as_array().expect("children").iter().map(|it| it["digest"].clone()).collect();
    assert_eq!(json!(digests), json!([digest_of(&after.body), digest_of(&noted.body)]), "{index}");
}
