//! The frozen records of `schema/vectors/v1`: they decode, encode to the same bytes, and form one chain.
//!
//! With `TAGSTONE_WRITE_VECTORS=1` the files that are missing are written first; a file that exists is never touched.

mod coverage;
mod story;

use std::fs;
use std::path::{Path, PathBuf};

use tagstone_schema::record::FORMAT_VERSION;
use tagstone_schema::{Head, Record, RecordHash};

fn directory() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("vectors/v1")
}

/// A frozen record: its name, its bytes, and the text beside them.
struct Vector {
    name: String,
    bytes: Vec<u8>,
    json: serde_json::Value,
}

/// The vectors in the order of their names.
fn vectors() -> Vec<Vector> {
    if std::env::var_os("TAGSTONE_WRITE_VECTORS").is_some_and(|value| value == "1") {
        write_missing();
    }
    let mut names: Vec<String> = fs::read_dir(directory())
        .expect("schema/vectors/v1 is part of the sources")
        .filter_map(|entry| entry.unwrap().file_name().into_string().unwrap().strip_suffix(".bin").map(str::to_owned))
        .collect();
    names.sort_unstable();
    let read = |name: String| Vector {
        bytes: fs::read(directory().join(format!("{name}.bin"))).unwrap(),
        json: serde_json::from_slice(&fs::read(directory().join(format!("{name}.json"))).unwrap()).unwrap(),
        name,
    };
    names.into_iter().map(read).collect()
}

/// The records of the story, chained in their order.
fn told() -> Vec<(String, Record)> {
    let mut prev = RecordHash::ZERO;
    let mut records = Vec::new();
    for (seq, page) in (1..).zip(story::pages()) {
        let record = Record {
            format: FORMAT_VERSION,
            seq,
            time: page.time,
            prev,
            actor: page.actor,
            origin: page.origin,
            events: page.events,
        };
        prev = record.encode().unwrap().head().hash;
        records.push((format!("{seq:04}-{}", page.name), record));
    }
    records
}

fn write_missing() {
    fs::create_dir_all(directory()).unwrap();
    for (name, record) in told() {
        let bin = directory().join(format!("{name}.bin"));
        let json = directory().join(format!("{name}.json"));
        if !bin.exists() {
            fs::write(bin, record.encode().unwrap().bytes()).unwrap();
        }
        if !json.exists() {
            fs::write(json, readable(&record)).unwrap();
        }
    }
}

/// JSON with one line a field, but the bytes of a hash on one line.
fn readable(record: &Record) -> String {
    let mut text = String::new();
    let mut in_numbers = false;
    for line in serde_json::to_string_pretty(record).unwrap().lines() {
        let trimmed = line.trim_start();
        let is_number = trimmed.trim_end_matches(',').bytes().all(|byte| byte.is_ascii_digit());
        if is_number || (in_numbers && trimmed.starts_with(']')) {
            text.push_str(if in_numbers && is_number { " " } else { "" });
            text.push_str(trimmed);
        } else {
            text.push_str(if text.is_empty() { "" } else { "\n" });
            text.push_str(line);
        }
        in_numbers = is_number;
    }
    text.push('\n');
    text
}

#[test]
fn every_vector_decodes_to_the_json_beside_it_and_encodes_to_the_same_bytes() {
    for Vector { name, bytes, json } in vectors() {
        let record = Record::decode(&bytes).unwrap_or_else(|error| panic!("{name}: {error}"));
        assert_eq!(serde_json::to_value(&record).unwrap(), json, "{name}");
        let from_json: Record = serde_json::from_value(json).unwrap_or_else(|error| panic!("{name}: {error}"));
        assert_eq!(from_json, record, "{name}");
        assert_eq!(record.encode().unwrap().bytes(), bytes, "{name}");
    }
}

#[test]
fn the_vectors_are_one_chain_in_the_order_of_their_names() {
    let mut head = Head::default();
    for Vector { name, bytes, .. } in vectors() {
        let record = Record::decode(&bytes).unwrap();
        record.check_follows(&head).unwrap_or_else(|error| panic!("{name}: {error}"));
        assert_eq!(name[..4].parse(), Ok(record.seq), "{name}");
        head = record.encode().unwrap().head();
    }
    assert!(head.seq > 0, "there are no vectors");
}

#[test]
fn the_vectors_are_what_this_program_writes() {
    let told = told();
    let vectors = vectors();
    assert_eq!(vectors.len(), told.len(), "TAGSTONE_WRITE_VECTORS=1 writes the missing ones");
    for (vector, (name, record)) in vectors.iter().zip(told) {
        assert_eq!(vector.name, name);
        assert_eq!(record.encode().unwrap().bytes(), vector.bytes, "{name}");
    }
}

#[test]
fn every_variant_and_every_shape_of_a_field_has_a_vector() {
    let records: Vec<Record> = vectors().iter().map(|vector| Record::decode(&vector.bytes).unwrap()).collect();
    let missing = coverage::missing(&records);
    assert!(missing.is_empty(), "no vector holds {missing:?}");
}

#[test]
fn some_vector_is_longer_than_one_value_of_the_log() {
    assert!(vectors().iter().any(|vector| vector.bytes.len() > 4096));
}
