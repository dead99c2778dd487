//! The text of an answer against a serializer.

use proptest::prelude::*;
use serde_json::json;
use tagstone_replay::audit::Place;

use super::*;

/// Entries with whatever they may have.
fn entries() -> impl Strategy<Value = Vec<TagEntry>> {
    let digest = prop_oneof![
        any::<[u8; 32]>().prop_map(Digest::sha256),
        any::<[u8; 32]>().prop_map(|half| { Digest::sha512(std::array::from_fn(|at| half[at % 32])) })
    ];
    let change = prop_oneof![Just(TagChange::Created), Just(TagChange::Deleted)];
    // Whatever a media type may be made of.
    let media_type = "[a-zA-Z0-9][a-zA-Z0-9!#$&^_.+-]{0,40}/[a-zA-Z0-9][a-zA-Z0-9!#$&^_.+-]{0,40}";
    let entry = (any::<i64>(), change, digest, any::<u64>(), media_type);
    let entry = entry.prop_map(|(time, change, digest, size, media_type)| TagEntry {
        place: Place::first_of(1),
        time: Timestamp(time),
        change,
        digest,
        size,
        media_type: media_type.parse().unwrap(),
    });
    proptest::collection::vec(entry, 0..20)
}

proptest! {
    #[test]
    fn it_is_what_a_serializer_would_write(entries in entries()) {
        let manifests: Vec<_> = entries.iter().map(|entry| {
            let event = if entry.change == TagChange::Created { "created" } else { "deleted" };
            let timestamp = entry.time.to_string();
            json!({
                "annotations": {
                    "org.opencontainers.distribution.tag.event": event,
                    "org.opencontainers.distribution.tag.timestamp": timestamp,
                },
                "digest": entry.digest,
                "mediaType": entry.media_type,
                "size": entry.size,
            })
        }).collect();
        let index = json!({"manifests": manifests, "mediaType": OCI_INDEX, "schemaVersion": 2});
        // Fields in the order of the alphabet, as a serializer of maps has them.
        prop_assert_eq!(index_of(&entries).unwrap(), index.to_string());
    }
}
