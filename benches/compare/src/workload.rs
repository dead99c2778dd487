//! What a workload is, how large it is, and what is expected of Tagstone in it.

use crate::server::{Kind, Server};
use anyhow::Result;

/// What a figure counts, and so whether more or less of it is better.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Unit {
    PerSecond,
    MegabytesPerSecond,
    Milliseconds,
    Mebibytes,
    /// How many times as much as without what is measured.
    Times,
}

impl Unit {
    pub(crate) fn text(self) -> &'static str {
        match self {
            Self::PerSecond => "/s",
            Self::MegabytesPerSecond => "MB/s",
            Self::Milliseconds => "ms",
            Self::Mebibytes => "MiB",
            Self::Times => "x",
        }
    }

    /// How many times better `ours` is than `theirs`.
    pub(crate) fn times_better(self, ours: f64, theirs: f64) -> f64 {
        match self {
            Self::PerSecond | Self::MegabytesPerSecond => ours / theirs,
            Self::Milliseconds | Self::Mebibytes | Self::Times => theirs / ours,
        }
    }

    pub(crate) fn best(self, one: f64, other: f64) -> f64 {
        if self.times_better(one, other) >= 1.0 { one } else { other }
    }
}

/// What Tagstone's figure should be.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) enum Aim {
    /// So many times better than the best other registry.
    Peer(f64),
    /// At least this part of the bare HTTP server's figure.
    Bare(f64),
    /// At least this part of what nginx does with sendfile.
    Static(f64),
    /// Less than this, in the figure's unit.
    Under(f64),
}

/// One row of the table.
#[derive(Debug, Clone)]
pub(crate) struct Figure {
    pub(crate) title: String,
    pub(crate) unit: Unit,
    pub(crate) aims: &'static [Aim],
}

impl Figure {
    pub(crate) fn new(title: impl Into<String>, unit: Unit, aims: &'static [Aim]) -> Self {
        Self { title: title.into(), unit, aims }
    }
}

/// One kind of load. It may have several figures.
pub(crate) trait Workload {
    /// What `--only` selects it by.
    fn key(&self) -> &'static str;

    fn figures(&self) -> Vec<Figure>;

    fn runs_on(&self, kind: Kind) -> bool {
        kind.is_registry()
    }

    /// What differs on this server, for a note below the table.
    fn note(&self, _server: &Server) -> Option<String> {
        None
    }

    /// Brings `server` into the state that is measured, and checks what it answers. Not timed.
    fn prepare(&mut self, server: &Server) -> Result<()>;

    /// One short round; one number for each figure.
    fn measure(&mut self, server: &Server) -> Result<Vec<f64>>;
}

/// How large everything is.
#[derive(Debug, Clone)]
pub(crate) struct Scale {
    pub(crate) rounds: usize,
    /// Seconds of load in one round.
    pub(crate) seconds: u64,
    /// Tags of the smaller filled repository.
    pub(crate) some: u64,
    /// Tags of the larger one.
    pub(crate) many: u64,
    /// Tags of the larger one in other registries.
    pub(crate) many_peer: u64,
    pub(crate) repositories: u64,
    /// The same in other registries.
    pub(crate) repositories_peer: u64,
    pub(crate) large: u64,
    /// Manifests deleted in a round.
    pub(crate) deletes: u64,
    /// Tags of each of the two repositories that policies are measured on.
    pub(crate) tagged: u64,
    pub(crate) policies: u64,
    /// Pushes by 64 clients in each of their turns.
    pub(crate) moves: u64,
    /// All repositories are below this name, so that a registry that ran before is no obstacle.
    pub(crate) prefix: String,
}

impl Scale {
    pub(crate) fn new(quick: bool, full: bool, prefix: String) -> Self {
        let mut scale = if quick {
            Self {
                rounds: 1,
                seconds: 1,
                some: 1_000,
                many: 10_000,
                many_peer: 2_000,
                repositories: 500,
                repositories_peer: 300,
                large: 128 << 20,
                deletes: 20,
                tagged: 10_000,
                policies: 100,
                moves: 800,
                prefix,
            }
        } else {
            Self {
                rounds: 3,
                seconds: 4,
                some: 10_000,
                many: 100_000,
                many_peer: 10_000,
                repositories: 5_000,
                repositories_peer: 1_000,
                large: 1 << 30,
                deletes: 50,
                tagged: 1_000_000,
                policies: 1_000,
                moves: 8_000,
                prefix,
            }
        };
        if full {
            scale.many_peer = scale.many;
            scale.repositories_peer = scale.repositories;
        }
        scale
    }

    pub(crate) fn repository(&self, name: &str) -> String {
        format!("{}/{name}", self.prefix)
    }

    /// Tags of the larger repository on `server`.
    pub(crate) fn many_on(&self, server: &Server) -> u64 {
        if server.kind().is_peer() { self.many_peer } else { self.many }
    }

    pub(crate) fn repositories_on(&self, server: &Server) -> u64 {
        if server.kind().is_peer() { self.repositories_peer } else { self.repositories }
    }

    /// The filled repository a workload uses, and its tags: the larger one or the smaller.
    pub(crate) fn filled(&self, server: &Server, size: Size) -> (String, u64) {
        let tags = match size {
            Size::Some => self.some,
            Size::Many => self.many_on(server),
        };
        (self.repository(&format!("tags-{tags}")), tags)
    }

    pub(crate) fn tags(&self, size: Size) -> u64 {
        match size {
            Size::Some => self.some,
            Size::Many => self.many,
        }
    }

    /// Says so where `server` has fewer tags than the title promises.
    pub(crate) fn fewer_tags(&self, server: &Server, size: Size) -> Option<String> {
        let (_, tags) = self.filled(server, size);
        (tags != self.tags(size)).then(|| format!("beside {} tags", crate::number::grouped(tags)))
    }
}

/// Which of the filled repositories.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Size {
    Some,
    Many,
}
