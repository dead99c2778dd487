//! What happened, by any choice of filters.

use rand::RngExt;
use rand::rngs::StdRng;
use serde_json::{Value, json};

use super::filter::Filter;
use super::{Door, assert_within};
use crate::account::Account;

/// What an event tells only if the account knows it.
const TOLD_OR_NOT: [&str; 8] = ["repository", "tag", "digest", "from", "to", "cause", "policy", "reason"];

/// The events that a filter selects, the oldest first.
pub(crate) fn selected(account: &Account, filter: &Filter) -> Vec<Value> {
    account.happened.iter().filter(|event| filter.selects(event)).cloned().map(expected).collect()
}

fn expected(mut event: Value) -> Value {
    if let Value::Object(fields) = &mut event {
        for name in TOLD_OR_NOT {
            fields.entry(name).or_insert(Value::Null);
        }
    }
    in_one_order(event)
}

/// Attempts that were made at the same moment have no order.
pub(crate) fn in_one_order(mut event: Value) -> Value {
    if let Some(Value::Array(entries)) = event.get_mut("entries") {
        entries.sort_by_cached_key(Value::to_string);
    }
    event
}

/// Compares what was told, the oldest first, with what the account has.
#[track_caller]
pub(crate) fn assert_events(question: &str, told: Vec<Value>, account: &Account, filter: &Filter) {
    let told = told.into_iter().map(in_one_order).collect();
    assert_within(question, &Value::Array(told), &Value::Array(selected(account, filter)));
}

/// Asks for some events, page by page, in one of both orders.
pub(crate) async fn events(door: &Door<'_>, account: &Account, random: &mut StdRng) {
    let filter = Filter::drawn(random, &account.happened);
    let (descending, order) = [(true, ""), (true, "&order=desc"), (false, "&order=asc")][random.random_range(0..3)];
    let n = random.random_range(1..=300).max(account.happened.len() / 40);
    let question = format!("/api/v1/events?n={n}{order}{}", filter.query());
    let (mut told, mut next) = (Vec::new(), String::new());
    loop {
        let (status, mut part) = door.json(&format!("{question}{next}")).await;
        assert_eq!(status, 200, "{question}{next}: {part}");
        if let Value::Array(events) = part["events"].take() {
            assert!(events.len() <= n, "{question}{next}: {} events", events.len());
            told.extend(events);
        }
        match part["next"].as_str() {
            Some(place) => next = format!("&next={place}"),
            None => break,
        }
    }
    if descending {
        told.reverse();
    }
    assert_events(&question, told, account, &filter);
}

/// What a stream sends behind an event, up to the last one.
pub(crate) fn stream(url: &str, account: &Account, random: &mut StdRng) {
    use std::io::BufRead;

    let behind = random.random_range(0..account.happened.len());
    let id = format!("{}.{}", account.happened[behind]["seq"], account.happened[behind]["index"]);
    let answer = ureq::get(format!("{url}/api/v1/events/stream")).header("Last-Event-ID", &id).call().unwrap();
    let expected: Vec<_> = account.happened[behind + 1..].iter().cloned().map(expected).collect();
    let (mut told, mut ids) = (Vec::new(), Vec::new());
    let mut lines = std::io::BufReader::new(answer.into_body().into_reader()).lines();
    while told.len() < expected.len() {
        let line = lines.next().unwrap_or_else(|| panic!("the stream behind {id} has ended")).unwrap();
        if let Some(data) = line.strip_prefix("data: ") {
            told.push(in_one_order(serde_json::from_str(data).unwrap()));
        } else if let Some(id) = line.strip_prefix("id: ") {
            ids.push(json!(id));
        }
    }
    let question = format!("the stream behind {id}");
    assert_within(&question, &Value::Array(told), &Value::Array(expected.clone()));
    let of = |event: &Value| json!(format!("{}.{}", event["seq"], event["index"]));
    assert_within(&format!("ids of {question}"), &Value::Array(ids), &expected.iter().map(of).collect());
}
