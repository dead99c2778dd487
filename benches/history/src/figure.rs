//! What was measured, and what it should be.

/// One line of the table.
#[derive(Debug, Clone)]
pub(crate) struct Row {
    /// What `--only` selects it by.
    pub(crate) key: &'static str,
    pub(crate) title: String,
    pub(crate) unit: &'static str,
    /// In the order in which they were measured.
    pub(crate) rounds: Vec<f64>,
    pub(crate) aim: Option<Aim>,
    pub(crate) beside: Option<Beside>,
}

/// What a figure should be, in its unit.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) enum Aim {
    AtLeast(f64),
    AtMost(f64),
}

/// How many times as long something else takes, on the same machine in the same run.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Beside {
    pub(crate) times: f64,
    pub(crate) what: &'static str,
}

impl Row {
    /// A figure that was measured once.
    pub(crate) fn once(key: &'static str, title: impl Into<String>, unit: &'static str, figure: f64) -> Self {
        Self::of(key, title, unit, vec![figure])
    }

    /// A figure that is the median of its rounds.
    pub(crate) fn of(key: &'static str, title: impl Into<String>, unit: &'static str, rounds: Vec<f64>) -> Self {
        Self { key, title: title.into(), unit, rounds, aim: None, beside: None }
    }

    pub(crate) fn aim(self, aim: Aim) -> Self {
        Self { aim: Some(aim), ..self }
    }

    /// It takes so many times as long as something else.
    pub(crate) fn beside(self, times: f64, what: &'static str) -> Self {
        Self { beside: Some(Beside { times, what }), ..self }
    }

    pub(crate) fn median(&self) -> f64 {
        median(&self.rounds)
    }

    pub(crate) fn is_met(&self) -> Option<bool> {
        Some(match self.aim? {
            Aim::AtLeast(least) => self.median() >= least,
            Aim::AtMost(most) => self.median() <= most,
        })
    }
}

/// The one in the middle; not a number where there is none.
pub(crate) fn median(rounds: &[f64]) -> f64 {
    let mut sorted = rounds.to_vec();
    sorted.sort_unstable_by(f64::total_cmp);
    sorted.get(sorted.len() / 2).copied().unwrap_or(f64::NAN)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn aims_are_judged_by_medians() {
        let row = |rounds: &[f64], aim| Row::of("x", "x", "s", rounds.to_vec()).aim(aim).is_met();
        assert_eq!(row(&[9.0, 1.0, 2.0], Aim::AtMost(2.0)), Some(true));
        assert_eq!(row(&[9.0, 3.0, 2.0], Aim::AtMost(2.0)), Some(false));
        assert_eq!(row(&[9.0, 1.0, 2.0], Aim::AtLeast(2.0)), Some(true));
        assert_eq!(row(&[9.0, 1.0, 1.5], Aim::AtLeast(2.0)), Some(false));
        // What was never measured meets nothing.
        assert_eq!(row(&[], Aim::AtLeast(2.0)), Some(false));
        assert_eq!(Row::once("x", "x", "s", 1.0).is_met(), None);
    }
}
