//! Line charts as SVG. This module computes the geometry; `templates/chart.html` holds the markup.
//!
//! The charts need no script. Their colors come from the style of the page, and the browser shows the values of a moment
//! when the pointer rests there.

use std::fmt::Write;

use askama::Template;

const WIDTH: f64 = 460.0;
const HEIGHT: f64 = 230.0;
const LEFT: f64 = 50.0;
const RIGHT: f64 = 24.0;
const TOP: f64 = 12.0;
const BOTTOM: f64 = 30.0;
/// On an axis of seconds, a line does not connect two points that are further apart than this.
const GAP_MAX_S: f64 = 2.5;
/// With more hover bands than this, each band would be narrower than a pointer.
const BANDS_MAX: usize = 240;

pub struct Chart {
    pub title: &'static str,
    /// One line under the title: what is drawn, and in which unit.
    pub subtitle: &'static str,
    pub x: ChartAxis,
    /// The unit that is written after each number of the x axis.
    pub x_unit: &'static str,
    pub y: ChartAxis,
    pub series: Vec<ChartSeries>,
}

#[derive(Clone, Copy, PartialEq, Eq)]
pub enum ChartAxis {
    Linear,
    Log,
    /// Percentiles. 90 %, 99 % and 99.9 % are equally far apart.
    Percentile,
}

pub struct ChartSeries {
    pub name: String,
    /// The number of its color in the style of the page.
    pub color: usize,
    pub points: Vec<(f64, f64)>,
    /// A value is valid until the next one, so the line is a staircase.
    pub is_stepped: bool,
    pub is_dashed: bool,
}

/// A chart whose geometry is computed; displaying it renders the template.
#[derive(Template)]
#[template(path = "chart.html")]
pub struct ChartFigure<'a> {
    chart: &'a Chart,
    x_ticks: Vec<ChartTick>,
    y_ticks: Vec<ChartTick>,
    paths: Vec<SeriesPath<'a>>,
    hover_bands: Vec<HoverBand>,
}

struct ChartTick {
    at: f64,
    label: String,
}

struct SeriesPath<'a> {
    series: &'a ChartSeries,
    /// Points that no line connects to a neighbour: each is drawn as a circle.
    isolated_points: Vec<(f64, f64)>,
    /// The `d` attribute of the SVG path.
    commands: String,
}

/// A vertical band whose title lists the values of all series at that moment.
struct HoverBand {
    left: f64,
    width: f64,
    text: String,
}

/// Maps a value to its coordinate in the SVG.
type Scale<'a> = &'a dyn Fn(f64) -> f64;

impl Chart {
    /// The figure with its legend; `None` when no series has two points.
    pub fn figure(&self) -> Option<ChartFigure<'_>> {
        if self.series.iter().all(|series| series.points.len() < 2) {
            return None;
        }
        let points = || self.series.iter().flat_map(|series| &series.points);
        let x_range = match self.x {
            ChartAxis::Percentile => axis_range(self.x, points().map(|(x, _)| *x)),
            // Time begins with the first second shown.
            _ => points().fold((f64::MAX, f64::MIN), |(low, high), (x, _)| (low.min(*x), high.max(*x))),
        };
        let mut y_range = axis_range(self.y, points().map(|(_, y)| *y));
        let y_ticks = ticks(self.y, y_range);
        if self.y == ChartAxis::Linear
            && let Some(top) = y_ticks.last()
        {
            y_range.1 = y_range.1.max(*top) * 1.02;
        }
        let x = |value: f64| LEFT + axis_position(self.x, x_range, value) * (WIDTH - LEFT - RIGHT);
        let y = |value: f64| HEIGHT - BOTTOM - axis_position(self.y, y_range, value) * (HEIGHT - TOP - BOTTOM);
        let y_ticks = y_ticks.into_iter().map(|tick| ChartTick { at: y(tick), label: format_short(tick) });
        let x_ticks = ticks(self.x, x_range).into_iter().map(|tick| ChartTick {
            at: x(tick),
            label: if self.x == ChartAxis::Percentile { tick.to_string() } else { format_short(tick) },
        });
        Some(ChartFigure {
            chart: self,
            x_ticks: x_ticks.collect(),
            y_ticks: y_ticks.collect(),
            paths: self.series.iter().map(|series| series.path(self.x, &x, &y)).collect(),
            hover_bands: self.hover_bands(&x),
        })
    }

    fn hover_bands(&self, x: Scale) -> Vec<HoverBand> {
        let Some(longest) = self.series.iter().max_by_key(|series| series.points.len()) else { return Vec::new() };
        if longest.points.len() > BANDS_MAX {
            return Vec::new();
        }
        let bands = longest.points.windows(2).filter_map(|pair| {
            let [(from, _), (to, _)] = pair else { return None };
            let mut text = format!("{}{}", format_short(*from), self.x_unit);
            for series in &self.series {
                if let Some((_, y)) = series.points.iter().rfind(|(x, _)| x <= from) {
                    let _ = write!(text, "\n{}: {}", series.name, format_short(*y));
                }
            }
            Some(HoverBand { left: x(*from), width: (x(*to) - x(*from)).max(1.0), text })
        });
        bands.collect()
    }
}

