//! What policies cost: a push under a thousand of them, an activation and a preview over a million tags.

use crate::answer::Answer;
use crate::connection::Connection;
use crate::image::{MANIFEST_TYPE, Manifest, digest, series};
use crate::load::{Expect, Pace, Script, run};
use crate::number::grouped;
use crate::population::{Pushes, tag};
use crate::request::request;
use crate::server::{Kind, Server};
use crate::upload;
use crate::workload::{Aim, Figure, Scale, Unit, Workload};
use anyhow::{Context, Result, ensure};
use serde_json::Value;
use std::time::{Duration, Instant};

const NO_LIMIT: Duration = Duration::from_secs(600);

/// Tags that one push of the preparation makes.
/// Each comes back in a header of its own, of which the parser of answers takes so many.
const TAGS_A_PUSH: u64 = 32;

/// Pushes move as many different tags, one after another.
const MOVED: u64 = 1_000;

/// How often the two sides take turns within one round.
const TURNS: usize = 3;

/// Two repositories with the same tags, of which one has many policies in scope.
pub(super) struct Policies {
    scale: Scale,
}

impl Policies {
    pub(super) fn new(scale: &Scale) -> Self {
        Self { scale: scale.clone() }
    }

    fn namespace(&self, which: &str) -> String {
        self.scale.repository(which)
    }

    /// The median latency of one client, and the rate of 64, that move tags.
    fn moves(&self, server: &Server, which: &str) -> Result<(f64, f64)> {
        let repository = format!("{}/app", self.namespace(which));
        let mut pushes = Pushes::new(server, &repository, |_, operation| tag(operation % MOVED));
        let alone = run(server, Pace { clients: 1, operations: self.scale.moves / 8, time: NO_LIMIT }, &mut pushes)?;
        let mut pushes = Pushes::new(server, &repository, |_, operation| tag(operation % MOVED));
        let many = run(server, Pace { clients: 64, operations: self.scale.moves, time: NO_LIMIT }, &mut pushes)?;
        Ok((alone.median_ms(), many.rate()))
    }

    /// The time of a request to the policies of the namespace that has them, and what was answered.
    fn timed(
        &self,
        connection: &mut Connection,
        status: u16,
        method: &str,
        path: &str,
        body: &str,
    ) -> Result<(f64, Value)> {
        let path = format!("/api/v1/organization/{}/immutabilitypolicy/{path}", self.namespace("ruled"));
        let began = Instant::now();
        let answer = connection.ask(status, method, &path, "application/json", body.as_bytes())?;
        let taken = began.elapsed().as_secs_f64() * 1e3;
        Ok((taken, serde_json::from_slice(&answer.body).unwrap_or_default()))
    }
}

/// Pushes that make many tags each.
struct Fill<'a> {
    host: &'a str,
    repository: &'a str,
    manifest: Manifest,
    series: u64,
}

impl Script for Fill<'_> {
    fn first(&mut self, operation: u64, out: &mut Vec<u8>) -> Expect {
        let body = self.manifest.numbered(self.series + operation);
        let tags =
            (operation * TAGS_A_PUSH..(operation + 1) * TAGS_A_PUSH).map(|number| format!("tag={}", tag(number)));
        let tags: Vec<_> = tags.collect();
        let path = format!("/v2/{}/manifests/{}?{}", self.repository, digest(body), tags.join("&"));
        request(out, "PUT", &path, self.host, MANIFEST_TYPE, body);
        Expect::status(201)
    }

    fn next(&mut self, _operation: u64, _answer: &Answer, _out: &mut Vec<u8>) -> Result<Option<Expect>> {
        Ok(None)
    }
}

impl Workload for Policies {
    fn key(&self) -> &'static str {
        "policies"
    }

    fn figures(&self) -> Vec<Figure> {
        let (tags, policies) = (grouped(self.scale.tagged), grouped(self.scale.policies));
        let costs = |clients| {
            format!("PUT that moves one of {tags} tags, under {policies} policies: cost against none, {clients}")
        };
        vec![
            Figure::new(costs("1 client"), Unit::Times, &[Aim::Under(1.2)]),
            Figure::new(costs("64 clients"), Unit::Times, &[Aim::Under(1.2)]),
            Figure::new(format!("activation of a policy over {tags} tags"), Unit::Milliseconds, &[Aim::Under(20.0)]),
            Figure::new(format!("preview of a policy over {tags} tags"), Unit::Milliseconds, &[Aim::Under(2000.0)]),
        ]
    }

    /// Others have no policies.
    fn runs_on(&self, kind: Kind) -> bool {
        kind == Kind::Tagstone
    }

    fn prepare(&mut self, server: &Server) -> Result<()> {
        for which in ["free", "ruled"] {
            let repository = format!("{}/app", self.namespace(which));
            upload::blobs(&mut Connection::open(server.address())?, &repository)?;
            let mut fill =
                Fill { host: server.host(), repository: &repository, manifest: Manifest::default(), series: series() };
            let operations = self.scale.tagged / TAGS_A_PUSH;
            let outcome = run(server, Pace { clients: 16, operations, time: NO_LIMIT }, &mut fill)?;
            eprintln!("  {}: {} tags in {:.1} s", server.name(), operations * TAGS_A_PUSH, outcome.seconds);
        }
        let mut connection = Connection::open(server.address())?;
        let began = Instant::now();
        for number in 0..self.scale.policies {
            let body = format!(r#"{{"tagPattern": "team{number}-[0-9]+\\.[0-9]+(-rc[0-9]*)?"}}"#);
            self.timed(&mut connection, 201, "POST", "", &body)?;
        }
        eprintln!("  {}: {} policies in {:.1} s", server.name(), self.scale.policies, began.elapsed().as_secs_f64());
        Ok(())
    }

    fn measure(&mut self, server: &Server) -> Result<Vec<f64>> {
        let (mut alone, mut many) = (Vec::new(), Vec::new());
        for _ in 0..TURNS {
            let (free, ruled) = (self.moves(server, "free")?, self.moves(server, "ruled")?);
            alone.push(ruled.0 / free.0);
            many.push(free.1 / ruled.1);
        }
        let mut connection = Connection::open(server.address())?;
        // No push of this comparison has such a name, so that nothing is protected when the next round moves tags.
        let body = r#"{"tagPattern": "t[0-9]+x", "active": false}"#;
        let (_, draft) = self.timed(&mut connection, 201, "POST", "", body)?;
        let id = draft["uuid"].as_str().context("a draft without an id")?.to_owned();
        let (activation, _) = self.timed(&mut connection, 200, "POST", &format!("{id}/activate"), "")?;
        self.timed(&mut connection, 200, "DELETE", &id, "")?;
        let (preview, told) = self.timed(&mut connection, 200, "POST", "preview", r#"{"tagPattern": "t[0-9]+5"}"#)?;
        let in_scope = told["tags_in_scope"].as_u64().context("a preview without a count")?;
        ensure!(in_scope >= self.scale.tagged / TAGS_A_PUSH * TAGS_A_PUSH, "a preview over {in_scope} tags only");
        Ok(vec![median(alone), median(many), activation, preview])
    }
}

fn median(mut numbers: Vec<f64>) -> f64 {
    numbers.sort_unstable_by(f64::total_cmp);
    numbers[numbers.len() / 2]
}
