//! A sound data directory: what is reported, and that nothing is written.

use serde_json::json;
use tagstone_replay::content::Layout;
use tagstone_replay::fold::snapshot;
use tagstone_replay::log::directory::DirectoryLock;
use tagstone_schema::{Event, Head, Timestamp};

use crate::command::{replay, state, verify};
use crate::directory::{
    BEGIN, SECOND, append, blob, digest, evidence, expiry, folded, history, manifest, moved, records, sound, started,
};

#[test]
fn a_sound_log_holds() {
    let (directory, records) = sound();
    let run = verify(directory.path(), &[]);
    assert_eq!(run.code, 0, "{run:?}");
    let head = records.last().unwrap().head();
    let events: usize = history().iter().map(Vec::len).sum();
    let expected = json!({
        "ok": true,
        "records": records.len(),
        "events": events,
        "head": {"seq": head.seq, "hash": head.hash.to_string()},
        "fingerprint": folded(&records).fingerprint().to_string(),
        "problems": [],
    });
    assert_eq!(run.json(), expected);
    assert_eq!(run.err, "");
    let line = replay(["--format", "ndjson", "verify", directory.path().to_str().unwrap()]);
    assert_eq!((line.out.lines().count(), line.json()), (1, expected));
}

#[test]
fn an_expected_head_is_looked_for() {
    let (directory, records) = sound();
    for record in &records {
        let run = verify(directory.path(), &["--expect", &record.head().to_string()]);
        assert_eq!(run.code, 0, "{run:?}");
    }
    let other = format!("3:{}", records[3].head().hash);
    let beyond = format!("10:{}", records[3].head().hash);
    for (expect, seq, what) in [(other, 3, "it has the hash"), (beyond, 10, "does not reach")] {
        let run = verify(directory.path(), &["--expect", &expect]);
        assert_eq!((run.code, run.bad_seqs()), (1, vec![seq]), "{run:?}");
        assert!(run.problems().contains(what), "{run:?}");
    }
}

#[test]
fn nothing_is_written_to_the_source() {
    let (directory, _) = sound();
    let before = evidence(directory.path());
    for arguments in [&["verify"][..], &["verify", "--blobs"], &["state"], &["state", "--at", "3"]] {
        let run = replay(arguments.iter().copied().chain([directory.path().to_str().unwrap()]));
        assert!(run.code < 2, "{run:?}");
    }
    assert_eq!(evidence(directory.path()), before);
}

#[test]
fn a_directory_in_use_is_refused_and_the_holder_named() {
    let (directory, _) = sound();
    let lock = DirectoryLock::take(&Layout::new(directory.path()).lock()).unwrap();
    for run in [verify(directory.path(), &[]), state(directory.path(), &[])] {
        assert_eq!((run.code, run.out.as_str()), (2, ""), "{run:?}");
        assert!(run.err.contains(&format!("in use by process {}", std::process::id())), "{run:?}");
        assert!(run.err.contains("is read by its URL"), "{run:?}");
    }
    drop(lock);
    assert_eq!(verify(directory.path(), &[]).code, 0);
}

#[test]
fn the_state_is_shown_as_it_stands() {
    let (directory, records) = sound();
    let run = state(directory.path(), &[]);
    assert_eq!(run.code, 0, "{run:?}");
    let report = run.json();
    let head = records.last().unwrap().head();
    assert_eq!(report["head"], json!({"seq": head.seq, "hash": head.hash.to_string()}));
    assert_eq!(report["time"], head.time.to_string());
    assert_eq!(report["fingerprint"], folded(&records).fingerprint().to_string());
    let app = json!({
        "name": "acme/app",
        "tags": [{
            "name": "latest", "digest": digest("two"), "since": "2026-01-01T00:00:05.000000Z", "seq": 6,
            "immutable": false, "expires": "2026-01-01T00:01:00.000000Z",
        }],
        "manifests": manifests(&[("one", 4, &["config", "layer"]), ("two", 6, &["config"])]),
        "blobs": sorted(vec![
            json!({"digest": digest("config"), "size": 6}), json!({"digest": digest("layer"), "size": 5})
        ]),
    });
    assert_eq!(report["repositories"], json!([app]));
    let spent = json!({
        "repository": "lib", "tag": "v1", "only_digest": digest("other"), "removed": "2026-01-01T00:00:08.000000Z", "seq": 9,
    });
    assert_eq!(report["spent"], json!([spent]));
    assert_eq!(report["policies"][0]["status"], "active");
    assert_eq!(report["policies"][0]["rule"]["immutability"]["pattern"]["regex"], "v.*");
    assert_eq!(report["tokens"][0]["subject"], "robot");
    assert!(!run.out.contains("null"), "what does not apply is absent: {}", run.out);
    assert!(!run.out.contains("abab"), "the hash of a secret was shown: {}", run.out);
}

