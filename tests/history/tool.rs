//! `tagstone-replay`, asked about the year. Each run replays the whole log, so only some of everything is asked for.

use std::path::{Path, PathBuf};

use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::account::{Account, Snapshot, Stay};
use crate::difference::difference;
use crate::questions::{Filter, assert_events, assert_same, assert_same_set, assert_within, sorted, state, why};
use crate::support::replay::replay;
use crate::year::{SEED, Year};

/// A source of the log of a year, with what it has to tell.
pub(crate) struct Source<'a> {
    pub(crate) year: &'a Year,
    pub(crate) account: &'a Account,
    pub(crate) path: &'a Path,
}

/// An export of a source, and the data directory that it becomes again.
pub(crate) fn exported(source: &Path) -> (TempDir, PathBuf, PathBuf) {
    let home = TempDir::new().unwrap();
    let (file, data) = (home.path().join("year.tagstone"), home.path().join("data"));
    replay("export", source, &["--out", file.to_str().unwrap()]).succeeded();
    replay("restore", &file, &["--data", data.to_str().unwrap()]).succeeded();
    (home, file, data)
}

impl Source<'_> {
    /// Every command, compared with the account. What is asked for is the same for every source.
    pub(crate) fn ask_all(&self) {
        let mut random = StdRng::seed_from_u64(SEED);
        self.verify();
        self.states();
        for _ in 0..3 {
            self.events(&mut random);
            self.why(&mut random);
        }
        for _ in 0..2 {
            self.history(&mut random);
            self.whereabouts(&mut random);
            self.diff(&mut random);
        }
        self.audit();
    }

    /// The report of a command in JSON, and whether it exited with 0.
    fn asked(&self, command: &str, arguments: &[&str]) -> (bool, Value) {
        let outcome = replay(command, self.path, &[&["--format", "json"], arguments].concat());
        (outcome.success(), outcome.json())
    }

    fn sound(&self, command: &str, arguments: &[&str]) -> Value {
        let outcome = replay(command, self.path, &[&["--format", "json"], arguments].concat());
        outcome.succeeded().json()
    }

    fn verify(&self) {
        let head = self.account.head;
        let expected = json!({ "ok": true, "records": head.seq, "head": { "seq": head.seq }, "problems": [] });
        let told = self.sound("verify", &[]);
        assert_within("verify", &told, &expected);
        let last = self.year.fingerprints.last().map(|(_, fingerprint)| fingerprint);
        assert_same("the fingerprint", &told["fingerprint"], &json!(last));
    }

    /// The state at some snapshots, by their records and by their times.
    fn states(&self) {
        for (at, (snapshot, (seq, fingerprint))) in
            self.account.snapshots.iter().zip(&self.year.fingerprints).enumerate()
        {
            let point = match at % 12 {
                3 => seq.to_string(),
                9 => snapshot.head.text(),
                _ => continue,
            };
            let told = self.sound("state", &["--at", &point]);
            let question = format!("state --at {point}");
            assert_within(&question, &told, &state(snapshot));
            assert_same(&question, &told["fingerprint"], &json!(fingerprint));
        }
    }

    fn snapshot(&self, random: &mut StdRng) -> &Snapshot {
        &self.account.snapshots[random.random_range(0..self.account.snapshots.len())]
    }

    /// A tag that there ever was.
    fn tag(&self, random: &mut StdRng) -> (&(String, String), &Vec<Stay>) {
        let at = random.random_range(0..self.account.stays.len());
        self.account.stays.iter().nth(at).expect("a tag")
    }

    fn events(&self, random: &mut StdRng) {
        let filter = Filter::drawn(random, &self.account.happened);
        let arguments = filter.arguments();
        let mut arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
        let ascending = random.random_bool(0.5);
        arguments.extend(ascending.then_some(["--order", "asc"]).into_iter().flatten());
        let Value::Array(mut told) = self.sound("events", &arguments)["events"].take() else { panic!("no events") };
        if !ascending {
            told.reverse();
        }
        assert_events(&format!("events {}", arguments.join(" ")), told, self.account, &filter);
    }

    fn why(&self, random: &mut StdRng) {
        let (snapshot, ((repository, tag), stays)) = (self.snapshot(random), self.tag(random));
        let was_there = stays.iter().any(|stay| stay.since.seq <= snapshot.head.seq);
        let expected = why(&snapshot.standing, (repository, tag), was_there, snapshot.head.time);
        let Some(expected) = expected else { return };
        let by_time = random.random_bool(0.5);
        let point = if by_time { snapshot.head.text() } else { snapshot.head.seq.to_string() };
        let name = format!("{repository}:{tag}");
        let told = self.sound("why", &[&name, "--at", &point]);
        assert_within(&format!("why {name} --at {point}"), &sorted(told), &expected);
    }

    fn history(&self, random: &mut StdRng) {
        let ((repository, tag), _) = self.tag(random);
        let of_all = random.random_bool(0.3);
        let name = if of_all { repository.clone() } else { format!("{repository}:{tag}") };
        let told = self.sound("history", &[&name])["history"].take();
        let turned = self.account.happened.iter().filter(|event| {
            let is_turn = event["kind"] == "tag_moved" || event["kind"] == "tag_deleted";
            is_turn && event["repository"] == **repository && (of_all || event["tag"] == **tag)
        });
        let turns = turned.map(|event| {
            let names = ["seq", "index", "time", "actor", "origin", "repository", "tag", "from", "to", "cause"];
            names.iter().map(|name| ((*name).to_owned(), event[*name].clone())).collect::<Value>()
        });
        assert_within(&format!("history {name}"), &told, &turns.collect());
    }

    fn whereabouts(&self, random: &mut StdRng) {
        let (_, stays) = self.tag(random);
        let digest = &stays[random.random_range(0..stays.len())].digest;
        let told = self.sound("where", &[digest]);
        let all = self.account.stays.iter().flat_map(|(name, stays)| stays.iter().map(move |stay| (name, stay)));
        let mut pointed: Vec<_> = all.filter(|(_, stay)| stay.digest == *digest).collect();
        pointed.sort_by_key(|(_, stay)| (stay.since.seq, stay.index));
        let pointed = pointed.into_iter().map(|((repository, tag), stay)| {
            let until = stay.until.as_ref().map(|(at, cause)| json!({ "seq": at.seq, "cause": cause }));
            json!({ "repository": repository, "tag": tag, "since": { "seq": stay.since.seq }, "until": until })
        });
        let expected = json!({ "tags": pointed.collect::<Vec<_>>(), "held": self.held(digest), "removed": [] });
        assert_within(&format!("where {digest}"), &told, &expected);
    }

    /// The repositories that ever held a manifest.
    fn held(&self, digest: &str) -> Vec<Value> {
        let mut held: Vec<Value> = Vec::new();
        for event in &self.account.happened {
            let ends = event["kind"] == "repository_deleted"
                || event["kind"] == "manifest_deleted" && event["digest"] == digest;
            if event["kind"] == "manifest_pushed" && event["digest"] == digest {
                let (repository, since) = (&event["repository"], json!({ "seq": event["seq"] }));
                held.push(json!({ "repository": repository, "as": "manifest", "since": since, "until": null }));
            } else if ends {
                let open =
                    held.iter_mut().find(|held| held["repository"] == event["repository"] && held["until"].is_null());
                if let Some(open) = open {
                    open["until"] = json!({ "seq": event["seq"] });
                }
            }
        }
        held
    }

    fn diff(&self, random: &mut StdRng) {
        let (one, other) = (self.snapshot(random), self.snapshot(random));
        let (from, to) = if one.head < other.head { (one, other) } else { (other, one) };
        let (begin, end) = (from.head.seq.to_string(), to.head.text());
        let (success, mut told) = self.asked("diff", &["--from", &begin, "--to", &end]);
        let question = format!("diff --from {begin} --to {end}");
        assert_eq!(success, told["changed"] == false, "{question}: the exit code");
        // What is only changed has fields of the fold that the account does not keep.
        if let Some(Value::Array(tags)) = told.get_mut("tags") {
            tags.retain(|tag| tag["change"] != "changed");
        }
        assert_within(&question, &told, &difference(from, to));
    }

    fn audit(&self) {
        let account = self.account;
        let (success, told) = self.asked("audit", &[]);
        assert_eq!(success, account.broken.is_empty(), "the exit code of audit");
        let broken = account.broken.iter().map(|broken| {
            json!({
                "repository": broken.repository, "tag": broken.tag, "digest": broken.digest,
                "since": { "seq": broken.since.seq }, "broken": { "seq": broken.at.seq, "time": broken.at.text() },
            })
        });
        assert_within("seals broken", &told["seals_broken"], &broken.collect());
        let names = told["spent_names"].as_array().into_iter().flatten().map(|name| {
            json!({
                "repository": name["repository"], "tag": name["tag"], "only_digest": name["only_digest"],
                "seq": name["removed"]["seq"], "returned": name["returned"],
            })
        });
        let spent = account.standing.spent.iter().map(|((repository, tag), (only, removed))| {
            let returned = account.tag(repository, tag).is_some();
            json!({
                "repository": repository, "tag": tag, "only_digest": only, "seq": removed.seq, "returned": returned,
            })
        });
        assert_same_set("spent names", &names.collect::<Vec<_>>(), &spent.collect::<Vec<_>>());
        let policies = ["policy_drafted", "policy_activated", "policy_changed", "policy_retired", "draft_removed"];
        for (list, kinds) in
            [("erasures", &["tag_erased"][..]), ("policy_changes", &policies), ("server_starts", &["server_started"])]
        {
            let events =
                account.happened.iter().filter(|event| kinds.contains(&event["kind"].as_str().unwrap_or_default()));
            assert_within(list, &told[list], &events.cloned().collect());
        }
        let refused =
            told["refusals"].as_array().into_iter().flatten().map(|group| group["count"].as_u64().unwrap_or(0));
        let expected: u64 = account.refused.iter().map(|attempt| attempt.form()["count"].as_u64().unwrap_or(0)).sum();
        let beyond = told["refusals_beyond"].as_u64().unwrap_or(0);
        assert_eq!(refused.sum::<u64>() + beyond, expected, "seed {SEED}: refusals of the audit");
    }
}
