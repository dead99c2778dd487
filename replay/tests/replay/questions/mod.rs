//! The questions of an investigator, asked of the incident: every answer is known from its script.

mod audit;
mod damaged;
mod diff;
mod events;
mod exported;
mod history;
mod wherever;
mod why;

use serde_json::{Value, json};

use crate::command::{Run, replay};
use crate::directory::digest;
use crate::incident::{at, incident};

/// Runs a command on the incident.
fn ask(command: &str, arguments: &[&str]) -> Run {
    let directory = incident();
    ask_of(directory.path(), command, arguments)
}

/// Runs a command on a data directory.
fn ask_of(root: &std::path::Path, command: &str, arguments: &[&str]) -> Run {
    replay([command, root.to_str().unwrap()].iter().chain(arguments))
}

/// Runs a command that is to find nothing wrong, and reads its JSON.
fn json_of(command: &str, arguments: &[&str]) -> Value {
    let run = ask(command, &[arguments, &["--format", "json"]].concat());
    assert_eq!((run.code, run.err.as_str()), (0, ""), "{run:?}");
    run.json()
}

/// The lines of a run with `--format ndjson`.
fn lines_of(command: &str, arguments: &[&str]) -> Vec<Value> {
    let run = ask(command, &[arguments, &["--format", "ndjson"]].concat());
    assert!(run.code < 2, "{run:?}");
    run.out.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

/// Text with digests by their names, other hashes as `#`, and neither the rules nor the padding of tables.
fn told(run: &Run) -> String {
    let mut text = run.out.clone();
    for name in ["config", "one", "two", "three"] {
        text = text.replace(&digest(name).to_string(), &format!("<{name}>"));
    }
    let text = regex::Regex::new("[0-9a-f]{64}").unwrap().replace_all(&text, "#").into_owned();
    let lines = text.lines().filter(|line| line.is_empty() || line.contains(|c: char| !"=-+ ".contains(c)));
    let lines: Vec<_> = lines.map(|line| line.split_whitespace().collect::<Vec<_>>().join(" ")).collect();
    format!("{}\n", lines.join("\n"))
}

/// The fields that every event of the incident has.
fn deed(seq: u64, index: u32, who: &str) -> Value {
    let (actor, origin) = match who {
        "" => (json!({"kind": "system", "name": "server"}), json!({"request_id": "", "address": "", "user_agent": ""})),
        name => {
            let address = if name == "mallory" { "10.0.0.66" } else { "10.0.0.1" };
            (
                json!({"kind": "user", "name": name}),
                json!({"request_id": format!("r{seq}"), "address": address, "user_agent": "crane"}),
            )
        }
    };
    json!({"seq": seq, "index": index, "time": at(seq), "actor": actor, "origin": origin})
}

/// The same with more fields.
fn event(seq: u64, index: u32, who: &str, fields: Value) -> Value {
    let (Value::Object(mut deed), Value::Object(fields)) = (deed(seq, index, who), fields) else { unreachable!() };
    deed.extend(fields);
    Value::Object(deed)
}
