//! regctl: copies, tags, single blobs, and artifacts that refer to an image.

use tempfile::TempDir;

use crate::support::client::{Client, digest_of};
use crate::support::images::{self, TAG};
use crate::support::layout::{Layout, OCI_INDEX, assert_same_image};
use crate::support::registry::Registry;
use crate::support::tool::{Tool, text, tool};

/// Copies a tiny image to `acme/app:v1` of a new registry that regctl knows to be without TLS.
fn pushed(regctl: &Tool, scratch: &TempDir) -> Option<(Registry, Layout, String)> {
    let layout = images::tiny(&scratch.path().join("pushed"), "regctl")?;
    let registry = Registry::start();
    regctl.run(&["registry", "set", "--tls", "disabled", registry.host()]).succeeded();
    let image = format!("{}/acme/app", registry.host());
    regctl.run(&["image", "copy", &format!("ocidir://{}", layout.image(TAG)), &format!("{image}:{TAG}")]).succeeded();
    Some((registry, layout, image))
}

#[test]
fn an_image_comes_back_as_it_was_pushed() {
    let Some(regctl) = tool("regctl") else { return };
    let scratch = TempDir::new().expect("create a temporary directory");
    let Some((registry, layout, image)) = pushed(&regctl, &scratch) else { return };
    let digest = layout.digest(TAG);

    let head = regctl.run(&["manifest", "head", &format!("{image}:{TAG}")]).succeeded();
    assert_eq!(head.text(), digest, "{head}");
    let body = regctl.run(&["manifest", "get", "--format", "raw-body", &format!("{image}:{TAG}")]).succeeded();
    assert_eq!(digest_of(body.stdout()), digest, "the manifest's bytes: {body}");
    for blob in layout.reach(&digest).into_iter().filter(|blob| *blob != digest) {
        let got = regctl.run(&["blob", "get", &image, &blob]).succeeded();
        assert!(got.stdout() == layout.blob(&blob), "blob {blob} differs from what was pushed");
    }
    let pulled = Layout::at(scratch.path().join("pulled"));
    regctl.run(&["image", "copy", &format!("{image}:{TAG}"), &format!("ocidir://{}", pulled.image(TAG))]).succeeded();
    assert_eq!(pulled.digest(TAG), digest);
    assert_same_image(&layout, &pulled, &digest);

    // Within one registry regctl mounts the blobs.
    let copy = format!("{}/mirror/app:copied", registry.host());
    regctl.run(&["image", "copy", &format!("{image}:{TAG}"), &copy]).succeeded();
    let copied = Layout::at(scratch.path().join("copied"));
    regctl.run(&["image", "copy", &copy, &format!("ocidir://{}", copied.image(TAG))]).succeeded();
    assert_same_image(&layout, &copied, &digest);
}

#[test]
fn a_tag_is_deleted_alone() {
    let Some(regctl) = tool("regctl") else { return };
    let scratch = TempDir::new().expect("create a temporary directory");
    let Some((_registry, layout, image)) = pushed(&regctl, &scratch) else { return };
    regctl.run(&["image", "copy", &format!("{image}:{TAG}"), &format!("{image}:other")]).succeeded();
    let tags = regctl.run(&["tag", "ls", &image]).succeeded();
    assert_eq!(tags.text(), "other\nv1", "{tags}");

    regctl.run(&["tag", "delete", &format!("{image}:other")]).succeeded();
    let tags = regctl.run(&["tag", "ls", &image]).succeeded();
    assert_eq!(tags.text(), TAG, "{tags}");
    let head = regctl.run(&["manifest", "head", &format!("{image}:{TAG}")]).succeeded();
    assert_eq!(head.text(), layout.digest(TAG), "{head}");
}

