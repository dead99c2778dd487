//! Collection: what nothing refers to goes, after a while, and nothing else.

use std::path::{Path, PathBuf};
use std::time::Duration;

use serde_json::{Value, json};
use tagstone_replay::content::Layout;

use crate::api_collection_races::collected;
use crate::api_purge::{lies_on_disk, purge, push_image};
use crate::as_of::{behind, last};
use crate::case::{case, ok, refused};
use crate::registry::{Registry, run};
use crate::request::{Request, delete, get, head, post};
use crate::samples::{REPO, index, push_blob, push_named, sha256};

const COLLECT: &str = "/api/v1/collect";
const HOUR: Duration = Duration::from_secs(3600);
const DAY: Duration = Duration::from_secs(24 * 3600);

pub(crate) fn collect() -> Request {
    post(COLLECT)
}

/// What a collection has removed: size and kind by digest.
fn removed(report: &Value) -> Vec<(String, u64, String)> {
    let text = |value: &Value| value.as_str().unwrap().to_owned();
    let entries = report["removed"].as_array().unwrap().iter();
    let mut removed: Vec<_> =
        entries.map(|entry| (text(&entry["digest"]), entry["size"].as_u64().unwrap(), text(&entry["kind"]))).collect();
    removed.sort();
    removed
}

fn expected(contents: &[(&[u8], &str)]) -> Vec<(String, u64, String)> {
    let entry = |(bytes, kind): &(&[u8], &str)| (sha256(bytes), bytes.len() as u64, (*kind).to_owned());
    let mut expected: Vec<_> = contents.iter().map(entry).collect();
    expected.sort();
    expected
}

