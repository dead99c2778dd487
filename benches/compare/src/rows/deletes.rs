//! Manifests deleted by digest in a filled repository.

use crate::load::{Expect, Pace, Script, run};
use crate::population::{self, Pushes};
use crate::request::request;
use crate::server::Server;
use crate::workload::{Aim, Figure, Scale, Size, Unit, Workload};
use anyhow::Result;
use std::time::Duration;

const NO_LIMIT: Duration = Duration::from_secs(600);

/// Deletes by digest, one after another, each of a manifest that has one tag.
pub(super) struct Delete {
    scale: Scale,
    size: Size,
}

impl Delete {
    pub(super) fn new(scale: &Scale, size: Size) -> Self {
        Self { scale: scale.clone(), size }
    }
}

struct Deletes {
    host: String,
    paths: Vec<String>,
}

impl Script for Deletes {
    fn first(&mut self, operation: u64, out: &mut Vec<u8>) -> Expect {
        let place = usize::try_from(operation).unwrap_or(usize::MAX);
        request(out, "DELETE", &self.paths[place], &self.host, "", b"");
        Expect::status(202)
    }
}

impl Workload for Delete {
    fn key(&self) -> &'static str {
        match self.size {
            Size::Some => "delete-some",
            Size::Many => "delete-many",
        }
    }

    fn figures(&self) -> Vec<Figure> {
        let title = format!("DELETE by digest beside {} tags", crate::number::grouped(self.scale.tags(self.size)));
        vec![Figure::new(title, Unit::Milliseconds, &[Aim::Under(0.7)])]
    }

    fn note(&self, server: &Server) -> Option<String> {
        self.scale.fewer_tags(server, self.size)
    }

    fn prepare(&mut self, server: &Server) -> Result<()> {
        let (repository, tags) = self.scale.filled(server, self.size);
        population::tags(server, &repository, tags)
    }

    fn measure(&mut self, server: &Server) -> Result<Vec<f64>> {
        let (repository, _) = self.scale.filled(server, self.size);
        let pace = Pace { clients: 1, operations: self.scale.deletes, time: NO_LIMIT };
        let mut pushes = Pushes::new(server, &repository, |series, operation| format!("x{series}-{operation}"));
        run(server, pace, &mut pushes)?;
        let path = |number| format!("/v2/{repository}/manifests/{}", crate::image::digest(pushes.manifest(number)));
        let paths = (0..self.scale.deletes).map(path).collect();
        let mut deletes = Deletes { host: server.host().to_owned(), paths };
        Ok(vec![run(server, pace, &mut deletes)?.median_ms()])
    }
}
