//! Clients that try to change an immutable tag: each is refused at once, says why, and leaves the image as it was.
//!
//! The tag is immutable by the policy that a new registry begins with: its name ends in `-immutable`.

use tempfile::TempDir;

use crate::podman::Engine;
use crate::support::command::Outcome;
use crate::support::images::{self, TAG};
use crate::support::layout::{Layout, assert_same_image};
use crate::support::registry::Registry;
use crate::support::tool::{Tool, tool};

const IMMUTABLE: &str = "v1-immutable";

/// An image under an immutable tag, and another that is to take its place.
struct Sealed {
    registry: Registry,
    scratch: TempDir,
    standing: Layout,
    other: Layout,
}

impl Sealed {
    fn new(crane: &Tool) -> Option<Self> {
        let scratch = TempDir::new().expect("create a temporary directory");
        let standing = images::tiny(&scratch.path().join("standing"), "what stands")?;
        let other = images::tiny(&scratch.path().join("other"), "what comes after")?;
        let sealed = Self { registry: Registry::start(), scratch, standing, other };
        crane.run(&["push", sealed.standing.dir(), &sealed.image()]).succeeded();
        Some(sealed)
    }

    fn image(&self) -> String {
        format!("{}/acme/app:{IMMUTABLE}", self.registry.host())
    }

    /// The client has failed and has told its user what stands in the way, and the image can be pulled as it was pushed.
    #[track_caller]
    fn is_unharmed(&self, crane: &Tool, attempt: Outcome) {
        let told = attempt.failed().to_string();
        let digest = self.standing.digest(TAG);
        for part in ["tag v1-immutable is immutable and stays at", &digest, ".*[-_.]immutable", "retire the policy"] {
            assert!(told.contains(part), "`{part}` is not told: {told}");
        }
        let pulled = Layout::at(self.scratch.path().join("pulled"));
        let _ = std::fs::remove_dir_all(pulled.dir());
        crane.run(&["pull", "--format=oci", &self.image(), pulled.dir()]).succeeded();
        assert_eq!(pulled.digest(IMMUTABLE), digest);
        assert_same_image(&self.standing, &pulled, &digest);
    }
}

#[test]
fn crane_is_refused() {
    let Some(crane) = tool("crane") else { return };
    let Some(sealed) = Sealed::new(&crane) else { return };
    let by_digest = format!("{}/acme/app@{}", sealed.registry.host(), sealed.standing.digest(TAG));
    for arguments in
        [&["push", sealed.other.dir(), &sealed.image()][..], &["delete", &sealed.image()], &["delete", &by_digest]]
    {
        sealed.is_unharmed(&crane, crane.run(arguments));
    }
    // What stands already can be pushed again.
    crane.run(&["push", sealed.standing.dir(), &sealed.image()]).succeeded();
}

#[test]
fn skopeo_is_refused_and_does_not_try_again() {
    let (Some(crane), Some(skopeo)) = (tool("crane"), tool("skopeo")) else { return };
    let Some(sealed) = Sealed::new(&crane) else { return };
    let (from, to) = (format!("oci:{}", sealed.other.image(TAG)), format!("docker://{}", sealed.image()));
    let copy = skopeo.run(&["--insecure-policy", "copy", "--dest-tls-verify=false", &from, &to]);
    let log = sealed.registry.stderr();
    let refused = log.lines().filter(|line| line.contains("method=PUT") && line.contains("status=409")).count();
    assert_eq!(refused, 1, "on any other code than DENIED skopeo tries four times: {copy}\n{log}");
    sealed.is_unharmed(&crane, copy);
    sealed.is_unharmed(&crane, skopeo.run(&["delete", "--tls-verify=false", &to]));
}

#[test]
fn podman_is_refused() {
    let (Some(crane), Some(podman)) = (tool("crane"), Engine::find("podman")) else { return };
    let Some(sealed) = Sealed::new(&crane) else { return };
    let other = format!("{}/acme/app:other", sealed.registry.host());
    crane.run(&["push", sealed.other.dir(), &other]).succeeded();
    podman.pull(&other);
    sealed.is_unharmed(&crane, podman.run(&["push", "--tls-verify=false", &other, &sealed.image()]));
}

#[test]
fn regctl_is_refused_and_leaves_no_dummy_behind() {
    let (Some(crane), Some(regctl)) = (tool("crane"), tool("regctl")) else { return };
    let Some(sealed) = Sealed::new(&crane) else { return };
    regctl.run(&["registry", "set", "--tls", "disabled", sealed.registry.host()]).succeeded();
    // Where a tag cannot be deleted, it pushes a manifest of its own under the tag in order to delete that.
    let deleted = regctl.run(&["tag", "delete", &sealed.image()]);
    sealed.is_unharmed(&crane, deleted);
    let from = format!("ocidir://{}", sealed.other.image(TAG));
    sealed.is_unharmed(&crane, regctl.run(&["image", "copy", &from, &sealed.image()]));
}