impl ChartSeries {
    fn path(&self, axis: ChartAxis, x: Scale, y: Scale) -> SeriesPath<'_> {
        let (mut commands, mut isolated_points) = (String::new(), Vec::new());
        let mut before: Option<(f64, f64)> = None;
        for (index, (value_x, value_y)) in self.points.iter().enumerate() {
            let (at_x, at_y) = (x(*value_x), y(*value_y));
            let is_near = |(before_x, _): &(f64, f64)| {
                self.is_stepped || axis == ChartAxis::Percentile || value_x - before_x <= GAP_MAX_S
            };
            let _ = match before.filter(is_near) {
                Some((_, before_y)) if self.is_stepped => {
                    write!(commands, "L{at_x:.1} {before_y:.1}L{at_x:.1} {at_y:.1}")
                }
                Some(_) => write!(commands, "L{at_x:.1} {at_y:.1}"),
                None => {
                    if self.is_isolated(index, axis) {
                        isolated_points.push((at_x, at_y));
                    }
                    write!(commands, "M{at_x:.1} {at_y:.1}")
                }
            };
            before = Some((*value_x, at_y));
        }
        SeriesPath { series: self, isolated_points, commands }
    }

    /// Whether no line leads from this point to the next one.
    fn is_isolated(&self, index: usize, axis: ChartAxis) -> bool {
        let next = self.points.get(index + 1);
        !self.is_stepped
            && axis != ChartAxis::Percentile
            && next.is_none_or(|(next, _)| GAP_MAX_S < next - self.points[index].0)
    }
}

fn axis_range(axis: ChartAxis, values: impl Iterator<Item = f64>) -> (f64, f64) {
    let (low, high) = values.fold((f64::MAX, f64::MIN), |(low, high), value| (low.min(value), high.max(value)));
    match axis {
        ChartAxis::Linear => (0.0, if high > 0.0 { high } else { 1.0 }),
        ChartAxis::Log => {
            let low = 10_f64.powf(low.max(0.1).log10().floor());
            (low, 10_f64.powf(high.max(low * 10.0).log10().ceil()))
        }
        ChartAxis::Percentile => (0.0, high.min(99.9999)),
    }
}

/// Where a value is between the two ends of its axis, from 0 to 1.
fn axis_position(axis: ChartAxis, (low, high): (f64, f64), value: f64) -> f64 {
    let scale = |value: f64| match axis {
        ChartAxis::Linear => value,
        ChartAxis::Log => value.max(low).log10(),
        ChartAxis::Percentile => -(1.0 - value.min(high) / 100.0).log10(),
    };
    let (low, high) = (scale(low), scale(high));
    if high > low { (scale(value) - low) / (high - low) } else { 0.0 }
}

