//! Medians and the table.

use std::fmt::Write;

use super::contender::ContenderKind;
use super::load::LoadResult;

pub type RoundResults = [(ContenderKind, LoadResult)];

pub struct MedianOf;

impl MedianOf {
    pub fn of(rounds: &RoundResults, kind: ContenderKind, figure: impl Fn(&LoadResult) -> f64) -> f64 {
        median(of_kind(rounds, kind).map(figure).collect())
    }

    /// The ratio within each round, then the median: a slow minute slows both sides of it.
    pub fn of_ratios(
        rounds: &RoundResults,
        one: ContenderKind,
        other: ContenderKind,
        figure: impl Fn(&LoadResult) -> f64,
    ) -> f64 {
        let pairs = of_kind(rounds, one).zip(of_kind(rounds, other));
        median(pairs.map(|(one, other)| figure(one) / figure(other)).collect())
    }
}

fn of_kind(rounds: &RoundResults, kind: ContenderKind) -> impl Iterator<Item = &LoadResult> {
    rounds.iter().filter(move |(of, _)| *of == kind).map(|(_, measured)| measured)
}

pub fn median(mut figures: Vec<f64>) -> f64 {
    figures.sort_by(f64::total_cmp);
    match figures.len() {
        0 => f64::NAN,
        n if n % 2 == 1 => figures[n / 2],
        n => (figures[n / 2 - 1] + figures[n / 2]) / 2.0,
    }
}

pub fn table(title: &str, rounds: &RoundResults) -> String {
    let mut text = format!("{title}\n{:<44} {:>10} {:>10} {:>10}\n", "", "orders/s", "p50 ms", "p99 ms");
    for kind in ContenderKind::ALL.into_iter().filter(|kind| of_kind(rounds, *kind).next().is_some()) {
        let median = |figure: fn(&LoadResult) -> f64| MedianOf::of(rounds, kind, figure);
        let (per_second, p50, p99) =
            (median(LoadResult::per_second), median(LoadResult::p50_ms), median(LoadResult::p99_ms));
        let _ = writeln!(text, "{:<44} {per_second:>10.0} {p50:>10.2} {p99:>10.2}", kind.name());
    }
    text
}
