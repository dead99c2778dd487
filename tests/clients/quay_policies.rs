//! `contrib/copy-quay-policies`: the policies of one registry become drafts of another, twice without harm.
//!
//! Quay's part is played by Tagstone, which has the same paths and fields.

use serde_json::{Value, json};
use ureq::http::Method;

use crate::support::client::Client;
use crate::support::registry::Registry;
use crate::support::tool::tool;

const SCRIPT: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/contrib/copy-quay-policies");

fn create(registry: &Registry, path: &str, body: &Value) {
    let client = Client::new(registry.url());
    let body = body.to_string();
    client.send(Method::POST, path, &[], body.as_bytes()).expect("an answer").expecting(201);
}

/// The policies at a path, without what differs from registry to registry.
fn policies(registry: &Registry, path: &str, fields: &[&str]) -> Vec<Value> {
    let list = Client::new(registry.url()).get(path).expect("an answer").expecting(200).json();
    let policies = list["policies"].as_array().expect("a list").iter();
    policies.map(|policy| fields.iter().map(|field| policy[*field].clone()).collect()).collect()
}

#[test]
fn policies_are_copied_as_drafts_and_activated_on_request() {
    let (Some(bash), Some(_), Some(_)) = (tool("bash"), tool("curl"), tool("jq")) else { return };
    let (quay, tagstone) = (Registry::start(), Registry::start());
    let organization = "/api/v1/organization/acme/immutabilitypolicy/";
    let repository = "/api/v1/repository/acme/app/autoprunepolicy/";
    create(&quay, organization, &json!({"tagPattern": "v.*"}));
    create(&quay, organization, &json!({"tagPattern": "latest|v0", "tagPatternMatches": false, "active": false}));
    let old = json!({"method": "creation_date", "value": "7d", "tagPattern": "keep", "tagPatternMatches": false});
    create(&quay, repository, &old);
    create(&quay, repository, &json!({"method": "number_of_tags", "value": 5}));
    // What would contradict a copied policy stands there already.
    create(&tagstone, organization, &json!({"tagPattern": "v.*", "tagPatternMatches": false}));

    let copy =
        |options: &[&str]| bash.run(&[&[SCRIPT], options, &[quay.url(), tagstone.url(), "acme", "acme/app"]].concat());
    let copied = copy(&[]).succeeded();
    assert!(copied.text().contains("newly_protected"), "{copied}");
    let standing = ["tagPattern", "tagPatternMatches", "active"];
    let all = [json!(["v.*", false, true]), json!(["v.*", true, false]), json!(["latest|v0", false, false])];
    assert_eq!(policies(&tagstone, organization, &standing), all);
    let prune = ["method", "value", "tagPattern", "tagPatternMatches", "active"];
    let all =
        [json!(["creation_date", "7d", ".*(?:keep).*", false, false]), json!(["number_of_tags", 5, null, true, false])];
    assert_eq!(policies(&tagstone, repository, &prune), all);

    // Again: everything is there, which is no failure; nothing stands twice.
    let again = copy(&[]).succeeded();
    assert_eq!(again.text().matches("there already as draft").count(), 4, "{again}");
    assert_eq!(policies(&tagstone, organization, &standing).len(), 3);

    // The drafts of an earlier run are activated; what contradicts a policy in force stays a draft, and is told.
    let refused = bash.run(&[SCRIPT, "--activate", quay.url(), tagstone.url(), "acme"]).failed();
    assert!(refused.text().contains("stays a draft"), "{refused}");
    let activated = bash.run(&[SCRIPT, "--activate", quay.url(), tagstone.url(), "acme/app"]).succeeded();
    assert_eq!(activated.text().matches("  activated").count(), 2, "{activated}");
    let again = bash.run(&[SCRIPT, "--activate", quay.url(), tagstone.url(), "acme/app"]).succeeded();
    assert_eq!(again.text().matches("active already").count(), 2, "{again}");
}

#[test]
fn what_is_no_registry_is_a_failure() {
    let (Some(bash), Some(_), Some(_)) = (tool("bash"), tool("curl"), tool("jq")) else { return };
    let tagstone = Registry::start();
    // Nothing listens there; and an answer that is no list of policies.
    let nobody = bash.run(&[SCRIPT, "http://127.0.0.1:1", tagstone.url(), "acme"]).failed();
    assert!(nobody.text().contains("Quay does not tell its policies"), "{nobody}");
    let page = format!("{}/healthz?", tagstone.url());
    let other = bash.run(&[SCRIPT, &page, tagstone.url(), "acme"]).failed();
    assert!(other.text().contains("is no JSON"), "{other}");
}

#[test]
fn wrong_usage_is_explained() {
    let Some(bash) = tool("bash") else { return };
    let usage = bash.run(&[SCRIPT, "http://127.0.0.1:1"]).failed();
    assert!(usage.stderr().contains("copy-quay-policies [--activate] QUAY TAGSTONE NAME..."), "{usage}");
}
