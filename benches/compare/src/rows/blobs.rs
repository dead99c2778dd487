//! Blobs: small ones by the thousand, and one of 1 GiB in each direction.

use crate::answer::Answer;
use crate::connection::Connection;
use crate::image::{Large, SmallBlob, digest, series};
use crate::load::{Expect, Pace, Script, run};
use crate::peers::STATIC_PATH;
use crate::request::{finish, request};
use crate::server::{Kind, Server};
use crate::upload::open_upload;
use crate::workload::{Aim, Figure, Scale, Unit, Workload};
use anyhow::{Context, Result, ensure};
use std::collections::BTreeMap;
use std::time::{Duration, Instant};

const SMALL_CLIENTS: usize = 8;
const MOST_SMALL: u64 = 30_000;

/// Uploads of distinct 4 KiB blobs: POST, then PUT with the body.
pub(super) struct Small(Scale);

impl Small {
    pub(super) fn new(scale: &Scale) -> Self {
        Self(scale.clone())
    }
}

struct SmallUploads {
    host: String,
    repository: String,
    blob: SmallBlob,
    series: u64,
    digests: Vec<String>,
    opened: Vec<bool>,
}

impl SmallUploads {
    /// Digests are computed here, before the clock starts.
    fn new(server: &Server, repository: &str, count: u64) -> Result<Self> {
        let (mut blob, series) = (SmallBlob::default(), series());
        let digests = (0..count).map(|number| digest(blob.numbered(series + number))).collect();
        let opened = vec![false; usize::try_from(count)?];
        Ok(Self { host: server.host().to_owned(), repository: repository.to_owned(), blob, series, digests, opened })
    }
}

impl Script for SmallUploads {
    fn first(&mut self, _operation: u64, out: &mut Vec<u8>) -> Expect {
        request(out, "POST", &format!("/v2/{}/blobs/uploads/", self.repository), &self.host, "", b"");
        Expect::status(202)
    }

    fn next(&mut self, operation: u64, answer: &Answer, out: &mut Vec<u8>) -> Result<Option<Expect>> {
        let place = usize::try_from(operation)?;
        if std::mem::replace(&mut self.opened[place], true) {
            return Ok(None);
        }
        let location = answer.head.location.as_deref().context("an upload without a Location")?;
        let path = finish(location, &self.digests[place]);
        let body = self.blob.numbered(self.series + operation);
        request(out, "PUT", &path, &self.host, "application/octet-stream", body);
        Ok(Some(Expect::status(201)))
    }
}

impl Workload for Small {
    fn key(&self) -> &'static str {
        "small-blobs"
    }

    fn figures(&self) -> Vec<Figure> {
        let title = format!("blobs of 4 KiB, {SMALL_CLIENTS} clients");
        vec![
            Figure::new(title.as_str(), Unit::PerSecond, &[Aim::Peer(4.0)]),
            Figure::new(format!("{title}, median"), Unit::Milliseconds, &[]),
        ]
    }

    fn prepare(&mut self, _server: &Server) -> Result<()> {
        Ok(())
    }

    fn measure(&mut self, server: &Server) -> Result<Vec<f64>> {
        let repository = self.0.repository("small");
        let mut uploads = SmallUploads::new(server, &repository, MOST_SMALL)?;
        let time = Duration::from_secs(self.0.seconds);
        let outcome = run(server, Pace { clients: SMALL_CLIENTS, operations: MOST_SMALL, time }, &mut uploads)?;
        let mut connection = Connection::open(server.address())?;
        for operation in [0, outcome.operations() - 1] {
            let digest = &uploads.digests[usize::try_from(operation)?];
            let answer = connection.get(&format!("/v2/{repository}/blobs/{digest}"))?;
            ensure!(answer.body == uploads.blob.numbered(uploads.series + operation), "a blob reads back differently");
        }
        Ok(vec![outcome.rate(), outcome.median_ms()])
    }
}

/// One upload of a large blob over one connection.
pub(super) struct Upload {
    scale: Scale,
    in_parts: bool,
}

