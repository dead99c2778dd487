//! OCI image layouts on disk, read with nothing of ours: what clients push from and pull into.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use serde_json::{Value, json};

use super::client::digest_of;
use super::tool::text;

pub(crate) const OCI_INDEX: &str = "application/vnd.oci.image.index.v1+json";
pub(crate) const OCI_MANIFEST: &str = "application/vnd.oci.image.manifest.v1+json";

/// The annotation by which a layout names its images.
const REF_NAME: &str = "org.opencontainers.image.ref.name";

/// A directory with `oci-layout`, `index.json` and `blobs/`.
#[derive(Clone)]
pub(crate) struct Layout {
    dir: PathBuf,
}

impl Layout {
    pub(crate) fn at(dir: impl Into<PathBuf>) -> Self {
        Self { dir: dir.into() }
    }

    pub(crate) fn dir(&self) -> &str {
        text(&self.dir)
    }

    /// `DIR:TAG`, as skopeo and umoci name an image of a layout.
    pub(crate) fn image(&self, tag: &str) -> String {
        format!("{}:{tag}", self.dir())
    }

    /// The digest of the manifest under `tag`, or of the only manifest if it has no name.
    #[track_caller]
    pub(crate) fn digest(&self, tag: &str) -> String {
        let index = self.index();
        let manifests = index["manifests"].as_array().expect("index.json has manifests");
        let named = manifests.iter().find(|manifest| manifest["annotations"][REF_NAME] == tag);
        let only = (manifests.len() == 1).then(|| &manifests[0]);
        let manifest = named.or(only).unwrap_or_else(|| panic!("{} has no image {tag}: {index}", self.dir()));
        manifest["digest"].as_str().expect("a descriptor has a digest").to_owned()
    }

    /// The bytes of one blob, which are checked against their digest.
    #[track_caller]
    pub(crate) fn blob(&self, digest: &str) -> Vec<u8> {
        let at = self.blob_path(digest);
        let bytes = fs::read(&at).unwrap_or_else(|error| panic!("{}: {error}", at.display()));
        assert_eq!(digest_of(&bytes), digest, "{} does not have the bytes that its name says", at.display());
        bytes
    }

    /// Where the bytes of one blob are.
    pub(crate) fn blob_path(&self, digest: &str) -> PathBuf {
        self.dir.join("blobs").join(digest.replace(':', "/"))
    }

    /// Every digest that a manifest or index reaches, itself included.
    #[track_caller]
    pub(crate) fn reach(&self, digest: &str) -> BTreeSet<String> {
        let manifest: Value = serde_json::from_slice(&self.blob(digest)).expect("a manifest is JSON");
        let mut reached = BTreeSet::from([digest.to_owned()]);
        for child in manifest["manifests"].as_array().into_iter().flatten() {
            reached.extend(self.reach(child["digest"].as_str().expect("a child has a digest")));
        }
        let layers = manifest["layers"].as_array().into_iter().flatten();
        for descriptor in layers.chain(manifest.get("config")) {
            reached.insert(descriptor["digest"].as_str().expect("a descriptor has a digest").to_owned());
        }
        reached
    }

    /// Puts an index of some images of this layout into it, under a tag, and returns its digest.
    pub(crate) fn join(&self, tag: &str, members: &[(&str, &str)]) -> String {
        let children: Vec<Value> = members
            .iter()
            .map(|(member, architecture)| {
                let digest = self.digest(member);
                json!({"mediaType": OCI_MANIFEST, "digest": digest, "size": self.blob(&digest).len(),
                       "platform": {"os": "linux", "architecture": architecture}})
            })
            .collect();
        let bytes = json!({"schemaVersion": 2, "mediaType": OCI_INDEX, "manifests": children}).to_string();
        let digest = digest_of(bytes.as_bytes());
        fs::write(self.blob_path(&digest), &bytes).expect("write an index into a layout");
        let mut index = self.index();
        index["manifests"].as_array_mut().expect("index.json has manifests").push(json!({
            "mediaType": OCI_INDEX, "digest": digest, "size": bytes.len(), "annotations": {REF_NAME: tag}}));
        fs::write(self.dir.join("index.json"), index.to_string()).expect("write index.json");
        digest
    }

    fn index(&self) -> Value {
        let at = self.dir.join("index.json");
        let bytes = fs::read(&at).unwrap_or_else(|error| panic!("{}: {error}", at.display()));
        serde_json::from_slice(&bytes).expect("index.json is JSON")
    }
}

/// Everything that `digest` reaches in `pushed` is in `pulled` too, byte for byte.
#[track_caller]
pub(crate) fn assert_same_image(pushed: &Layout, pulled: &Layout, digest: &str) {
    for blob in pushed.reach(digest) {
        assert!(
            pushed.blob(&blob) == pulled.blob(&blob),
            "{blob} differs between {} and {}",
            pushed.dir(),
            pulled.dir()
        );
    }
}

/// Everything that `digest` reaches in `pushed` is a file of the directory `pulled` (skopeo's `dir:`), byte for byte.
#[track_caller]
pub(crate) fn assert_same_directory(pushed: &Layout, pulled: &Path, digest: &str) {
    for blob in pushed.reach(digest) {
        let name = if blob == digest { "manifest.json" } else { blob.trim_start_matches("sha256:") };
        let bytes =
            fs::read(pulled.join(name)).unwrap_or_else(|error| panic!("{name} in {}: {error}", pulled.display()));
        assert!(pushed.blob(&blob) == bytes, "{blob} differs between {} and {}", pushed.dir(), pulled.display());
    }
}
