//! Questions to a registry with a long history, over one connection.

use crate::Bench;
use crate::figure::{Aim, Row};
use crate::latency::Latencies;
use crate::made::Sample;
use crate::starts::drop_page_cache;
use anyhow::{Context, Result};
use tagstone_compare::number::grouped;

/// What the history of one tag should take at most, in milliseconds.
const AIM: Aim = Aim::AtMost(5.0);

/// So often each tag is asked for to find the slowest one: what is slow once may be slow for what else the machine does.
const ASKINGS: usize = 5;

/// Questions that are asked while nothing is in the page cache; soon it is.
const COLD: usize = 30;

/// What every answer to a kind of question holds.
const A_MANIFEST: &str = "\"digest\"";
const AN_EVENT: &str = "\"kind\"";
/// In a short history there are repositories in which no tag was deleted.
const A_PAGE: &str = "\"events\"";
const A_TAG: &str = "\"name\"";
const A_FINGERPRINT: &str = "\"fingerprint\"";

/// A kind of question: the key of its row, what is asked, the path, and what an answer holds.
type Kind = (&'static str, &'static str, fn(&Sample) -> String, &'static str);

const KINDS: &[Kind] = &[
    ("tag-list", "Quay's listing of one tag, with its past", one_tag, A_TAG),
    ("events", "events of a tag", of_tag, AN_EVENT),
    ("events", "events of a repository and a kind", of_kind, A_PAGE),
    ("events", "events of a digest", of_digest, AN_EVENT),
    ("events", "events of an actor, newest first", of_actor, AN_EVENT),
    ("events", "the last 50 events", last, AN_EVENT),
];

pub(crate) fn rows(bench: &mut Bench<'_>) -> Result<Vec<Row>> {
    bench.first_start()?;
    let registry = bench.start()?;
    registry.wait_for_index()?;
    let (count, made) = (bench.scale.questions, bench.made()?);
    let mut connection = registry.connect()?;
    let floor = Latencies::of(&mut connection, made.some(0, count).map(|_| "/v2/".to_owned()), "")?;
    let beside = |median: f64| (median / floor.median(), "GET /v2/");
    let asked = Latencies::of(&mut connection, made.some(1, count).map(history), A_MANIFEST)?;
    let again = Latencies::of_medians(&mut connection, made.some(1, count).map(history), A_MANIFEST, ASKINGS)?;
    let title = format!("history of one tag of {} events, median of {}", grouped(made.events), grouped(count as u64));
    let slowest = format!("the slowest of these tags, each the median of {ASKINGS}");
    let row = |title: &str, figure: f64, floor: f64, what| {
        Row::once("tag-history", title, "ms", figure).aim(AIM).beside(figure / floor, what)
    };
    let mut rows = vec![
        row(&title, asked.median(), floor.median(), "GET /v2/"),
        row("the same, 99th percentile", asked.p99(), floor.p99(), "that of GET /v2/"),
        row("the same, longest", asked.longest(), floor.longest(), "that of GET /v2/"),
        row(&slowest, again.longest(), floor.median(), "GET /v2/"),
    ];
    for (time, (key, title, path, holds)) in (2..).zip(KINDS) {
        let asked = Latencies::of(&mut connection, made.some(time, count).map(path), holds)?;
        let (times, what) = beside(asked.median());
        rows.push(Row::once(key, format!("{title}, median"), "ms", asked.median()).beside(times, what));
        rows.push(Row::once(key, "the same, 99th percentile", "ms", asked.p99()));
    }
    // Asked once: it is kept for as long as nothing is written.
    let head = Latencies::of(&mut connection, ["/api/v1/log/head".to_owned()].into_iter(), A_FINGERPRINT)?;
    let title = "the head of the log, with the fingerprint of the state";
    rows.push(Row::once("log-head", title, "s", head.longest() / 1e3));
    drop(connection);
    registry.stop()?;
    Ok(rows)
}

/// The first questions after a start, with nothing in the page cache. Nothing where that is not ours to drop.
pub(crate) fn cold(bench: &mut Bench<'_>) -> Result<Vec<Row>> {
    bench.first_start()?;
    let registry = bench.start()?;
    registry.wait_for_index()?;
    let mut connection = registry.connect()?;
    let made = bench.made.as_ref().context("no history was made")?;
    let rows = match drop_page_cache("tag-history-cold")? {
        false => Vec::new(),
        true => {
            let asked = Latencies::of(&mut connection, made.some(8, COLD).map(history), A_MANIFEST)?;
            let title = format!("the first {COLD} questions, nothing in the page cache, median");
            vec![
                Row::once("tag-history-cold", title, "ms", asked.median()),
                Row::once("tag-history-cold", "the same, longest", "ms", asked.longest()),
            ]
        }
    };
    drop(connection);
    registry.stop()?;
    Ok(rows)
}

fn history(sample: &Sample) -> String {
    format!("/v2/{}/_oci/tag-history/{}", sample.repository, sample.tag)
}

fn one_tag(sample: &Sample) -> String {
    format!("/api/v1/repository/{}/tag/?specificTag={}", sample.repository, sample.tag)
}

fn of_tag(sample: &Sample) -> String {
    format!("/api/v1/events?repository={}&tag={}&n=50", sample.repository, sample.tag)
}

fn of_kind(sample: &Sample) -> String {
    format!("/api/v1/events?repository={}&kind=tag_deleted&n=50", sample.repository)
}

fn of_digest(sample: &Sample) -> String {
    format!("/api/v1/events?digest={}&n=50", sample.digest)
}

fn of_actor(_: &Sample) -> String {
    "/api/v1/events?actor=robot-3&order=desc&n=50".to_owned()
}

fn last(_: &Sample) -> String {
    "/api/v1/events?n=50".to_owned()
}
