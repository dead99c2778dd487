//! podman and buildah, which need more of a machine than the others: user namespaces or root, and a storage driver.

use tempfile::TempDir;

use crate::support::client::Client;
use crate::support::command::Outcome;
use crate::support::images::{self, TAG};
use crate::support::layout::{Layout, assert_same_image};
use crate::support::registry::Registry;
use crate::support::tool::{Tool, not_on_this_machine, tool};

/// podman or buildah with a storage of its own, removed with it.
pub(crate) struct Engine {
    tool: Tool,
}

impl Engine {
    /// The engine, if it is installed and this machine lets it work.
    pub(crate) fn find(name: &str) -> Option<Self> {
        let engine = Self { tool: tool(name)? };
        let info = engine.run(&["info"]);
        if !info.success() {
            not_on_this_machine(&format!("{name} does not work here: {info}"));
            return None;
        }
        Some(engine)
    }

    #[track_caller]
    pub(crate) fn run(&self, arguments: &[&str]) -> Outcome {
        let (root, runroot) = (self.tool.at_home("storage"), self.tool.at_home("run"));
        let storage = ["--root", &root, "--runroot", &runroot, "--storage-driver", "vfs"];
        self.tool.run(&[&storage, arguments].concat())
    }

    /// Pulls an image and returns the digest that the engine found it to have.
    #[track_caller]
    pub(crate) fn pull(&self, image: &str) -> String {
        let pull = self.run(&["pull", "--tls-verify=false", "--quiet", image]).succeeded();
        let digest = self.run(&["inspect", "--type", "image", "--format", "{{.Digest}}", pull.text()]);
        digest.succeeded().text().to_owned()
    }
}

#[test]
fn podman_pulls_what_skopeo_pushed_and_pushes_it_back() {
    let (Some(podman), Some(skopeo)) = (Engine::find("podman"), tool("skopeo")) else { return };
    let scratch = TempDir::new().expect("create a temporary directory");
    let Some(pushed) = images::tiny(&scratch.path().join("pushed"), "podman") else { return };
    let registry = Registry::start();
    let digest = pushed.digest(TAG);
    let image = format!("{}/acme/app", registry.host());
    let (layout, destination) = (format!("oci:{}", pushed.image(TAG)), format!("docker://{image}:{TAG}"));
    skopeo.run(&["--insecure-policy", "copy", "--dest-tls-verify=false", &layout, &destination]).succeeded();

    assert_eq!(podman.pull(&format!("{image}:{TAG}")), digest);
    podman.run(&["untag", &format!("{image}:{TAG}")]).succeeded();
    let by_digest = format!("{image}@{digest}");
    assert_eq!(podman.pull(&by_digest), digest);

    // podman compresses anew what it has unpacked, so the digest is its own; what runs is the configuration and the unpacked layers.
    let push = ["push", "--tls-verify=false", "--quiet", "--digestfile", &podman.tool.at_home("digest")];
    podman.run(&[&push[..], &[&by_digest, &format!("{image}:back")]].concat()).succeeded();
    let said = std::fs::read_to_string(podman.tool.home().join("digest")).expect("podman writes the digest");
    let client = Client::new(registry.url());
    let back = client.get_manifest("acme/app", "back").expect("an answer").expecting(200);
    assert_eq!(back.header("Docker-Content-Digest"), Some(said.trim()), "{back}");
    let original: serde_json::Value = serde_json::from_slice(&pushed.blob(&digest)).expect("a manifest is JSON");
    assert_eq!(back.json()["config"]["digest"], original["config"]["digest"], "{back}");
    podman.run(&["rmi", "--all", "--force"]).succeeded();
    assert_eq!(podman.pull(&format!("{image}:back")), said.trim());
}

#[test]
fn buildah_pushes_what_it_has_built() {
    let (Some(buildah), Some(skopeo)) = (Engine::find("buildah"), tool("skopeo")) else { return };
    let registry = Registry::start();
    let image = format!("{}/acme/built:{TAG}", registry.host());
    let file = buildah.tool.at_home("contents");
    std::fs::write(&file, "built\n").expect("write a file of an image");
    let container = buildah.run(&["from", "scratch"]).succeeded();
    buildah.run(&["copy", container.text(), &file, "/contents"]).succeeded();
    buildah.run(&["config", "--cmd", "/contents", container.text()]).succeeded();
    buildah.run(&["commit", "--quiet", container.text(), "built"]).succeeded();
    let digest_file = buildah.tool.at_home("digest");
    let push = ["push", "--tls-verify=false", "--quiet", "--digestfile", &digest_file, "built"];
    buildah.run(&[&push[..], &[&format!("docker://{image}")]].concat()).succeeded();
    let said = std::fs::read_to_string(&digest_file).expect("buildah writes the digest");

    // Twice into layouts, by tag and by digest, and both times the very bytes.
    let (by_tag, by_digest) = (Layout::at(skopeo.at_home("tag")), Layout::at(skopeo.at_home("digest")));
    let digest_name = format!("{}/acme/built@{}", registry.host(), said.trim());
    for (source, layout) in [(&image, &by_tag), (&digest_name, &by_digest)] {
        let (source, destination) = (format!("docker://{source}"), format!("oci:{}", layout.image(TAG)));
        skopeo.run(&["--insecure-policy", "copy", "--src-tls-verify=false", &source, &destination]).succeeded();
        assert_eq!(layout.digest(TAG), said.trim());
    }
    assert_same_image(&by_tag, &by_digest, said.trim());
    let container =
        buildah.run(&["from", "--pull-always", "--tls-verify=false", &format!("docker://{image}")]).succeeded();
    let mount = buildah.run(&["mount", container.text()]).succeeded();
    let contents = std::fs::read(format!("{}/contents", mount.text())).expect("the file of the image");
    assert_eq!(contents, b"built\n");
    buildah.run(&["umount", container.text()]).succeeded();
}
