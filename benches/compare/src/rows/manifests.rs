//! Manifests read and written.

use crate::connection::Connection;
use crate::image::{Manifest, digest};
use crate::load::{Expect, Pace, Script, run};
use crate::population::{self, Pushes};
use crate::request::request;
use crate::server::{Kind, Server};
use crate::upload;
use crate::workload::{Aim, Figure, Scale, Size, Unit, Workload};
use crate::wrk;
use anyhow::{Result, ensure};
use std::collections::BTreeMap;
use std::time::Duration;

const READ_CLIENTS: usize = 64;
const READS: &[Aim] = &[Aim::Peer(8.0), Aim::Bare(0.7)];
const READ_TAIL: &[Aim] = &[Aim::Peer(2.0)];

/// No round of pushes is longer, so that a fast server's log stays comparable with a slow one's.
const MOST_PUSHES: u64 = 60_000;

/// GETs of one manifest by 64 clients.
pub(super) struct Get {
    scale: Scale,
    key: &'static str,
    title: String,
    size: Option<Size>,
    by_digest: bool,
    paths: BTreeMap<String, String>,
}

impl Get {
    pub(super) fn by_tag(scale: &Scale) -> Self {
        Self::new(scale, "get-tag", "manifest GET by tag".to_owned(), None, false)
    }

    pub(super) fn by_digest(scale: &Scale) -> Self {
        Self::new(scale, "get-digest", "manifest GET by digest".to_owned(), None, true)
    }

    pub(super) fn beside_many(scale: &Scale) -> Self {
        let title = format!("manifest GET by tag of {} tags", crate::number::grouped(scale.many));
        Self::new(scale, "get-many", title, Some(Size::Many), false)
    }

    fn new(scale: &Scale, key: &'static str, title: String, size: Option<Size>, by_digest: bool) -> Self {
        Self { scale: scale.clone(), key, title, size, by_digest, paths: BTreeMap::new() }
    }
}

/// A manifest in a repository of one tag, or in the middle of a filled one: its path by tag.
fn one_of(scale: &Scale, server: &Server, size: Option<Size>) -> Result<String> {
    let (repository, tags) = match size {
        Some(size) => scale.filled(server, size),
        None => (scale.repository("one"), 1),
    };
    if server.kind().is_registry() {
        population::tags(server, &repository, tags)?;
    }
    Ok(format!("/v2/{repository}/manifests/{}", population::tag(tags / 2)))
}

impl Workload for Get {
    fn key(&self) -> &'static str {
        self.key
    }

    fn figures(&self) -> Vec<Figure> {
        vec![
            Figure::new(self.title.as_str(), Unit::PerSecond, READS),
            Figure::new(format!("{}, p99", self.title), Unit::Milliseconds, READ_TAIL),
        ]
    }

    fn runs_on(&self, kind: Kind) -> bool {
        kind.is_registry() || kind == Kind::Bare
    }

    fn note(&self, server: &Server) -> Option<String> {
        self.size.and_then(|size| self.scale.fewer_tags(server, size))
    }

    fn prepare(&mut self, server: &Server) -> Result<()> {
        let by_tag = one_of(&self.scale, server, self.size)?;
        let mut connection = Connection::open(server.address())?;
        let body = connection.get(&by_tag)?.body;
        ensure!(body.len() == Manifest::default().numbered(0).len(), "the manifest has {} bytes", body.len());
        let path = match by_tag.rsplit_once('/') {
            Some((directory, _)) if self.by_digest => format!("{directory}/{}", digest(&body)),
            _ => by_tag,
        };
        ensure!(connection.get(&path)?.body == body, "{path} answers with another manifest");
        self.paths.insert(server.name().to_owned(), path);
        Ok(())
    }

    fn measure(&mut self, server: &Server) -> Result<Vec<f64>> {
        let report = wrk::get(server, &self.paths[server.name()], self.scale.seconds)?;
        Ok(vec![report.rate, report.p99_ms])
    }
}

/// HEADs by 64 clients. wrk waits for a body that never comes, so these go through the load generator.
pub(super) struct Head(Scale);

impl Head {
    pub(super) fn new(scale: &Scale) -> Self {
        Self(scale.clone())
    }
}

/// The same HEAD again and again.
struct Heads(Vec<u8>);

impl Script for Heads {
    fn first(&mut self, _operation: u64, out: &mut Vec<u8>) -> Expect {
        out.extend_from_slice(&self.0);
        Expect { status: 200, to_head: true }
    }
}

impl Workload for Head {
    fn key(&self) -> &'static str {
        "head"
    }

    fn figures(&self) -> Vec<Figure> {
        vec![Figure::new("manifest HEAD by tag", Unit::PerSecond, &[])]
    }

    fn runs_on(&self, kind: Kind) -> bool {
        kind.is_registry() || kind == Kind::Bare
    }

    fn prepare(&mut self, server: &Server) -> Result<()> {
        one_of(&self.0, server, None).map(|_| ())
    }

    fn measure(&mut self, server: &Server) -> Result<Vec<f64>> {
        let mut heads = Heads(Vec::new());
        request(&mut heads.0, "HEAD", &one_of(&self.0, server, None)?, server.host(), "", b"");
        let time = Duration::from_secs(self.0.seconds);
        Ok(vec![run(server, Pace { clients: READ_CLIENTS, operations: u64::MAX, time }, &mut heads)?.rate()])
    }
}

/// PUTs of distinct manifests, each under a tag of its own.
pub(super) struct Put {
    scale: Scale,
    clients: usize,
    key: &'static str,
    aims: &'static [Aim],
}

impl Put {
    pub(super) fn new(scale: &Scale, clients: usize) -> Self {
        let (key, aims): (_, &'static [Aim]) = match clients {
            1 => ("put-1", &[Aim::Peer(4.0)]),
            8 => ("put-8", &[Aim::Peer(8.0)]),
            _ => ("put-64", &[Aim::Peer(25.0)]),
        };
        Self { scale: scale.clone(), clients, key, aims }
    }

    fn repository(&self) -> String {
        self.scale.repository(self.key)
    }
}

impl Workload for Put {
    fn key(&self) -> &'static str {
        self.key
    }

    fn figures(&self) -> Vec<Figure> {
        let plural = if self.clients == 1 { "" } else { "s" };
        let title = format!("manifest PUT, {} client{plural}", self.clients);
        vec![
            Figure::new(title.as_str(), Unit::PerSecond, self.aims),
            Figure::new(format!("{title}, median"), Unit::Milliseconds, &[]),
        ]
    }

    fn prepare(&mut self, server: &Server) -> Result<()> {
        upload::blobs(&mut Connection::open(server.address())?, &self.repository())
    }

    fn measure(&mut self, server: &Server) -> Result<Vec<f64>> {
        let repository = self.repository();
        let mut pushes = Pushes::new(server, &repository, |series, operation| format!("p{series}-{operation}"));
        let time = Duration::from_secs(self.scale.seconds);
        let outcome = run(server, Pace { clients: self.clients, operations: MOST_PUSHES, time }, &mut pushes)?;
        // A server that answers 201 and keeps nothing would be the fastest.
        let mut connection = Connection::open(server.address())?;
        for operation in [0, outcome.operations() / 2, outcome.operations() - 1] {
            let answer = connection.get(&format!("/v2/{repository}/manifests/{}", pushes.tag(operation)))?;
            ensure!(answer.body == pushes.manifest(operation), "push {operation} reads back differently");
        }
        Ok(vec![outcome.rate(), outcome.median_ms()])
    }
}
