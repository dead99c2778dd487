//! How long each of many questions took.

use crate::figure::median;
use anyhow::{Result, ensure};
use std::time::Instant;
use tagstone_compare::connection::Connection;

/// In milliseconds, in ascending order.
pub(crate) struct Latencies(Vec<f64>);

impl Latencies {
    /// Asks one question after the other. An answer has to be 200 and to hold this text: what nothing is found for is answered
    /// sooner.
    pub(crate) fn of(connection: &mut Connection, paths: impl Iterator<Item = String>, holds: &str) -> Result<Self> {
        Self::of_medians(connection, paths, holds, 1)
    }

    /// Asks all questions so many times, one round after the other. Of each, the median counts.
    pub(crate) fn of_medians(
        connection: &mut Connection,
        paths: impl Iterator<Item = String>,
        holds: &str,
        rounds: usize,
    ) -> Result<Self> {
        let mut asked: Vec<_> = paths.map(|path| (path, Vec::new())).collect();
        for _ in 0..rounds {
            for (path, taken) in &mut asked {
                taken.push(ask(connection, path, holds)?);
            }
        }
        let mut taken: Vec<_> = asked.iter().map(|(_, taken)| median(taken)).collect();
        ensure!(!taken.is_empty(), "there was nothing to ask");
        taken.sort_unstable_by(f64::total_cmp);
        Ok(Self(taken))
    }

    pub(crate) fn median(&self) -> f64 {
        self.part(50)
    }

    pub(crate) fn p99(&self) -> f64 {
        self.part(99)
    }

    pub(crate) fn longest(&self) -> f64 {
        self.part(100)
    }

    fn part(&self, percent: usize) -> f64 {
        self.0[(self.0.len() * percent / 100).min(self.0.len() - 1)]
    }
}

/// How long one answer took, in milliseconds.
fn ask(connection: &mut Connection, path: &str, holds: &str) -> Result<f64> {
    let began = Instant::now();
    let answer = connection.get(path)?;
    let taken = began.elapsed().as_secs_f64() * 1e3;
    let body = String::from_utf8_lossy(&answer.body);
    ensure!(body.contains(holds), "GET {path} found nothing: {:.200}", body);
    Ok(taken)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parts_of_all_answers() {
        let hundreds = Latencies((1..=1_000).map(f64::from).collect());
        assert_eq!((hundreds.median(), hundreds.p99(), hundreds.longest()), (501.0, 991.0, 1_000.0));
        let one = Latencies(vec![7.0]);
        assert_eq!((one.median(), one.p99(), one.longest()), (7.0, 7.0, 7.0));
    }
}
