//! The past by pull: whatever client, it pulls what a tag was, after the tag was moved and after the repository was deleted.

use tempfile::TempDir;
use ureq::http::Method;

use crate::podman::Engine;
use crate::support::client::Client;
use crate::support::images::{self, TAG};
use crate::support::layout::{Layout, assert_same_directory, assert_same_image};
use crate::support::registry::Registry;
use crate::support::tool::{Tool, tool};

/// A registry in which `acme/app:v1` was two images, one after the other, and is no more.
struct Moved {
    registry: Registry,
    _scratch: TempDir,
    /// Each image with the record behind which the tag pointed at it.
    images: Vec<(Layout, u64)>,
    first_pushed: String,
}

impl Moved {
    fn new(skopeo: &Tool) -> Option<Self> {
        let scratch = TempDir::new().expect("create a temporary directory");
        let registry = Registry::start();
        let client = Client::new(registry.url());
        let (mut images, mut first_pushed) = (Vec::new(), String::new());
        for says in ["first", "second"] {
            let layout = match says {
                "first" => images::tiny(&scratch.path().join(says), says)?,
                _ => images::multi_arch(&scratch.path().join(says), says)?,
            };
            let image = format!("docker://{}/acme/app:{TAG}", registry.host());
            let copy = ["--insecure-policy", "copy", "--all", "--dest-tls-verify=false"];
            skopeo.run(&[&copy[..], &[&format!("oci:{}", layout.image(TAG)), &image]].concat()).succeeded();
            let head = client.get("/api/v1/log/head").expect("an answer").expecting(200).json();
            images.push((layout, head["seq"].as_u64().expect("a seq")));
            if first_pushed.is_empty() {
                first_pushed = head["time"].as_str().expect("a time").to_owned();
            }
        }
        let deleted = client.send(Method::DELETE, "/api/v1/repository/acme/app", &[], b"");
        deleted.expect("an answer").expecting(204);
        client.get_manifest("acme/app", TAG).expect("an answer").expecting(404);
        Some(Self { registry, _scratch: scratch, images, first_pushed })
    }

    /// The names by which an image is pulled, with the image and its digest: by tag and by digest.
    fn names(&self) -> Vec<(String, &Layout, String)> {
        let mut names = Vec::new();
        for (layout, seq) in &self.images {
            let (repository, digest) =
                (format!("{}/as-of/seq-{seq}/acme/app", self.registry.host()), layout.digest(TAG));
            names.push((format!("{repository}:{TAG}"), layout, digest.clone()));
            names.push((format!("{repository}@{digest}"), layout, digest));
        }
        names
    }
}

#[test]
fn skopeo_pulls_the_past() {
    let Some(skopeo) = tool("skopeo") else { return };
    let Some(moved) = Moved::new(&skopeo) else { return };
    for (number, (name, layout, digest)) in moved.names().into_iter().enumerate() {
        let inspected =
            skopeo.run(&["inspect", "--raw", "--tls-verify=false", &format!("docker://{name}")]).succeeded();
        assert!(inspected.stdout() == layout.blob(&digest), "the manifest's bytes: {inspected}");
        let pulled = Layout::at(skopeo.home().join(format!("pulled-{number}")));
        let copy = ["--insecure-policy", "copy", "--all", "--src-tls-verify=false", &format!("docker://{name}")];
        skopeo.run(&[&copy[..], &[&format!("oci:{}", pulled.image(TAG))]].concat()).succeeded();
        assert_eq!(pulled.digest(TAG), digest, "{name}");
        assert_same_image(layout, &pulled, &digest);
    }
    let seq = moved.images[0].1;
    let repository = format!("docker://{}/as-of/seq-{seq}/acme/app", moved.registry.host());
    let tags = skopeo.run(&["list-tags", "--tls-verify=false", &repository]).succeeded();
    assert_eq!(tags.json()["Tags"], serde_json::json!([TAG]), "{tags}");
    // A copy within the registry brings it back, without a byte that travels: what is mounted comes from elsewhere, never from the past.
    let (name, layout, digest) = moved.names().remove(0);
    let back = format!("docker://{}/acme/back:{TAG}", moved.registry.host());
    let copy = ["--insecure-policy", "copy", "--src-tls-verify=false", "--dest-tls-verify=false"];
    skopeo.run(&[&copy[..], &[&format!("docker://{name}"), &back]].concat()).succeeded();
    let directory = skopeo.home().join("back");
    skopeo.run(&[&copy[..], &[&back, &format!("dir:{}", directory.display())]].concat()).succeeded();
    assert_same_directory(layout, &directory, &digest);
    // Nothing is written there, and the client says why.
    let into = format!("docker://{}/as-of/seq-{seq}/acme/app:new", moved.registry.host());
    let refused = skopeo.run(&[&copy[..], &[&back, &into]].concat()).failed();
    assert!(refused.stderr().contains("cannot be changed"), "{refused}");
    let gone = format!("docker://{}/as-of/20010101t000000z/acme/app:{TAG}", moved.registry.host());
    let refused = skopeo.run(&["inspect", "--tls-verify=false", &gone]).failed();
    assert!(refused.stderr().contains("from record 1 at"), "{refused}");
}

