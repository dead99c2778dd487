//! Who made a change, and from where.

use serde::{Deserialize, Serialize};
use smol_str::SmolStr;

use crate::{limits, text};

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
    #[serde(deserialize_with = "text::parsed")]
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
    #[serde(deserialize_with = "text::parsed")]
    pub request_id: SmolStr,
    /// The peer's address, without a port.
    #[serde(deserialize_with = "text::parsed")]
    pub address: SmolStr,
    /// The client's own description of itself, cut to [`limits::USER_AGENT_BYTES`].
    #[serde(deserialize_with = "text::parsed")]
    pub user_agent: SmolStr,
}

impl Origin {
    /// An origin whose user agent is cut to the limit (at a character's border).
    pub fn new(request_id: impl Into<SmolStr>, address: impl Into<SmolStr>, user_agent: &str) -> Self {
        let end = user_agent.floor_char_boundary(limits::USER_AGENT_BYTES);
        Self { request_id: request_id.into(), address: address.into(), user_agent: user_agent[..end].into() }
    }
}