impl Upload {
    /// POST, then PUT with the whole body.
    pub(super) fn whole(scale: &Scale) -> Self {
        Self { scale: scale.clone(), in_parts: false }
    }

    /// POST, then PATCH with the body, then PUT without one: what most clients do.
    pub(super) fn in_parts(scale: &Scale) -> Self {
        Self { scale: scale.clone(), in_parts: true }
    }
}

fn upload(server: &Server, repository: &str, large: &Large, in_parts: bool) -> Result<()> {
    let mut connection = Connection::open(server.address())?;
    let mut location = open_upload(&mut connection, repository)?;
    if in_parts {
        let answer = connection.stream(202, "PATCH", &location, large)?;
        location = answer.head.location.context("a PATCH without a Location")?;
        connection.ask(201, "PUT", &finish(&location, large.digest()), "", b"")?;
    } else {
        connection.stream(201, "PUT", &finish(&location, large.digest()), large)?;
    }
    Ok(())
}

fn megabytes_per_second(bytes: u64, time: Duration) -> f64 {
    bytes as f64 / 1e6 / time.as_secs_f64()
}

fn size_text(bytes: u64) -> String {
    if bytes.is_multiple_of(1 << 30) { format!("{} GiB", bytes >> 30) } else { format!("{} MiB", bytes >> 20) }
}

impl Workload for Upload {
    fn key(&self) -> &'static str {
        if self.in_parts { "blob-patch" } else { "blob-put" }
    }

    fn figures(&self) -> Vec<Figure> {
        let how = if self.in_parts { "POST+PATCH+PUT" } else { "POST+PUT" };
        let title = format!("blob {how} of {}", size_text(self.scale.large));
        vec![Figure::new(title, Unit::MegabytesPerSecond, &[Aim::Peer(3.0)])]
    }

    fn prepare(&mut self, _server: &Server) -> Result<()> {
        Ok(())
    }

    fn measure(&mut self, server: &Server) -> Result<Vec<f64>> {
        let repository = self.scale.repository("large");
        let large = Large::new(self.scale.large, series())?;
        let start = Instant::now();
        upload(server, &repository, &large, self.in_parts)?;
        let time = start.elapsed();
        let path = format!("/v2/{repository}/blobs/{}", large.digest());
        Connection::open(server.address())?.ask(200, "HEAD", &path, "", b"")?;
        Ok(vec![megabytes_per_second(large.size(), time)])
    }
}

/// One download of a large blob over one connection, thrown away as it arrives.
pub(super) struct Download {
    scale: Scale,
    paths: BTreeMap<String, String>,
}

impl Download {
    pub(super) fn new(scale: &Scale) -> Self {
        Self { scale: scale.clone(), paths: BTreeMap::new() }
    }
}

impl Workload for Download {
    fn key(&self) -> &'static str {
        "blob-get"
    }

    fn figures(&self) -> Vec<Figure> {
        let title = format!("blob GET of {}", size_text(self.scale.large));
        vec![Figure::new(title, Unit::MegabytesPerSecond, &[Aim::Static(1.0)])]
    }

    fn runs_on(&self, kind: Kind) -> bool {
        kind.is_registry() || kind == Kind::Static
    }

    fn prepare(&mut self, server: &Server) -> Result<()> {
        let path = if server.kind() == Kind::Static {
            STATIC_PATH.to_owned()
        } else {
            let (repository, large) = (self.scale.repository("pulled"), Large::new(self.scale.large, 0)?);
            upload(server, &repository, &large, false)?;
            format!("/v2/{repository}/blobs/{}", large.digest())
        };
        // The first read brings the file into the page cache; what is measured is the way out of it.
        let size = Connection::open(server.address())?.drain(&path)?;
        ensure!(size >= self.scale.large, "{path} has {size} bytes");
        self.paths.insert(server.name().to_owned(), path);
        Ok(())
    }

    fn measure(&mut self, server: &Server) -> Result<Vec<f64>> {
        let mut connection = Connection::open(server.address())?;
        let start = Instant::now();
        let size = connection.drain(&self.paths[server.name()])?;
        Ok(vec![megabytes_per_second(size, start.elapsed())])
    }
}
