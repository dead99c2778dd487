//! `tagstone-replay`, asked about the year.

use std::path::Path;

use serde_json::{Value, json};

use crate::questions::{assert_same, assert_within, state};
use crate::support::replay::replay;
use crate::year::Year;

/// The report of a command in JSON.
fn asked(command: &str, source: &Path, arguments: &[&str]) -> Value {
    replay(command, source, &[&["--format", "json"], arguments].concat()).succeeded().json()
}

/// `verify`, and `state` at every snapshot, also by its time.
pub(crate) fn states(year: &Year, source: &Path) {
    let account = &year.account;
    let report = asked("verify", source, &["--blobs"]);
    let last = json!({ "seq": account.head.seq });
    assert_within("verify", &report, &json!({ "ok": true, "records": account.head.seq, "head": last, "problems": [] }));
    // Each run replays the whole log, so not every snapshot is asked for.
    for (at, (snapshot, (seq, fingerprint))) in account.snapshots.iter().zip(&year.fingerprints).enumerate() {
        let point = match at % 5 {
            1 => seq.to_string(),
            3 => snapshot.head.text(),
            _ => continue,
        };
        let told = asked("state", source, &["--at", &point]);
        let question = format!("state --at {point}");
        assert_within(&question, &told, &state(snapshot));
        assert_same(&question, &told["fingerprint"], &json!(fingerprint));
    }
}