#[test]
fn crane_pulls_the_past() {
    let (Some(crane), Some(skopeo)) = (tool("crane"), tool("skopeo")) else { return };
    let Some(moved) = Moved::new(&skopeo) else { return };
    for (name, layout, digest) in moved.names() {
        let asked = crane.run(&["digest", &name]).succeeded();
        assert_eq!(asked.text(), digest, "{asked}");
        let manifest = crane.run(&["manifest", &name]).succeeded();
        assert!(manifest.stdout() == layout.blob(&digest), "the manifest's bytes: {manifest}");
        crane.run(&["validate", "--remote", &name]).succeeded();
    }
    let seq = moved.images[1].1;
    let tags = crane.run(&["ls", &format!("{}/as-of/seq-{seq}/acme/app", moved.registry.host())]).succeeded();
    assert_eq!(tags.text(), TAG, "{tags}");
    let catalog = crane.run(&["catalog", moved.registry.host()]).succeeded();
    assert_eq!(catalog.text(), "", "{catalog}");
    let refused = crane.run(&["tag", &moved.names()[0].0, "new"]).failed();
    assert!(refused.stderr().contains("shows the past"), "{refused}");
}

#[test]
fn regctl_pulls_the_past() {
    let (Some(regctl), Some(skopeo)) = (tool("regctl"), tool("skopeo")) else { return };
    let Some(moved) = Moved::new(&skopeo) else { return };
    regctl.run(&["registry", "set", "--tls", "disabled", moved.registry.host()]).succeeded();
    for (number, (name, layout, digest)) in moved.names().into_iter().enumerate() {
        let head = regctl.run(&["manifest", "head", &name]).succeeded();
        assert_eq!(head.text(), digest, "{head}");
        let pulled = Layout::at(regctl.home().join(format!("pulled-{number}")));
        regctl.run(&["image", "copy", &name, &format!("ocidir://{}", pulled.image(TAG))]).succeeded();
        assert_eq!(pulled.digest(TAG), digest, "{name}");
        assert_same_image(layout, &pulled, &digest);
    }
}

#[test]
fn podman_pulls_the_past() {
    let (Some(podman), Some(skopeo)) = (Engine::find("podman"), tool("skopeo")) else { return };
    let Some(moved) = Moved::new(&skopeo) else { return };
    for (name, ..) in moved.names() {
        // Of an index podman names the image that it chose, or the index itself; that it is pulled at all is what counts there.
        let pulled = podman.pull(&name);
        assert!(pulled.starts_with("sha256:"), "{name}: {pulled}");
    }
    let (name, _, digest) = moved.names().remove(0);
    assert_eq!(podman.pull(&name), digest);
}

/// The draft's history of a tag tells a client which points there are.
#[test]
fn the_history_of_a_tag_leads_to_its_past() {
    let Some(skopeo) = tool("skopeo") else { return };
    let Some(moved) = Moved::new(&skopeo) else { return };
    let client = Client::new(moved.registry.url());
    let history = client.get(&format!("/v2/acme/app/_oci/tag-history/{TAG}")).expect("an answer").expecting(200);
    let entries = history.json()["manifests"].as_array().expect("a list").clone();
    let digests: Vec<_> = entries.iter().map(|entry| entry["digest"].as_str().expect("a digest").to_owned()).collect();
    let [first, second] = [0, 1].map(|number: usize| moved.images[number].0.digest(TAG));
    assert_eq!(digests, [second.clone(), second, first], "{history}");
    let mut times = entries.iter().map(|entry| &entry["annotations"]["org.opencontainers.distribution.tag.timestamp"]);
    assert_eq!(times.next_back().and_then(|time| time.as_str()), Some(&*moved.first_pushed), "{history}");
}
