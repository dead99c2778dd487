//! The past whose bytes lie there still although a record says that they are gone.

use std::path::Path;

use crate::api_purge::{purge, push_image};
use crate::as_of::{behind, last};
use crate::case::{case, ok, refused};
use crate::registry::{Registry, run};
use crate::request::{get, head};
use crate::samples::{REPO, sha256};

fn copy(from: &Path, to: &Path) {
    std::fs::create_dir_all(to).unwrap();
    for entry in std::fs::read_dir(from).unwrap() {
        let path = entry.unwrap().path();
        let copied = to.join(path.file_name().unwrap());
        if path.is_dir() {
            copy(&path, &copied);
        } else {
            std::fs::copy(&path, &copied).unwrap();
        }
    }
}

/// As when the process dies between the record and the removal, or the disk refuses it.
#[test]
fn what_was_recorded_as_purged_is_given_to_nobody() {
    run(async {
        let registry = Registry::with(|settings| settings.content.small_blob_bytes = 4096).await;
        let large = [b"the secret of the large layer ".as_slice(), &[7; 9000]].concat();
        let leaked = push_image(&registry, REPO, "debug", &[b"the secret", &large]).await;
        let (before, _) = last(&registry).await;
        let saved = tempfile::tempdir().unwrap();
        for part in ["segments", "blobs"] {
            copy(&registry.data().join(part), &saved.path().join(part));
        }
        registry.check(purge("debug"), ok(200)).await;
        let registry = registry
            .restarted_after(|layout| {
                for part in ["segments", "blobs"] {
                    std::fs::remove_dir_all(layout.root().join(part)).unwrap();
                    copy(&saved.path().join(part), &layout.root().join(part));
                }
            })
            .await;
        let mut cases = Vec::new();
        for bytes in [b"the secret".as_slice(), &large] {
            let path = behind(before, &format!("blobs/{}", sha256(bytes)));
            cases.push(case(get(&*path), refused(404, "BLOB_UNKNOWN", "they were purged")));
            cases.push(case(head(&*path), refused(404, "BLOB_UNKNOWN", "")));
            let part = get(&*path).with("range", "bytes=0-3");
            cases.push(case(part, refused(404, "BLOB_UNKNOWN", "they were purged")));
        }
        for reference in ["debug", &leaked.digest] {
            let path = behind(before, &format!("manifests/{reference}"));
            cases.push(case(get(&*path), refused(404, "MANIFEST_UNKNOWN", "they were purged")));
            cases.push(case(head(&*path), refused(404, "MANIFEST_UNKNOWN", "")));
        }
        registry.check_all(cases).await;
        // Whoever pushes it again shows it again.
        push_image(&registry, "acme/other", "again", &[b"the secret", &large]).await;
        registry
            .check_all([
                case(get(behind(before, "manifests/debug")), ok(200).bytes(leaked.bytes)),
                case(get(behind(before, &format!("blobs/{}", sha256(&large)))), ok(200).bytes(large)),
            ])
            .await;
    });
}
