//! Pages of lists, asked for by one client again and again.

use crate::answer::Answer;
use crate::connection::Connection;
use crate::load::{Expect, Pace, Script, run};
use crate::population;
use crate::request::request;
use crate::server::Server;
use crate::workload::{Aim, Figure, Scale, Size, Unit, Workload};
use anyhow::{Context, Result, ensure};
use std::collections::BTreeSet;
use std::time::Duration;

/// Entries of one page.
const PAGE: usize = 100;

const MOST_PAGES: u64 = 5_000;

/// The same page again and again; every answer must be as long as the first.
struct Pages {
    request: Vec<u8>,
    length: usize,
}

impl Script for Pages {
    fn first(&mut self, _operation: u64, out: &mut Vec<u8>) -> Expect {
        out.extend_from_slice(&self.request);
        Expect::status(200)
    }

    fn next(&mut self, _operation: u64, answer: &Answer, _out: &mut Vec<u8>) -> Result<Option<Expect>> {
        ensure!(answer.body.len() == self.length, "a page of {} bytes, then {}", self.length, answer.body.len());
        Ok(None)
    }
}

fn page(server: &Server, path: &str, scale: &Scale) -> Result<f64> {
    let length = Connection::open(server.address())?.get(path)?.body.len();
    let mut pages = Pages { request: Vec::new(), length };
    request(&mut pages.request, "GET", path, server.host(), "", b"");
    let time = Duration::from_secs(scale.seconds);
    Ok(run(server, Pace { clients: 1, operations: MOST_PAGES, time }, &mut pages)?.median_ms())
}

/// The names in the list `field` of the answer at `path`.
fn names(server: &Server, path: &str, field: &str) -> Result<Vec<String>> {
    let body = Connection::open(server.address())?.get(path)?.body;
    let value: serde_json::Value = serde_json::from_slice(&body).with_context(|| format!("{path} is no JSON"))?;
    let list = value[field].as_array().with_context(|| format!("{path} has no list {field:?}"))?;
    list.iter().map(|name| name.as_str().map(str::to_owned).context("a name that is no text")).collect()
}

/// `tags/list?n=100` of the larger repository.
pub(super) struct Tags {
    scale: Scale,
    middle: bool,
    /// Servers that answer with the whole list instead of a page.
    unpaged: BTreeSet<String>,
}

impl Tags {
    pub(super) fn first_page(scale: &Scale) -> Self {
        Self { scale: scale.clone(), middle: false, unpaged: BTreeSet::new() }
    }

    pub(super) fn middle_page(scale: &Scale) -> Self {
        Self { middle: true, ..Self::first_page(scale) }
    }

    /// The page's path, and the first tag that belongs on it.
    fn path(&self, server: &Server) -> (String, String) {
        let (repository, tags) = self.scale.filled(server, Size::Many);
        let path = format!("/v2/{repository}/tags/list?n={PAGE}");
        if self.middle {
            (format!("{path}&last={}", population::tag(tags / 2)), population::tag(tags / 2 + 1))
        } else {
            (path, population::tag(0))
        }
    }
}

impl Workload for Tags {
    fn key(&self) -> &'static str {
        if self.middle { "tags-middle" } else { "tags-first" }
    }

    fn figures(&self) -> Vec<Figure> {
        let which = if self.middle { "middle" } else { "first" };
        let title = format!("tags/list n={PAGE} of {}, {which} page", crate::number::grouped(self.scale.many));
        vec![Figure::new(title, Unit::Milliseconds, &[Aim::Under(0.2)])]
    }

    fn note(&self, server: &Server) -> Option<String> {
        let fewer = self.scale.fewer_tags(server, Size::Many);
        let unpaged = self.unpaged.contains(server.name()).then(|| "ignores n and answers with all".to_owned());
        let notes: Vec<String> = fewer.into_iter().chain(unpaged).collect();
        (!notes.is_empty()).then(|| notes.join("; "))
    }

    fn prepare(&mut self, server: &Server) -> Result<()> {
        let (repository, tags) = self.scale.filled(server, Size::Many);
        population::tags(server, &repository, tags)?;
        let (path, first) = self.path(server);
        let found = names(server, &path, "tags")?;
        if found.len() as u64 >= tags {
            self.unpaged.insert(server.name().to_owned());
        } else {
            ensure!(found.len() == PAGE, "{path} has {} tags", found.len());
            ensure!(found[0] == first, "{path} begins with {:?} instead of {first:?}", found[0]);
        }
        Ok(())
    }

    fn measure(&mut self, server: &Server) -> Result<Vec<f64>> {
        Ok(vec![page(server, &self.path(server).0, &self.scale)?])
    }
}

/// `_catalog?n=100`.
pub(super) struct Catalog {
    scale: Scale,
    middle: bool,
}

impl Catalog {
    pub(super) fn first_page(scale: &Scale) -> Self {
        Self { scale: scale.clone(), middle: false }
    }

    pub(super) fn middle_page(scale: &Scale) -> Self {
        Self { scale: scale.clone(), middle: true }
    }

    fn prefix(&self) -> String {
        self.scale.repository("catalog/")
    }

    fn path(&self, server: &Server) -> String {
        let path = format!("/v2/_catalog?n={PAGE}");
        if self.middle {
            let middle = population::tag(self.scale.repositories_on(server) / 2);
            format!("{path}&last={}{middle}", self.prefix())
        } else {
            path
        }
    }
}

impl Workload for Catalog {
    fn key(&self) -> &'static str {
        if self.middle { "catalog-middle" } else { "catalog-first" }
    }

    fn figures(&self) -> Vec<Figure> {
        let which = if self.middle { "middle" } else { "first" };
        let count = crate::number::grouped(self.scale.repositories);
        let title = format!("_catalog n={PAGE} of {count}, {which} page");
        vec![Figure::new(title, Unit::Milliseconds, &[Aim::Under(0.15)])]
    }

    fn note(&self, server: &Server) -> Option<String> {
        let count = self.scale.repositories_on(server);
        (count != self.scale.repositories).then(|| format!("of {} repositories", crate::number::grouped(count)))
    }

    fn prepare(&mut self, server: &Server) -> Result<()> {
        population::repositories(server, &self.prefix(), self.scale.repositories_on(server))?;
        let path = self.path(server);
        let found = names(server, &path, "repositories")?;
        ensure!(found.len() == PAGE, "{path} has {} repositories", found.len());
        Ok(())
    }

    fn measure(&mut self, server: &Server) -> Result<Vec<f64>> {
        Ok(vec![page(server, &self.path(server), &self.scale)?])
    }
}