fn manifests(named: &[(&str, u64, &[&str])]) -> serde_json::Value {
    let one = |(name, seq, references): &(&str, u64, &[&str])| {
        let references = sorted(references.iter().map(|name| json!(digest(name))).collect());
        json!({
            "digest": digest(name), "size": name.len(), "media_type": tagstone_schema::media_type::OCI_IMAGE,
            "references": references,
            "pushed": format!("2026-01-01T00:00:0{}.000000Z", seq - 1), "seq": seq,
        })
    };
    sorted(named.iter().map(one).collect())
}

/// Everything that is keyed by digests is listed in their order.
fn sorted(mut values: Vec<serde_json::Value>) -> serde_json::Value {
    values.sort_by_key(|value| value.get("digest").unwrap_or(value).as_str().unwrap().to_owned());
    json!(values)
}

#[test]
fn the_state_at_a_point_is_that_of_the_records_up_to_it() {
    let (directory, records) = sound();
    for seq in 1..=records.len() {
        let expected = folded(&records[..seq]).fingerprint().to_string();
        let time = records[seq - 1].head().time;
        let mut points = vec![seq.to_string(), time.to_string()];
        points.push(tagstone_schema::Timestamp(time.0 + SECOND / 2).to_string());
        for point in points {
            let run = state(directory.path(), &["--at", &point]);
            assert_eq!(run.code, 0, "{run:?}");
            assert_eq!(run.json()["fingerprint"], expected, "at {point}");
            assert_eq!(run.json()["head"]["seq"], seq, "at {point}");
        }
    }
    let before = tagstone_schema::Timestamp(BEGIN - 1).to_string();
    for point in ["0", "10", "18446744073709551615", &before, "2999-01-01T00:00:00Z"] {
        let run = state(directory.path(), &["--at", point]);
        assert_eq!((run.code, run.out.as_str()), (2, ""), "{run:?}");
        let range = "from record 1 at 2026-01-01T00:00:00.000000Z to record 9 at 2026-01-01T00:00:08.000000Z";
        assert!(run.err.contains(range), "{run:?}");
    }
}

#[test]
fn one_repository_or_the_fingerprint_alone_can_be_asked_for() {
    let (directory, records) = sound();
    let fingerprint = folded(&records[..8]).fingerprint().to_string();
    let run = state(directory.path(), &["--at", "8", "--repository", "lib"]);
    assert_eq!(run.json()["repositories"][0]["name"], "lib");
    assert_eq!(run.json()["repositories"].as_array().unwrap().len(), 1);
    assert_eq!(run.json()["repositories"][0]["tags"][0]["locked"], "2026-01-01T00:00:07.000000Z");
    assert_eq!(run.json()["repositories"][0]["tags"][0]["immutable"], true);
    assert_eq!(run.json()["fingerprint"], fingerprint);

    let gone = state(directory.path(), &["--repository", "lib"]);
    assert_eq!((gone.code, gone.out.as_str()), (2, ""), "{gone:?}");
    assert!(gone.err.contains("there is no repository lib behind record 9"), "{gone:?}");

    let root = directory.path().to_str().unwrap();
    let alone = replay(["state", root, "--at", "8", "--fingerprint"]);
    assert_eq!((alone.code, alone.out), (0, format!("{fingerprint}\n")));
    assert_eq!(state(directory.path(), &["--at", "8", "--fingerprint"]).json(), json!({"fingerprint": fingerprint}));
}

#[test]
fn text_and_lines_tell_the_same() {
    let (directory, records) = sound();
    let root = directory.path().to_str().unwrap();
    let text = replay(["state", root, "--at", "8"]);
    let again = replay(["state", root, "--at", "8"]);
    assert_eq!(text.out, again.out);
    for part in ["repository acme/app", "repository lib", "latest", "v1", "robot", "active"] {
        assert!(text.out.contains(part), "{part}: {}", text.out);
    }
    assert!(replay(["state", root]).out.contains("spent names"));
    let lines = replay(["state", root, "--at", "8", "--format", "ndjson"]);
    let lines: Vec<serde_json::Value> = lines.out.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let kinds: Vec<_> = lines.iter().map(|line| line["kind"].as_str().unwrap()).collect();
    assert_eq!(kinds, ["state", "repository", "repository", "policy", "token"]);
    let verified = replay(["verify", root]);
    assert!(verified.out.contains(&format!("head         {}", records.last().unwrap().head())), "{verified:?}");
}

