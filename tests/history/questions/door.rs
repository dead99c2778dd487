//! The two ways to a running registry: in this process, and over the network.

use serde_json::Value;

use crate::registry::Registry;
use crate::request::get;

/// A running registry.
pub(crate) enum Door<'a> {
    /// In this process.
    Here(&'a Registry),
    /// At this URL.
    There(&'a str),
}

impl Door<'_> {
    /// Status and body of an answer.
    pub(crate) async fn ask(&self, path: &str) -> (u16, Vec<u8>) {
        match self {
            Self::Here(registry) => {
                let reply = registry.send_beside_others(get(path)).await;
                (reply.status, reply.body.to_vec())
            }
            Self::There(url) => {
                let agent = ureq::Agent::config_builder().http_status_as_error(false).build().new_agent();
                let mut answer =
                    agent.get(format!("{url}{path}")).call().unwrap_or_else(|error| panic!("{path}: {error}"));
                let body = answer.body_mut().with_config().limit(1 << 30).read_to_vec();
                (answer.status().as_u16(), body.unwrap_or_else(|error| panic!("{path}: {error}")))
            }
        }
    }

    /// The same, where the body is JSON.
    pub(crate) async fn json(&self, path: &str) -> (u16, Value) {
        let (status, body) = self.ask(path).await;
        let told = serde_json::from_slice(&body);
        (status, told.unwrap_or_else(|error| panic!("{path}: {error}: {}", String::from_utf8_lossy(&body))))
    }
}
