//! Who made a change, and from where.

use serde::{Deserialize, Deserializer, Serialize};
use smol_str::SmolStr;

use crate::limits;
use crate::recent::{self, Recent};

/// The kind of an actor.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ActorKind {
    /// A user that gave a password or a bearer token.
    User,
    /// Nobody that is known: a request without credentials.
    Anonymous,
    /// The registry itself: start, expiry, pruning, collection.
    System,
    /// An access token issued by the registry.
    Token,
}

/// Who made a change.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Actor {
    /// Its kind.
    pub kind: ActorKind,
    /// The user's name; the token's user and, behind a slash, its id; or the part of the registry that acted.
    #[serde(deserialize_with = "read_name")]
    pub name: SmolStr,
}

impl Actor {
    /// A request without credentials.
    pub fn anonymous() -> Self {
        Self { kind: ActorKind::Anonymous, name: "anonymous".into() }
    }

    /// A part of the registry itself.
    pub fn system(part: &str) -> Self {
        Self { kind: ActorKind::System, name: part.into() }
    }
}

/// Where a change came from. The fields are empty for changes that the registry made itself.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Origin {
    /// The request id that the answer carried.
    #[serde(deserialize_with = "read_request_id")]
    pub request_id: SmolStr,
    /// The peer's address, without a port.
    #[serde(deserialize_with = "read_address")]
    pub address: SmolStr,
    /// The client's own description of itself, cut to [`limits::USER_AGENT_BYTES`].
    #[serde(deserialize_with = "read_user_agent")]
    pub user_agent: SmolStr,
}

impl Origin {
    /// An origin whose user agent is cut to the limit (at a character's border).
    pub fn new(request_id: impl Into<SmolStr>, address: impl Into<SmolStr>, user_agent: &str) -> Self {
        let end = user_agent.floor_char_boundary(limits::USER_AGENT_BYTES);
        Self { request_id: request_id.into(), address: address.into(), user_agent: user_agent[..end].into() }
    }
}

macro_rules! recent_text {
    ($($reader:ident)*) => {$(
        fn $reader<'de, D: Deserializer<'de>>(deserializer: D) -> Result<SmolStr, D::Error> {
            thread_local!(static RECENT: Recent<SmolStr> = const { Recent::new() });
            recent::read_again(deserializer, "a text", &RECENT)
        }
    )*};
}

recent_text!(read_name read_address read_user_agent);

/// A text of its own in every record.
fn read_request_id<'de, D: Deserializer<'de>>(deserializer: D) -> Result<SmolStr, D::Error> {
    recent::read_new(deserializer, "a text")
}

#[cfg(test)]
mod tests {
    use bincode::Options;

    use super::*;
    use crate::record::codec;

    #[test]
    fn bytes_are_read_back_and_those_that_are_no_text_are_refused() {
        let actor = Actor { kind: ActorKind::User, name: "dana@acme.example/a-long-name".into() };
        let both = (actor, Origin::new("7f0c1d6e4b2a4c57", "2001:db8::7334", "skopeo/1.18.0 (größe=1)"));
        let bytes = codec().serialize(&both).unwrap();
        for text in [&both.0.name, &both.1.request_id, &both.1.address, &both.1.user_agent] {
            assert_eq!(codec().deserialize::<(Actor, Origin)>(&bytes).unwrap(), both);
            let at = bytes.windows(text.len()).position(|part| part == text.as_bytes()).unwrap();
            let mut wrong = bytes.clone();
            wrong[at + 1] = 0xff;
            let error = codec().deserialize::<(Actor, Origin)>(&wrong).unwrap_err().to_string();
            assert!(error.contains("not valid utf8"), "{text}: {error}");
        }
    }
}
