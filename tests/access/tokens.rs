//! Tokens while the server runs: users who go, keys that change, a restart.

use serde_json::json;

use crate::support::client::Client;
use crate::support::guarded::{Files, RULES};
use crate::support::issuer::Issuer;
use crate::support::registry::Registry;

const READ_AGAIN: &str = "read users and rules of access again";

/// Issues an access token to a user.
fn issued(files: &Files, registry: &Registry, user: &str) -> String {
    let scopes = json!([{"repositories": "acme/**", "actions": ["pull", "push"]}]);
    let body = json!({"label": "a token", "scopes": scopes}).to_string();
    let client = files.client_of(registry, user);
    let answer = client.send(ureq::http::Method::POST, "/api/v1/tokens", &[], body.as_bytes());
    answer.expect("an answer").expecting(201).json()["secret"].as_str().expect("a secret").to_owned()
}

fn status(client: &Client, bearer: &str) -> u16 {
    let header = format!("Bearer {bearer}");
    client.request(ureq::http::Method::GET, "/v2/", &[("Authorization", &header)]).expect("an answer").status
}

#[test]
fn a_token_outlives_a_restart_and_not_its_user() {
    let files = Files::new(&["alice", "bob", "root"], RULES);
    let mut registry = files.start();
    let (of_alice, of_bob) = (issued(&files, &registry, "alice"), issued(&files, &registry, "bob"));
    registry.stop();
    registry.restart();
    let client = files.client(&registry);
    assert_eq!((status(&client, &of_alice), status(&client, &of_bob)), (200, 200));
    files.write_users(&["bob", "root"]);
    registry.has_said(READ_AGAIN, 1);
    assert_eq!((status(&client, &of_alice), status(&client, &of_bob)), (401, 200));
}

#[test]
fn keys_of_an_issuer_change_without_a_signal() {
    let (old, new) = (Issuer::new(), Issuer::new());
    let bearer = format!(
        "[auth.bearer]\nrealm = \"https://auth.example/token\"\nservice = \"{}\"\nissuer = \"{}\"\njwks = \"jwks.json\"\n",
        crate::support::issuer::SERVICE,
        crate::support::issuer::ISSUER
    );
    let files = Files::new(&["alice", "root"], &format!("{bearer}{RULES}"));
    files.replace("jwks.json", &old.jwks());
    let registry = files.start();
    let client = files.client(&registry);
    let (of_old, of_new) = (old.token("carol", &[]), new.token("carol", &[]));
    assert_eq!((status(&client, &of_old), status(&client, &of_new)), (200, 401));
    files.replace("jwks.json", &new.jwks());
    registry.has_said(READ_AGAIN, 1);
    assert_eq!((status(&client, &of_old), status(&client, &of_new)), (401, 200));
    // A file that is wrong changes nothing.
    files.replace("jwks.json", "{}");
    registry.has_said("auth.bearer.jwks", 1);
    assert_eq!((status(&client, &of_old), status(&client, &of_new)), (401, 200));
}
