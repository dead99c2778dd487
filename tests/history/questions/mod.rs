//! Questions to the registry, each compared with the account.

use rand::rngs::StdRng;
use serde_json::json;

use crate::account::Account;
use crate::registry::Registry;
use crate::request::get;
use crate::year::SEED;

/// Where the log stands, as the server tells; returns the fingerprint of the state there.
pub(crate) async fn head(registry: &Registry, account: &Account) -> String {
    let told = registry.send(get("/api/v1/log/head")).await.json();
    let expected = (json!(account.head.seq), json!(account.head.text()));
    assert_eq!((told["seq"].clone(), told["time"].clone()), expected, "seed {SEED}: the head of the log");
    told["fingerprint"].as_str().unwrap_or_default().to_owned()
}

/// What stands now.
pub(crate) async fn of_now(_registry: &Registry, _account: &Account, _random: &mut StdRng) {}
