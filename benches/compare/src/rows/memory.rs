//! Resident memory of the server's process.

use crate::server::{Kind, Server};
use crate::workload::{Aim, Figure, Unit, Workload};
use anyhow::{Context, Result};

pub(super) struct Memory;

impl Workload for Memory {
    fn key(&self) -> &'static str {
        "memory"
    }

    fn figures(&self) -> Vec<Figure> {
        vec![
            Figure::new("memory when idle, after the start", Unit::Mebibytes, &[Aim::Under(25.0)]),
            Figure::new("memory when idle, after all of the above", Unit::Mebibytes, &[]),
        ]
    }

    /// Only processes of this run can be looked at; of nginx only the master would be seen, and the bare server holds nothing.
    fn runs_on(&self, kind: Kind) -> bool {
        matches!(kind, Kind::Tagstone | Kind::Peer)
    }

    fn prepare(&mut self, _server: &Server) -> Result<()> {
        Ok(())
    }

    fn measure(&mut self, server: &Server) -> Result<Vec<f64>> {
        let idle = server.idle().context("its process is not known")?;
        let now = server.memory()?.context("its process is not known")?;
        Ok(vec![idle, now])
    }
}