fn ticks(axis: ChartAxis, (low, high): (f64, f64)) -> Vec<f64> {
    match axis {
        ChartAxis::Percentile => {
            [0.0, 90.0, 99.0, 99.9, 99.99, 99.999].into_iter().filter(|tick| *tick <= high).collect()
        }
        ChartAxis::Log => {
            let decades = (low.log10().round() as i32)..=(high.log10().round() as i32);
            decades.map(|power| 10_f64.powi(power)).collect()
        }
        ChartAxis::Linear => {
            let raw = (high - low) / 5.0;
            if raw <= 0.0 {
                return vec![low];
            }
            let power = 10_f64.powf(raw.log10().floor());
            let step = [1.0, 2.0, 2.5, 5.0, 10.0].map(|factor| factor * power).into_iter().find(|step| raw <= *step);
            let step = step.unwrap_or(power * 10.0);
            let first = (low / step).ceil() as i64;
            (first..=first + 12).map(|n| n as f64 * step).take_while(|tick| *tick <= high * 1.0001).collect()
        }
    }
}

/// A number in its shortest readable form: 950, 1.2k, 3.4M.
pub fn format_short(value: f64) -> String {
    let trimmed = |value: f64, digits: usize| {
        let text = format!("{value:.digits$}");
        if text.contains('.') { text.trim_end_matches('0').trim_end_matches('.').to_owned() } else { text }
    };
    match value.abs() {
        size if size >= 999_500.0 => trimmed(value / 1e6, 1) + "M",
        size if size >= 9_999.5 => trimmed(value / 1e3, 0) + "k",
        size if size >= 1_000.0 => trimmed(value / 1e3, 1) + "k",
        size if size >= 100.0 => trimmed(value, 0),
        size if size >= 1.0 => trimmed(value, 1),
        _ => trimmed(value, 2),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_short() {
        for (value, text) in [
            (0.0, "0"),
            (0.25, "0.25"),
            (3.0, "3"),
            (12.34, "12.3"),
            (950.0, "950"),
            (1_234.0, "1.2k"),
            (15_000.0, "15k"),
            (3_400_000.0, "3.4M"),
        ] {
            assert_eq!(format_short(value), text);
        }
    }

    #[test]
    fn ticks_are_round_numbers_within_the_axis() {
        assert_eq!(ticks(ChartAxis::Linear, (0.0, 97.0)), [0.0, 20.0, 40.0, 60.0, 80.0]);
        assert_eq!(ticks(ChartAxis::Linear, (3.0, 42.0)), [10.0, 20.0, 30.0, 40.0]);
        assert_eq!(ticks(ChartAxis::Log, (1.0, 100.0)), [1.0, 10.0, 100.0]);
        assert_eq!(ticks(ChartAxis::Percentile, (0.0, 99.9)), [0.0, 90.0, 99.0, 99.9]);
        assert_eq!(ticks(ChartAxis::Linear, (5.0, 5.0)), [5.0]);
    }

    #[test]
    fn chart_without_points_is_not_drawn_and_names_are_escaped() {
        let series = |points| ChartSeries { name: "<b>".into(), color: 0, points, is_stepped: false, is_dashed: false };
        let chart = |points: Vec<(f64, f64)>| Chart {
            title: "t",
            subtitle: "s",
            x: ChartAxis::Linear,
            x_unit: " s",
            y: ChartAxis::Log,
            series: vec![series(points.clone()), series(points)],
        };
        assert!(chart(vec![(1.0, 1.0)]).figure().is_none());
        let drawn = chart(vec![(0.0, 0.0), (1.0, 50.0)]).figure().unwrap().to_string();
        assert!(drawn.contains("&#60;b&#62;") && !drawn.contains("<b>") && !drawn.contains("NaN"), "{drawn}");
    }
}
