//! `tagstone-replay`, asked about the year.

use std::path::{Path, PathBuf};

use serde_json::{Value, json};
use tempfile::TempDir;

use crate::account::Account;
use crate::questions::{assert_same, assert_within, state};
use crate::support::replay::replay;
use crate::year::Year;

/// The report of a command in JSON.
fn asked(command: &str, source: &Path, arguments: &[&str]) -> Value {
    replay(command, source, &[&["--format", "json"], arguments].concat()).succeeded().json()
}

/// `verify`, and `state` at some snapshots, also by their times.
pub(crate) fn states(year: &Year, account: &Account, source: &Path) {
    let report = asked("verify", source, &[]);
    let last = json!({ "seq": account.head.seq });
    let expected = json!({
        "ok": true, "records": account.head.seq, "events": report["events"], "head": last, "problems": [],
    });
    assert_within("verify", &report, &expected);
    // Each run replays the whole log, so not every snapshot is asked for.
    for (at, (snapshot, (seq, fingerprint))) in account.snapshots.iter().zip(&year.fingerprints).enumerate() {
        let point = match at % 10 {
            3 => seq.to_string(),
            7 => snapshot.head.text(),
            _ => continue,
        };
        let told = asked("state", source, &["--at", &point]);
        let question = format!("state --at {point}");
        assert_within(&question, &told, &state(snapshot));
        assert_same(&question, &told["fingerprint"], &json!(fingerprint));
    }
}

/// An export of a source, and the data directory that it becomes again.
pub(crate) fn exported(source: &Path) -> (TempDir, PathBuf, PathBuf) {
    let home = TempDir::new().unwrap();
    let (file, data) = (home.path().join("year.tagstone"), home.path().join("data"));
    asked("export", source, &["--out", file.to_str().unwrap()]);
    asked("restore", &file, &["--data", data.to_str().unwrap()]);
    (home, file, data)
}