#[test]
fn what_nothing_refers_to_goes_after_the_grace_period() {
    run(async {
        let registry = Registry::with(|settings| settings.content.small_blob_bytes = 4096).await;
        let large = [b"a large blob ".as_slice(), &[9; 9000]].concat();
        let kept = push_image(&registry, REPO, "kept", &[b"base"]).await;
        push_blob(&registry, REPO, "never named").await;
        push_blob(&registry, REPO, large.clone()).await;
        let gone = push_image(&registry, REPO, "", &[b"base", b"own"]).await;
        let (before, _) = last(&registry).await;
        registry
            .check_all([
                case(delete(format!("/v2/{REPO}/manifests/{}", gone.digest)), ok(202)),
                case(get(COLLECT), ok(200).json(json!({"last": null, "running": null}))),
            ])
            .await;
        registry.let_pass(DAY - HOUR);
        let report = registry.check(collect(), ok(200)).await.json();
        assert_eq!(
            (removed(&report), &report["kept_in_grace"], &report["considered"]),
            (vec![], &json!(4), &json!(4)),
            "{report}"
        );
        assert_eq!(report.get("seq"), None, "nothing was recorded");

        registry.let_pass(2 * HOUR);
        let standing = registry.standing();
        let said = registry.check(collect().body(r#"{"dry_run": true}"#), ok(200)).await.json();
        assert_eq!(registry.standing(), standing);
        let report = registry.check(collect(), ok(200)).await.json();
        let going: [(&[u8], &str); 4] =
            [(b"never named", "blob"), (&large, "blob"), (b"own", "blob"), (&gone.bytes, "manifest")];
        for report in [&said, &report] {
            assert_eq!(removed(report), expected(&going), "{report}");
            let freed: usize = going.iter().map(|(bytes, _)| bytes.len()).sum();
            for (field, value) in
                [("removed_count", 4), ("bytes_freed", freed), ("kept_in_grace", 0), ("considered", 4)]
            {
                assert_eq!(report[field], json!(value), "{field}");
            }
        }
        assert_eq!((&said["dry_run"], &report["dry_run"]), (&json!(true), &json!(false)));
        assert_eq!(report["seq"], json!(registry.standing().seq));
        assert_eq!(registry.check(get(COLLECT), ok(200)).await.json()["last"], report);
        for (bytes, _) in going {
            assert!(!lies_on_disk(registry.data(), bytes), "{}", sha256(bytes));
        }
        let collected = |code| refused(404, code, "they were collected");
        registry
            .check_all([
                case(get(format!("/v2/{REPO}/blobs/{}", sha256("never named"))), refused(404, "BLOB_UNKNOWN", "")),
                case(get(behind(before, &format!("blobs/{}", sha256(&large)))), collected("BLOB_UNKNOWN")),
                case(get(behind(before, &format!("manifests/{}", gone.digest))), collected("MANIFEST_UNKNOWN")),
                case(get(format!("/v2/{REPO}/manifests/kept")), ok(200).bytes(kept.bytes.clone())),
                case(get(format!("/v2/{REPO}/blobs/{}", sha256("base"))), ok(200).bytes("base")),
            ])
            .await;
        let removing = report;
        let report = registry.check(collect(), ok(200)).await.json();
        assert_eq!((&report["considered"], &report["removed_count"]), (&json!(0), &json!(0)));
        let told = registry.check(get(COLLECT), ok(200)).await.json();
        assert_eq!((&told["last"], &told["last_removed"]), (&report, &removing), "one that finds nothing hides none");
        drop(registry.records());
    });
}

#[test]
fn what_a_client_was_told_of_is_safe_for_the_grace_period() {
    run(async {
        let registry = Registry::start().await;
        let blob = |repository: &str| format!("/v2/{repository}/blobs/{}", sha256("a blob"));
        type Telling = fn(String) -> Request;
        let tellings: [(&str, Telling, bool); 4] = [
            ("HEAD", |path| head(path), true),
            ("GET", |path| get(path), true),
            (
                "uploaded again",
                |_| post(format!("/v2/{REPO}/blobs/uploads/?digest={}", sha256("a blob"))).body("a blob"),
                true,
            ),
            ("nothing", |_| get("/v2/"), false),
        ];
        for (name, telling, is_safe) in tellings {
            push_blob(&registry, REPO, "a blob").await;
            registry.let_pass(DAY + HOUR);
            assert!(registry.send(telling(blob(REPO))).await.status < 300);
            registry.let_pass(DAY - HOUR);
            let report = registry.check(collect(), ok(200)).await.json();
            let kept = u64::from(is_safe);
            assert_eq!(report["kept_in_grace"], json!(kept), "{name}");
            // Nobody has asked for it since.
            registry.let_pass(2 * HOUR);
            let report = registry.check(collect(), ok(200)).await.json();
            assert_eq!(report["removed_count"], json!(kept), "{name}");
        }
    });
}

/// What a process has told before it was restarted is not known, so that the next one begins the grace period anew.
#[test]
fn a_restart_takes_nothing_from_who_was_told_before() {
    run(async {
        let registry = Registry::start().await;
        push_blob(&registry, REPO, "a blob").await;
        registry.let_pass(2 * DAY);
        let registry = registry.restarted_at_its_time().await;
        let report = registry.check(collect(), ok(200)).await.json();
        assert_eq!((&report["removed_count"], &report["kept_in_grace"]), (&json!(0), &json!(1)));
        registry.let_pass(DAY + HOUR);
        let report = registry.check(collect(), ok(200)).await.json();
        assert_eq!((&report["removed_count"], &report["kept_in_grace"]), (&json!(1), &json!(0)));
    });
}

#[test]
fn without_grace_all_goes_at_once() {
    run(async {
        let registry = Registry::with(|settings| {
            settings.collect.grace = Duration::ZERO;
            settings.collect.untagged = Some(Duration::ZERO);
        })
        .await;
        let tagged = push_image(&registry, REPO, "tagged", &[b"layer"]).await;
        let child = push_image(&registry, REPO, "", &[b"of the child"]).await;
        let whole = index(&[&child]);
        whole.push(&registry, REPO, &whole.digest).await;
        let report = registry.check(collect(), ok(200)).await.json();
        let going: [(&[u8], &str); 3] =
            [(&whole.bytes, "manifest"), (&child.bytes, "manifest"), (b"of the child", "blob")];
        assert_eq!(removed(&report), expected(&going));
        assert_eq!(report["manifests_deleted"], json!(2));
        registry.check(get(format!("/v2/{REPO}/manifests/tagged")), ok(200).bytes(tagged.bytes.clone())).await;
        registry.check(delete(format!("/api/v1/repository/{REPO}")), ok(204)).await;
        let report = registry.check(collect(), ok(200)).await.json();
        assert_eq!(removed(&report), expected(&[(&tagged.bytes, "manifest"), (b"layer", "blob"), (b"{}", "blob")]));
        drop(registry.records());
    });
}

#[test]
fn manifests_that_nothing_holds_go_by_their_age() {
    run(async {
        let registry = Registry::with(|settings| settings.collect.untagged = Some(7 * DAY)).await;
        let tagged = push_named(&registry, REPO, "tagged", "tagged").await;
        let child = push_image(&registry, REPO, "", &[b"child"]).await;
        index(&[&child]).push(&registry, REPO, "multi").await;
        let signature = crate::api_purge::referrer(&tagged, "a signature");
        signature.push(&registry, REPO, &signature.digest).await;
        let moved = push_named(&registry, REPO, "moving", "moved away from").await;
        registry.let_pass(30 * DAY);
        push_named(&registry, REPO, "moving", "moved to").await;
        let deleted = |report: &Value| report["manifests_deleted"].as_u64().unwrap();
        assert_eq!(deleted(&registry.check(collect(), ok(200)).await.json()), 0);
        registry.let_pass(7 * DAY - HOUR);
        assert_eq!(deleted(&registry.check(collect(), ok(200)).await.json()), 0);
        // A client asks for it, and may name it in an index.
        registry.check(head(format!("/v2/{REPO}/manifests/{}", moved.digest)), ok(200)).await;
        registry.let_pass(2 * HOUR);
        assert_eq!(deleted(&registry.check(collect(), ok(200)).await.json()), 0);
        registry.let_pass(DAY);
        assert_eq!(deleted(&registry.check(collect(), ok(200)).await.json()), 1);
        registry
            .check(get(format!("/v2/{REPO}/manifests/{}", moved.digest)), refused(404, "MANIFEST_UNKNOWN", ""))
            .await;
        for digest in [&tagged.digest, &child.digest, &signature.digest] {
            registry.check(get(format!("/v2/{REPO}/manifests/{digest}")), ok(200)).await;
        }
        // What held them goes: the index and the subject.
        for reference in ["multi", "tagged"] {
            let digest = registry.check(head(format!("/v2/{REPO}/manifests/{reference}")), ok(200)).await;
            let digest = digest.header("docker-content-digest").unwrap().to_owned();
            registry.check(delete(format!("/v2/{REPO}/manifests/{digest}")), ok(202)).await;
        }
        registry.let_pass(6 * DAY);
        assert_eq!(deleted(&registry.check(collect(), ok(200)).await.json()), 0);
        registry.let_pass(2 * DAY);
        assert_eq!(deleted(&registry.check(collect(), ok(200)).await.json()), 2);
        drop(registry.records());
    });
}

fn copied(from: &Path, to: &Path) {
    std::fs::create_dir_all(to).unwrap();
    for entry in std::fs::read_dir(from).unwrap() {
        let (path, target) = entry.map(|entry| (entry.path(), to.join(entry.file_name()))).unwrap();
        if path.is_dir() {
            copied(&path, &target);
        } else {
            std::fs::copy(&path, &target).unwrap();
        }
    }
}

/// As if the process had died between the record and the removal: the bytes lie there as before.
#[test]
fn a_removal_that_a_crash_has_cut_off_is_finished_at_the_next_start() {
    run(async {
        for by_purge in [true, false] {
            let registry = Registry::with(|settings| settings.content.small_blob_bytes = 4096).await;
            let large = [b"the secret of the large layer ".as_slice(), &[7; 9000]].concat();
            let leaked = push_image(&registry, REPO, "leaked", &[b"the secret of the small layer", &large]).await;
            let good = push_image(&registry, REPO, "good", &[b"good"]).await;
            let saved = tempfile::tempdir().unwrap();
            let places = |root: &Path| [Layout::new(root).segments(), Layout::new(root).blobs()];
            for (from, to) in places(registry.data()).iter().zip(places(saved.path())) {
                copied(from, &to);
            }
            if by_purge {
                registry.check(purge("leaked"), ok(200)).await;
            } else {
                registry.check(delete(format!("/v2/{REPO}/manifests/{}", leaked.digest)), ok(202)).await;
                registry.let_pass(2 * DAY);
                let report = registry.check(collect(), ok(200)).await.json();
                assert_eq!(report["removed_count"], json!(3));
            }
            let registry = registry
                .restarted_after(|layout| {
                    for (from, to) in places(saved.path()).iter().zip(places(layout.root())) {
                        std::fs::remove_dir_all(&to).unwrap();
                        copied(from, &to);
                    }
                })
                .await;
            assert!(lies_on_disk(registry.data(), b"the secret of the"));
            // It waits for history, which says what was removed.
            for attempt in 0.. {
                if registry.collector().finish_removals().unwrap() {
                    break;
                }
                assert!(attempt < 500, "history never comes up");
                actix_web::rt::time::sleep(Duration::from_millis(10)).await;
            }
            assert!(
                !lies_on_disk(registry.data(), b"the secret of the") && !lies_on_disk(registry.data(), &leaked.bytes)
            );
            registry.check(get(format!("/v2/{REPO}/manifests/good")), ok(200).bytes(good.bytes.clone())).await;
            registry.check(get(format!("/v2/{REPO}/blobs/{}", sha256("good"))), ok(200).bytes("good")).await;
        }
    });
}

#[test]
fn what_a_push_has_left_that_came_to_no_end_goes_after_the_grace_period() {
    run(async {
        let registry = Registry::start().await;
        push_image(&registry, REPO, "good", &[b"good"]).await;
        let left = b"bytes without a record";
        let registry = registry
            .restarted_after(|layout| {
                let path: PathBuf = layout.blob(&sha256(left).parse().unwrap());
                std::fs::write(path, left).unwrap();
            })
            .await;
        while !registry.collector().finish_removals().unwrap() {
            actix_web::rt::time::sleep(Duration::from_millis(10)).await;
        }
        let report = registry.check(collect(), ok(200)).await.json();
        assert_eq!((&report["removed_count"], &report["kept_in_grace"]), (&json!(0), &json!(1)));
        registry.let_pass(DAY + HOUR);
        let report = collected(&registry).await;
        assert_eq!((report.removed.count, report.kept_in_grace), (1, 0));
        assert!(!lies_on_disk(registry.data(), left));
        drop(registry.records());
    });
}

#[test]
fn what_is_no_collection() {
    run(async {
        let registry = Registry::start().await;
        let invalid = |says: &'static str| refused(400, "invalid_request", says);
        registry
            .check_all([
                case(collect().body(r#"{"dry_run": 1}"#), invalid("dry_run")),
                case(collect().body(r#"{"grace": "0s"}"#), invalid("grace")),
                case(delete(COLLECT), refused(405, "method_not_allowed", "").header("allow", "GET, HEAD, POST")),
                case(collect(), ok(200)),
            ])
            .await;
    });
}
