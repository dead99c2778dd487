//! The form agrees with the frozen records: each is the JSON beside its bytes, with the hashes and instants as text.

use std::fs;
use std::path::Path;

use super::*;

/// What docs/format.md says of each type that is another one than in the vectors.
fn spelt_out(vector: Value) -> Value {
    let Value::Object(fields) = vector else { return listed(vector) };
    let spelt = fields.into_iter().map(|(name, value)| {
        let is_instant = ["time", "at", "since", "until", "first", "last", "expires"].contains(&&*name);
        let value = match value.as_i64() {
            Some(micros) if is_instant => json!(Timestamp(micros).to_string()),
            _ if ["prev", "secret_hash"].contains(&&*name) => {
                json!(hex(&serde_json::from_value::<Vec<u8>>(value).unwrap()))
            }
            _ => spelt_out(value),
        };
        (name, value)
    });
    Value::Object(spelt.collect())
}

fn listed(value: Value) -> Value {
    match value {
        Value::Array(values) => values.into_iter().map(spelt_out).collect(),
        other => other,
    }
}

#[test]
fn the_form_of_every_frozen_record() {
    let vectors = Path::new(env!("CARGO_MANIFEST_DIR")).join("schema/vectors/v1");
    let (mut seen, mut texts) = (0, String::new());
    for path in fs::read_dir(vectors).unwrap().map(|entry| entry.unwrap().path()) {
        if path.extension().is_none_or(|found| found != "bin") {
            continue;
        }
        let bytes = fs::read(&path).unwrap();
        let beside = fs::read(path.with_extension("json")).unwrap();
        let mut wanted = spelt_out(serde_json::from_slice(&beside).unwrap());
        let hash = RecordHash::of(&bytes);
        wanted["hash"] = json!(hash.to_string());
        let form = RecordForm::of(&Record::decode(&bytes).unwrap(), hash).unwrap();
        assert_eq!(serde_json::to_value(&form).unwrap(), wanted, "{}", path.display());
        (seen, texts) = (seen + 1, texts + &wanted.to_string());
    }
    assert!(seen > 0, "there are no vectors");
    for instant in ["at", "since", "until", "first", "last", "expires"] {
        assert!(texts.contains(&format!("\"{instant}\":\"2")), "no vector holds an instant `{instant}`");
    }
}