#[test]
fn a_registry_that_stopped_before_its_first_record_is_sound_and_empty() {
    let directory = tempfile::tempdir().unwrap();
    append(directory.path(), &[]);
    for log_is_made in [true, false] {
        if !log_is_made {
            std::fs::remove_dir_all(Layout::new(directory.path()).log()).unwrap();
        }
        let run = verify(directory.path(), &[]);
        assert_eq!(run.code, 0, "{run:?}");
        assert_eq!(run.json()["head"], json!({"seq": 0, "hash": "0".repeat(64)}));
        let point = state(directory.path(), &["--at", "1"]);
        assert_eq!(point.code, 2, "{point:?}");
        assert!(point.err.contains("the log has no records"), "{point:?}");
        let shown = state(directory.path(), &[]);
        assert_eq!((shown.code, &shown.json()["repositories"]), (0, &json!([])));
    }
}

#[test]
fn records_behind_the_anchor_count() {
    let (directory, records_so_far) = sound();
    let anchor = Layout::new(directory.path()).anchor();
    let old = std::fs::read(&anchor).unwrap();
    let head = records_so_far.last().unwrap().head();
    append(directory.path(), &records(head, [vec![crate::directory::blob("b", "late")]]));
    std::fs::write(&anchor, old).unwrap();
    let run = verify(directory.path(), &[]);
    assert_eq!((run.code, &run.json()["records"]), (0, &json!(10)), "{run:?}");
}

#[test]
fn a_snapshot_is_compared_with_what_the_records_come_to() {
    let (directory, mut records) = sound();
    let path = Layout::new(directory.path()).snapshot();
    let started = vec![Event::ServerStarted { version: "0.1.0".to_owned() }];
    let more = crate::directory::records(records.last().unwrap().head(), [started]);
    append(directory.path(), &more);
    records.extend(more);
    let fingerprint = json!(folded(&records).fingerprint());
    for (at, record) in records.iter().enumerate() {
        snapshot::write(&path, &folded(&records[..=at]), record.head()).unwrap();
        let run = verify(directory.path(), &[]);
        assert_eq!((run.code, &*run.err, &run.json()["fingerprint"]), (0, "", &fingerprint), "{run:?}");
        if records.len() - at == 1 {
            // That the registry was started changes no state.
            continue;
        }
        // A start would take it for the state behind this record.
        snapshot::write(&path, &folded(&records[..at]), record.head()).unwrap();
        let run = verify(directory.path(), &[]);
        assert_eq!((run.code, run.bad_seqs()), (1, vec![record.seq()]), "{run:?}");
        assert!(run.problems().contains("the file `snapshot` has a state with the fingerprint"), "{run:?}");
        let shown = replay(["verify", directory.path().to_str().unwrap()]).out;
        assert!(shown.contains("The log is whole,") && !shown.contains("bad record"), "{shown}");
        assert!(shown.ends_with("The snapshot beside it is not what its records come to.\n"), "{shown}");
    }
    // No start begins with these.
    let other = Head { hash: records[2].head().hash, ..records[3].head() };
    snapshot::write(&path, &folded(&records[..2]), other).unwrap();
    assert_eq!(verify(directory.path(), &[]).code, 0);
    std::fs::write(&path, b"no snapshot").unwrap();
    let run = verify(directory.path(), &[]);
    assert_eq!(run.code, 0, "{run:?}");
    assert!(run.err.contains("is not a snapshot; a start ignores it"), "{run:?}");
}

#[test]
fn what_had_expired_at_an_instant_is_not_there_then() {
    let events = [
        vec![started(1)],
        vec![manifest("a", "one", &[]), moved("a", "short", None, "one"), moved("a", "long", None, "one")],
        vec![expiry("a", "short", BEGIN + 3 * SECOND + SECOND / 2)],
        vec![blob("a", "x")],
        vec![blob("a", "y")],
    ];
    let directory = tempfile::tempdir().unwrap();
    append(directory.path(), &records(Head::default(), events));
    let tags = |at: &str| {
        let told = state(directory.path(), &["--at", at]).json();
        let tags = told["repositories"][0]["tags"].as_array().unwrap().clone();
        tags.iter().map(|tag| tag["name"].as_str().unwrap().to_owned()).collect::<Vec<_>>()
    };
    let instant = |micros: i64| Timestamp(BEGIN + micros).to_string();
    assert_eq!(tags(&instant(3 * SECOND)), ["long", "short"]);
    assert_eq!(tags(&instant(3 * SECOND + SECOND / 2)), ["long"]);
    assert_eq!(tags(&instant(4 * SECOND)), ["long"]);
    // No record says so yet.
    assert_eq!(tags("5"), ["long", "short"]);
}