#[test]
fn an_artifact_is_listed_with_its_subject_until_it_is_deleted() {
    const KIND: &str = "application/vnd.example.sbom";
    let Some(regctl) = tool("regctl") else { return };
    let scratch = TempDir::new().expect("create a temporary directory");
    let Some((registry, layout, image)) = pushed(&regctl, &scratch) else { return };
    let subject = layout.digest(TAG);
    let (file, contents) = (scratch.path().join("sbom.json"), b"{\"packages\": []}\n");
    std::fs::write(&file, contents).expect("write an artifact");
    for kind in [KIND, "application/vnd.example.signature"] {
        let image = format!("{image}:{TAG}");
        regctl
            .run(&["artifact", "put", "--artifact-type", kind, "--subject", &image, "--file", text(&file)])
            .succeeded();
    }

    let every =
        regctl.run(&["artifact", "list", &format!("{image}:{TAG}"), "--format", "{{json .Descriptors}}"]).succeeded();
    assert_eq!(every.json().as_array().map(Vec::len), Some(2), "{every}");
    let chosen = ["artifact", "list", &format!("{image}:{TAG}"), "--filter-artifact-type", KIND, "--format"];
    let listed = regctl.run(&[&chosen[..], &["{{json .Descriptors}}"]].concat()).succeeded();
    assert_eq!(listed.json().as_array().map(Vec::len), Some(1), "{listed}");
    assert_eq!(listed.json()[0]["artifactType"], KIND, "{listed}");
    let artifact = listed.json()[0]["digest"].as_str().expect("a descriptor has a digest").to_owned();
    let got = regctl.run(&["artifact", "get", &format!("{image}@{artifact}")]).succeeded();
    assert!(got.stdout() == contents, "the artifact's bytes: {got}");
    // The registry keeps the list itself; a client's fallback would be a tag made of the subject's digest.
    let client = Client::new(registry.url());
    let referrers = client.get(&format!("/v2/acme/app/referrers/{subject}")).expect("an answer").expecting(200);
    assert_eq!(referrers.header("Content-Type"), Some(OCI_INDEX), "{referrers}");
    assert_eq!(referrers.json()["manifests"].as_array().map(Vec::len), Some(2), "{referrers}");
    let tags = regctl.run(&["tag", "ls", &image]).succeeded();
    assert_eq!(tags.text(), TAG, "{tags}");

    regctl.run(&["manifest", "delete", &format!("{image}@{artifact}")]).succeeded();
    let listed = regctl.run(&[&chosen[..], &["{{json .Descriptors}}"]].concat()).succeeded();
    assert!(!listed.text().contains(&artifact), "{listed}");
    let left =
        regctl.run(&["artifact", "list", &format!("{image}:{TAG}"), "--format", "{{json .Descriptors}}"]).succeeded();
    assert_eq!(left.json().as_array().map(Vec::len), Some(1), "{left}");
}

#[test]
fn referrers_are_copied_with_their_image() {
    let Some(regctl) = tool("regctl") else { return };
    let scratch = TempDir::new().expect("create a temporary directory");
    let Some((registry, layout, image)) = pushed(&regctl, &scratch) else { return };
    let file = scratch.path().join("note.txt");
    std::fs::write(&file, "signed\n").expect("write an artifact");
    let (kind, subject) = ("application/vnd.example.note", format!("{image}:{TAG}"));
    regctl.run(&["artifact", "put", "--artifact-type", kind, "--subject", &subject, "--file", text(&file)]).succeeded();

    let copy = format!("{}/mirror/app:{TAG}", registry.host());
    regctl.run(&["image", "copy", "--referrers", &subject, &copy]).succeeded();
    let client = Client::new(registry.url());
    let referrers = |repository: &str| {
        let at = format!("/v2/{repository}/referrers/{}", layout.digest(TAG));
        client.get(&at).expect("an answer").expecting(200).json()["manifests"].clone()
    };
    assert_eq!(referrers("acme/app").as_array().map(Vec::len), Some(1), "{}", referrers("acme/app"));
    assert_eq!(referrers("mirror/app"), referrers("acme/app"));
}
