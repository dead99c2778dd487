//! Every workload on every server: prepared once, then measured in short rounds that take turns, so that whatever the
//! machine does besides falls on all of them alike. A figure is the median of its rounds.

use crate::process::check_interrupted;
use crate::server::{Kind, Server};
use crate::workload::{Aim, Figure, Scale, Workload};
use anyhow::{Result, ensure};

/// What one server showed in one figure.
#[derive(Debug, Clone)]
pub(crate) enum Cell {
    /// The workload does not apply to this server.
    Absent,
    /// The rounds, in the order in which they ran.
    Measured(Vec<f64>),
    Failed,
}

impl Cell {
    pub(crate) fn median(&self) -> Option<f64> {
        let Self::Measured(rounds) = self else { return None };
        let mut sorted = rounds.clone();
        sorted.sort_unstable_by(f64::total_cmp);
        sorted.get(sorted.len() / 2).copied()
    }
}

/// One line of the table.
#[derive(Debug, Clone)]
pub(crate) struct Row {
    pub(crate) key: &'static str,
    pub(crate) figure: Figure,
    /// One for each server, in their order.
    pub(crate) cells: Vec<Cell>,
    /// Number of each cell's note, if it has one.
    pub(crate) notes: Vec<Option<usize>>,
}

/// What has been measured.
#[derive(Debug, Default)]
pub(crate) struct Results {
    pub(crate) kinds: Vec<Kind>,
    pub(crate) names: Vec<String>,
    pub(crate) rows: Vec<Row>,
    pub(crate) notes: Vec<String>,
    pub(crate) failures: Vec<String>,
}

impl Row {
    /// The best figure among servers of which `which` holds.
    fn best(&self, kinds: &[Kind], which: fn(Kind) -> bool) -> Option<f64> {
        let of = kinds.iter().zip(&self.cells).filter(|(kind, _)| which(**kind));
        of.filter_map(|(_, cell)| cell.median()).reduce(|one, other| self.figure.unit.best(one, other))
    }

    pub(crate) fn ours(&self, kinds: &[Kind]) -> Option<f64> {
        self.best(kinds, |kind| kind == Kind::Tagstone)
    }

    /// How many times better Tagstone is than the best other registry.
    pub(crate) fn ratio(&self, kinds: &[Kind]) -> Option<f64> {
        Some(self.figure.unit.times_better(self.ours(kinds)?, self.best(kinds, Kind::is_peer)?))
    }

    /// Whether `aim` is met; `None` where a figure that it needs is missing.
    pub(crate) fn met(&self, kinds: &[Kind], aim: Aim) -> Option<bool> {
        let ours = self.ours(kinds)?;
        let against = |which| Some(self.figure.unit.times_better(ours, self.best(kinds, which)?));
        Some(match aim {
            Aim::Under(limit) => ours < limit,
            Aim::Peer(times) => against(Kind::is_peer)? >= times,
            Aim::Bare(part) => against(|kind| kind == Kind::Bare)? >= part,
            Aim::Static(part) => against(|kind| kind == Kind::Static)? >= part,
        })
    }
}

impl Results {
    /// Measures `workload` on all `servers` and adds its rows.
    pub(crate) fn measure(&mut self, servers: &[Server], workload: &mut dyn Workload, scale: &Scale) -> Result<()> {
        let figures = workload.figures();
        eprintln!("{}", workload.key());
        let mut columns: Vec<Vec<Cell>> = servers.iter().map(|_| vec![Cell::Absent; figures.len()]).collect();
        for (server, column) in servers.iter().zip(&mut columns) {
            if workload.runs_on(server.kind()) {
                check_interrupted()?;
                let cell = match workload.prepare(server) {
                    Ok(()) => Cell::Measured(Vec::new()),
                    Err(error) => self.fail(server, workload.key(), &error)?,
                };
                column.fill(cell);
            }
        }
        for round in 0..scale.rounds {
            for turn in 0..servers.len() {
                let place = (round + turn) % servers.len();
                if matches!(columns[place][0], Cell::Measured(_)) {
                    self.round(&servers[place], workload, &mut columns[place])?;
                }
            }
        }
        let notes: Vec<Option<usize>> = servers
            .iter()
            .map(|server| workload.note(server).filter(|_| workload.runs_on(server.kind())).map(|note| self.note(note)))
            .collect();
        for (place, figure) in figures.into_iter().enumerate() {
            let cells = columns.iter().map(|column| column[place].clone()).collect();
            self.rows.push(Row { key: workload.key(), figure, cells, notes: notes.clone() });
        }
        Ok(())
    }

    fn round(&mut self, server: &Server, workload: &mut dyn Workload, column: &mut [Cell]) -> Result<()> {
        check_interrupted()?;
        // What the server before has left to be written back is not this one's to wait for.
        rustix::fs::sync();
        match workload.measure(server) {
            Ok(numbers) => {
                ensure!(numbers.len() == column.len(), "{} promises other figures than it has", workload.key());
                for (cell, number) in column.iter_mut().zip(numbers) {
                    if let Cell::Measured(rounds) = cell {
                        rounds.push(number);
                    }
                }
            }
            Err(error) => {
                let failed = self.fail(server, workload.key(), &error)?;
                column.fill(failed);
            }
        }
        Ok(())
    }

    fn fail(&mut self, server: &Server, key: &str, error: &anyhow::Error) -> Result<Cell> {
        check_interrupted()?;
        let text = format!("{key} on {}: {error:#}", server.name()).trim_end().to_owned();
        eprintln!("  FAILED {text}");
        self.failures.push(text);
        Ok(Cell::Failed)
    }

    /// The number of `note`, from 1; the same text has the same number.
    fn note(&mut self, note: String) -> usize {
        let place = self.notes.iter().position(|known| *known == note).unwrap_or_else(|| {
            self.notes.push(note);
            self.notes.len() - 1
        });
        place + 1
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::workload::Unit;

    #[test]
    fn aims_are_judged_by_medians() {
        let kinds = [Kind::Peer, Kind::Remote, Kind::Bare, Kind::Tagstone];
        let cells = [vec![9.0, 10.0, 99.0], vec![20.0], vec![200.0], vec![170.0]].map(Cell::Measured).to_vec();
        let figure = |unit| Figure::new("x", unit, &[]);
        let row = Row { key: "x", figure: figure(Unit::PerSecond), cells, notes: vec![] };
        assert_eq!(row.ratio(&kinds), Some(8.5));
        assert_eq!(row.met(&kinds, Aim::Peer(8.0)), Some(true));
        assert_eq!(row.met(&kinds, Aim::Bare(0.9)), Some(false));
        assert_eq!(row.met(&kinds, Aim::Static(1.0)), None);
        let slow = Row { figure: figure(Unit::Milliseconds), ..row };
        assert_eq!(slow.ratio(&kinds), Some(10.0 / 170.0));
        assert_eq!(slow.met(&kinds, Aim::Under(200.0)), Some(true));
    }
}
