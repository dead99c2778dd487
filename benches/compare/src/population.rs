//! What must be in a registry before it can be measured.

use crate::answer::Answer;
use crate::connection::Connection;
use crate::image::{CONFIG, LAYER, MANIFEST_TYPE, Manifest, digest, series};
use crate::load::{Expect, Pace, Script, run};
use crate::request::request;
use crate::server::Server;
use crate::upload;
use anyhow::Result;
use std::time::Duration;

/// Clients that fill a repository.
const CLIENTS: usize = 64;

const NO_LIMIT: Duration = Duration::from_secs(3600);

/// The name of tag `number` of a filled repository; they sort as their numbers do.
pub(crate) fn tag(number: u64) -> String {
    format!("t{number:09}")
}

/// Pushes of distinct manifests under distinct tags.
pub(crate) struct Pushes<'a> {
    host: &'a str,
    repository: &'a str,
    manifest: Manifest,
    /// Added to the operation's number to make the manifest's.
    series: u64,
    name: fn(u64, u64) -> String,
}

impl<'a> Pushes<'a> {
    pub(crate) fn new(server: &'a Server, repository: &'a str, name: fn(u64, u64) -> String) -> Self {
        Self { host: server.host(), repository, manifest: Manifest::default(), series: series(), name }
    }

    pub(crate) fn tag(&self, operation: u64) -> String {
        (self.name)(self.series, operation)
    }

    pub(crate) fn manifest(&mut self, operation: u64) -> &[u8] {
        self.manifest.numbered(self.series + operation)
    }
}

impl Script for Pushes<'_> {
    fn first(&mut self, operation: u64, out: &mut Vec<u8>) -> Expect {
        let tag = self.tag(operation);
        let body = self.manifest.numbered(self.series + operation);
        request(out, "PUT", &format!("/v2/{}/manifests/{tag}", self.repository), self.host, MANIFEST_TYPE, body);
        Expect::status(201)
    }
}

/// Fills `repository` with `tags` tags, each on a manifest of its own, unless it is filled already.
pub(crate) fn tags(server: &Server, repository: &str, tags: u64) -> Result<()> {
    if server.populated.borrow().get(repository) == Some(&tags) {
        return Ok(());
    }
    upload::blobs(&mut Connection::open(server.address())?, repository)?;
    let mut pushes = Pushes::new(server, repository, |_, operation| tag(operation));
    let clients = usize::try_from(tags)?.min(CLIENTS);
    let outcome = run(server, Pace { clients, operations: tags, time: NO_LIMIT }, &mut pushes)?;
    if tags > 1 {
        eprintln!("  {}: {tags} tags in {:.1} s", server.name(), outcome.seconds);
    }
    server.populated.borrow_mut().insert(repository.to_owned(), tags);
    Ok(())
}

/// Repositories of one manifest each: the two blobs are mounted, then the manifest is pushed.
struct Repositories<'a> {
    host: &'a str,
    from: &'a str,
    prefix: &'a str,
    digests: [String; 2],
    manifest: Manifest,
    step: Vec<u8>,
}

impl Repositories<'_> {
    fn mount(&self, operation: u64, which: usize, out: &mut Vec<u8>) -> Expect {
        let path = format!(
            "/v2/{}{}/blobs/uploads/?mount={}&from={}",
            self.prefix,
            tag(operation),
            self.digests[which],
            self.from
        );
        request(out, "POST", &path, self.host, "", b"");
        Expect::status(201)
    }
}

impl Script for Repositories<'_> {
    fn first(&mut self, operation: u64, out: &mut Vec<u8>) -> Expect {
        self.mount(operation, 0, out)
    }

    fn next(&mut self, operation: u64, _answer: &Answer, out: &mut Vec<u8>) -> Result<Option<Expect>> {
        let step = &mut self.step[usize::try_from(operation)?];
        *step += 1;
        Ok(match *step {
            1 => Some(self.mount(operation, 1, out)),
            2 => {
                let path = format!("/v2/{}{}/manifests/latest", self.prefix, tag(operation));
                request(out, "PUT", &path, self.host, MANIFEST_TYPE, self.manifest.numbered(0));
                Some(Expect::status(201))
            }
            _ => None,
        })
    }
}

/// Makes `count` repositories `<prefix>t000000000` and on, unless they are there already.
pub(crate) fn repositories(server: &Server, prefix: &str, count: u64) -> Result<()> {
    if server.populated.borrow().get(prefix) == Some(&count) {
        return Ok(());
    }
    let from = format!("{prefix}source");
    upload::blobs(&mut Connection::open(server.address())?, &from)?;
    let mut script = Repositories {
        host: server.host(),
        from: &from,
        prefix,
        digests: [digest(CONFIG), digest(LAYER)],
        manifest: Manifest::default(),
        step: vec![0; usize::try_from(count)?],
    };
    let outcome = run(server, Pace { clients: CLIENTS, operations: count, time: NO_LIMIT }, &mut script)?;
    eprintln!("  {}: {count} repositories in {:.1} s", server.name(), outcome.seconds);
    server.populated.borrow_mut().insert(prefix.to_owned(), count);
    Ok(())
}
