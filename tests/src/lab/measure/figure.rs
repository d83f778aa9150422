//! Pairs of measurements come in, lines for people go out: a ratio with its
//! minimum, median and maximum.

/// A row of the report.
#[derive(Clone, Debug)]
pub struct Figure {
    pub what: &'static str,
    /// What a release must not miss: an upper bound.
    pub must: f64,
    pub goal: f64,
    pub unit: &'static str,
    /// Ours, and the other's where there is one, round by round.
    pub rounds: Vec<(f64, Option<f64>)>,
}

impl Figure {
    /// Returns minimum, median and maximum of what is judged: the ratio of each
    /// round, or our own number where the goal is one.
    #[must_use]
    pub fn spread(&self) -> [f64; 3] {
        let judged = |&(ours, other): &(f64, Option<f64>)| other.map_or(ours, |other| ours / other);
        spread(self.rounds.iter().map(judged).collect())
    }

    /// Returns whether the median keeps the bound.
    #[must_use]
    pub fn kept(&self) -> bool {
        let [_, median, _] = self.spread();
        median <= self.must
    }

    /// Returns the row.
    #[must_use]
    pub fn line(&self) -> String {
        let [least, median, most] = self.spread();
        let [_, ours, _] = spread(self.rounds.iter().map(|round| round.0).collect());
        let others: Vec<f64> = self.rounds.iter().filter_map(|round| round.1).collect();
        let other = if others.is_empty() {
            "-".to_owned()
        } else {
            number(spread(others)[1])
        };
        let verdict = if self.kept() { "kept" } else { "MISSED" };
        format!(
            " {:<44} {:>8} {:>8} {:<9} {:>7} {:>7} {:>7}   {:>5} {:>5}  {verdict}",
            self.what,
            number(ours),
            other,
            self.unit,
            number(least),
            number(median),
            number(most),
            number(self.must),
            number(self.goal),
        )
    }
}

/// Returns the head of the rows.
#[must_use]
pub fn head() -> String {
    format!(
        " {:<44} {:>8} {:>8} {:<9} {:>7} {:>7} {:>7}   {:>5} {:>5}",
        "", "ours", "other", "", "min", "median", "max", "must", "goal"
    )
}

fn number(value: f64) -> String {
    match value.abs() {
        size if size >= 100.0 => format!("{value:.0}"),
        size if size >= 10.0 => format!("{value:.1}"),
        0.0 => "0".to_owned(),
        _ => format!("{value:.2}"),
    }
}

/// Returns minimum, median and maximum; what is no number counts as the worst.
#[must_use]
pub fn spread(mut values: Vec<f64>) -> [f64; 3] {
    values.sort_by(f64::total_cmp);
    let at = |place: usize| values.get(place).copied().unwrap_or(f64::NAN);
    let last = values.len().saturating_sub(1);
    let middle = if values.len().is_multiple_of(2) {
        f64::midpoint(at(last / 2), at(last.div_ceil(2)))
    } else {
        at(last / 2)
    };
    [at(0), middle, at(last)]
}

#[cfg(test)]
mod tests {
    use super::{Figure, spread};

    fn figure(rounds: Vec<(f64, Option<f64>)>) -> Figure {
        Figure {
            what: "a thing",
            must: 1.0,
            goal: 0.6,
            unit: "",
            rounds,
        }
    }

    #[test]
    fn the_spread_of_an_even_number_of_rounds_has_its_median_between_two() {
        assert_eq!(spread(vec![4.0, 1.0, 2.0, 3.0]), [1.0, 2.5, 4.0]);
        assert_eq!(spread(vec![3.0, 1.0, 2.0]), [1.0, 2.0, 3.0]);
    }

    #[test]
    fn a_ratio_is_taken_round_by_round_and_its_median_judged() {
        let ratio = figure(vec![(1.0, Some(2.0)), (9.0, Some(3.0)), (2.0, Some(4.0))]);
        assert_eq!(ratio.spread(), [0.5, 0.5, 3.0]);
        assert!(ratio.kept());
        assert!(!figure(vec![(1.5, None)]).kept());
    }

    #[test]
    fn nothing_measured_keeps_no_bound() {
        assert!(!figure(Vec::new()).kept());
        assert!(!figure(vec![(0.0, Some(0.0))]).kept());
    }
}
