//! What the benchmark of the viewer page promises: the figures of a slow phone, and which of them miss their limits.

/// The limit of a figure.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Limit {
    AtMost(f64),
    AtLeast(f64),
}

/// The figures that are judged. `heap_last_vs_second_minute` compares the heap of the page after each garbage collection.
pub const PAGE_LIMITS: [(&str, Limit); 7] = [
    ("live_s", Limit::AtMost(1.7)),
    ("usable_s", Limit::AtMost(2.0)),
    ("page_kb", Limit::AtMost(90.0)),
    ("request_depth", Limit::AtMost(3.0)),
    ("layout_shift", Limit::AtMost(0.02)),
    ("frames_s", Limit::AtLeast(30.0)),
    ("heap_last_vs_second_minute", Limit::AtMost(1.1)),
];

/// What misses its limit, in words. A figure that was not measured, or is no number, misses it too.
pub fn missed(figures: &[(&str, f64)]) -> Vec<String> {
    let judge = |(name, limit): &(&str, Limit)| {
        let found = figures.iter().find(|(known, _)| known == name);
        let Some((_, value)) = found else { return Some(format!("{name} was not measured")) };
        match *limit {
            Limit::AtMost(most) if *value <= most => None,
            Limit::AtLeast(least) if least <= *value => None,
            Limit::AtMost(most) => Some(format!("{name} is {value:.3}, more than {most}")),
            Limit::AtLeast(least) => Some(format!("{name} is {value:.3}, less than {least}")),
        }
    };
    PAGE_LIMITS.iter().filter_map(judge).collect()
}

/// The heap at the end in proportion to that of the second minute: the first minute fills what the page keeps (chat lines, reactions,
/// compiled code). The end is the median of the last three minutes, because one collection may come late.
pub fn heap_growth(kib_by_minute: &[f64]) -> f64 {
    let after_first = kib_by_minute.get(1..).unwrap_or_default();
    let mut last = after_first[after_first.len().saturating_sub(3)..].to_vec();
    last.sort_by(f64::total_cmp);
    match (last.get(last.len() / 2), after_first.first()) {
        (Some(end), Some(begin)) => end / begin,
        _ => f64::NAN,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const GOOD: [(&str, f64); 7] = [
        ("live_s", 1.7),
        ("usable_s", 2.0),
        ("page_kb", 90.0),
        ("request_depth", 3.0),
        ("layout_shift", 0.02),
        ("frames_s", 30.0),
        ("heap_last_vs_second_minute", 1.1),
    ];

    #[test]
    fn figure_beyond_its_limit_is_missed() {
        assert_eq!(missed(&GOOD), Vec::<String>::new());
        for (at, (name, value)) in GOOD.into_iter().enumerate() {
            let step = if name == "frames_s" { -0.01 } else { 0.001 };
            for worse in [value + step, f64::NAN] {
                let mut figures = GOOD;
                figures[at].1 = worse;
                let found = missed(&figures);
                assert!(found.len() == 1 && found[0].starts_with(name), "{name} {worse}: {found:?}");
            }
        }
        assert_eq!(missed(&GOOD[1..]), ["live_s was not measured"]);
    }

    #[test]
    fn heap_grows_from_the_second_minute_to_the_end() {
        for (heap, expected) in [
            (&[500.0, 1_000.0, 1_000.0][..], 1.0),
            (&[500.0, 1_000.0, 1_100.0, 1_200.0, 1_300.0], 1.2),
            (&[500.0, 1_000.0, 1_000.0, 1_000.0, 9_000.0, 1_000.0], 1.0),
        ] {
            assert!((heap_growth(heap) - expected).abs() < 1e-9, "{heap:?}");
        }
        assert!(heap_growth(&[500.0]).is_nan() && heap_growth(&[]).is_nan());
    }
}
