//! cosign: an image under an immutable tag can be signed and attested, again and again, by both schemes.

use tempfile::TempDir;

use crate::support::client::Client;
use crate::support::images::{self, TAG};
use crate::support::registry::Registry;
use crate::support::tool::{Tool, tool};

const NO_TLS: [&str; 2] = ["--allow-http-registry", "--allow-insecure-registry"];

struct Signer {
    cosign: Tool,
    image: String,
}

impl Signer {
    fn new(cosign: Tool, image: String) -> Self {
        cosign.run_at_home(&["generate-key-pair"]).succeeded();
        Self { cosign, image }
    }

    /// A subcommand that adds something to the image.
    #[track_caller]
    fn add(&self, what: &[&str]) {
        let signed = ["--yes", "--key", "cosign.key", "--tlog-upload=false"];
        self.cosign.run_at_home(&[what, &signed, &NO_TLS, &[&self.image]].concat()).succeeded();
    }

    #[track_caller]
    fn verify(&self, what: &[&str]) {
        let key = ["--key", "cosign.pub", "--insecure-ignore-tlog"];
        self.cosign.run_at_home(&[what, &key, &NO_TLS, &[&self.image]].concat()).succeeded();
    }
}

#[test]
fn an_immutable_image_is_signed_by_tags_and_by_referrers() {
    let (Some(cosign), Some(crane)) = (tool("cosign"), tool("crane")) else { return };
    let scratch = TempDir::new().expect("create a temporary directory");
    let Some(layout) = images::tiny(&scratch.path().join("pushed"), "cosign") else { return };
    let registry = Registry::start();
    let (repository, digest) = (format!("{}/acme/app", registry.host()), layout.digest(TAG));
    crane.run(&["push", layout.dir(), &format!("{repository}:v1-immutable")]).succeeded();
    let signer = Signer::new(cosign, format!("{repository}@{digest}"));
    std::fs::write(signer.cosign.at_home("predicate"), b"{}").expect("write a predicate");

    // The second signature moves the tag of the first.
    signer.add(&["sign"]);
    signer.add(&["sign", "--annotations", "again=1"]);
    signer.add(&["attest", "--predicate", "predicate", "--type", "custom"]);
    signer.verify(&["verify"]);
    signer.verify(&["verify-attestation", "--type", "custom"]);
    let client = Client::new(registry.url());
    let hex = digest.trim_start_matches("sha256:");
    let tags = client.tags("acme/app").expect("an answer");
    assert_eq!(tags, [format!("sha256-{hex}.att"), format!("sha256-{hex}.sig"), "v1-immutable".to_owned()]);

    let referrers = || {
        let index = client.get(&format!("/v2/acme/app/referrers/{digest}")).expect("an answer").expecting(200);
        index.json()["manifests"].as_array().expect("a list").len()
    };
    let before = referrers();
    let by_referrers = signer.cosign.with_env("COSIGN_EXPERIMENTAL", "1");
    let signer = Signer { cosign: by_referrers, ..signer };
    signer.add(&["sign", "--registry-referrers-mode=oci-1-1"]);
    assert_eq!(referrers(), before + 1);
    signer.verify(&["verify", "--experimental-oci11"]);
}
