//! Line charts as SVG: no script, colours from the page's style, a word for every second under the pointer.

use std::fmt::Write;

const WIDTH: f64 = 460.0;
const HEIGHT: f64 = 230.0;
const LEFT: f64 = 50.0;
const RIGHT: f64 = 24.0;
const TOP: f64 = 12.0;
const BOTTOM: f64 = 30.0;
/// On an axis of seconds: a line does not bridge more than this without a value.
const GAP_MAX_S: f64 = 2.5;
/// More bands than this are thinner than a pointer.
const BANDS_MAX: usize = 240;

pub struct Chart {
    pub title: &'static str,
    /// One line under the title: what is drawn, in which unit.
    pub subtitle: &'static str,
    pub x: ChartAxis,
    /// What stands behind a number of the x axis.
    pub x_unit: &'static str,
    pub y: ChartAxis,
    pub series: Vec<ChartSeries>,
}

#[derive(Clone, Copy, PartialEq, Eq)]
pub enum ChartAxis {
    Linear,
    Log,
    /// Percentiles, each nine as wide as the one before.
    Percentile,
}

pub struct ChartSeries {
    pub name: String,
    /// The number of its colour in the style.
    pub colour: usize,
    pub points: Vec<(f64, f64)>,
    /// A value holds until the next one.
    pub is_stepped: bool,
    pub is_dashed: bool,
}

impl Chart {
    /// A figure with its legend; nothing when there is nothing to draw.
    pub fn figure(&self) -> String {
        if self.series.iter().all(|line| line.points.len() < 2) {
            return String::new();
        }
        let mut out = format!("<figure><figcaption><h2>{}</h2><p>{}</p>", self.title, self.subtitle);
        if self.series.len() > 1 {
            out += "<ul class=legend>";
            for line in &self.series {
                let dashed = if line.is_dashed { " dashed" } else { "" };
                let _ = write!(out, "<li><i class=\"c{}{dashed}\"></i>{}</li>", line.colour, escape_html(&line.name));
            }
            out += "</ul>";
        }
        out += "</figcaption>";
        self.svg(&mut out);
        out + "</figure>"
    }

    fn svg(&self, out: &mut String) {
        let points = || self.series.iter().flat_map(|line| &line.points);
        let range = |axis: ChartAxis, values: &mut dyn Iterator<Item = f64>| -> (f64, f64) {
            let (low, high) = values.fold((f64::MAX, f64::MIN), |(low, high), value| (low.min(value), high.max(value)));
            match axis {
                ChartAxis::Linear => (0.0, if high > 0.0 { high } else { 1.0 }),
                ChartAxis::Log => {
                    let low = 10_f64.powf(low.max(0.1).log10().floor());
                    (low, 10_f64.powf(high.max(low * 10.0).log10().ceil()))
                }
                ChartAxis::Percentile => (0.0, high.min(99.9999)),
            }
        };
        let x_range = match self.x {
            ChartAxis::Percentile => range(ChartAxis::Percentile, &mut points().map(|(x, _)| *x)),
            // Time begins with the first second shown.
            _ => points().fold((f64::MAX, f64::MIN), |(low, high), (x, _)| (low.min(*x), high.max(*x))),
        };
        let mut y_range = range(self.y, &mut points().map(|(_, y)| *y));
        let y_ticks = ticks(self.y, y_range);
        if self.y == ChartAxis::Linear
            && let Some(top) = y_ticks.last()
        {
            y_range.1 = y_range.1.max(*top) * 1.02;
        }
        let x = |value: f64| LEFT + axis_position(self.x, x_range, value) * (WIDTH - LEFT - RIGHT);
        let y = |value: f64| HEIGHT - BOTTOM - axis_position(self.y, y_range, value) * (HEIGHT - TOP - BOTTOM);
        let _ = write!(out, "<svg viewBox=\"0 0 {WIDTH} {HEIGHT}\" role=img aria-label=\"{}\">", self.title);
        for tick in y_ticks {
            let at = y(tick);
            let _ = write!(out, "<line class=grid x1={LEFT} x2={} y1={at:.1} y2={at:.1} />", WIDTH - RIGHT);
            let _ = write!(out, "<text class=y x={} y={:.1}>{}</text>", LEFT - 7.0, at + 4.0, format_short(tick));
        }
        for tick in ticks(self.x, x_range) {
            let text = if self.x == ChartAxis::Percentile { tick.to_string() } else { format_short(tick) };
            let unit = self.x_unit;
            let _ = write!(out, "<text class=x x={:.1} y={}>{text}{unit}</text>", x(tick), HEIGHT - 9.0);
        }
        for line in &self.series {
            let mut path = String::new();
            let mut before: Option<(f64, f64)> = None;
            for (place, (vx, vy)) in line.points.iter().enumerate() {
                let (px, py) = (x(*vx), y(*vy));
                match before
                    .filter(|(bx, _)| line.is_stepped || self.x == ChartAxis::Percentile || vx - bx <= GAP_MAX_S)
                {
                    Some((_, by)) if line.is_stepped => {
                        let _ = write!(path, "L{px:.1} {by:.1}L{px:.1} {py:.1}");
                    }
                    Some(_) => {
                        let _ = write!(path, "L{px:.1} {py:.1}");
                    }
                    None => {
                        let _ = write!(path, "M{px:.1} {py:.1}");
                        if line.is_isolated(place, self.x) {
                            let _ = write!(out, "<circle class=c{} cx={px:.1} cy={py:.1} r=3 />", line.colour);
                        }
                    }
                }
                before = Some((*vx, py));
            }
            let dashed = if line.is_dashed { " dashed" } else { "" };
            let _ = write!(out, "<path class=\"line c{}{dashed}\" d=\"{path}\" />", line.colour);
        }
        self.hover_bands(out, &x);
        *out += "</svg>";
    }

    /// What the lines say at a moment, shown by the browser when the pointer rests there.
    fn hover_bands(&self, out: &mut String, x: &dyn Fn(f64) -> f64) {
        let Some(longest) = self.series.iter().max_by_key(|line| line.points.len()) else { return };
        if longest.points.len() > BANDS_MAX {
            return;
        }
        for pair in longest.points.windows(2) {
            let [(from, _), (to, _)] = pair else { continue };
            let (left, right) = (x(*from), x(*to));
            let mut words = format!("{}{}", format_short(*from), self.x_unit);
            for line in &self.series {
                if let Some((_, y)) = line.points.iter().rfind(|(x, _)| x <= from) {
                    let _ = write!(words, "\n{}: {}", escape_html(&line.name), format_short(*y));
                }
            }
            let (width, height) = ((right - left).max(1.0), HEIGHT - TOP - BOTTOM);
            let _ = write!(
                out,
                "<rect class=band x={left:.1} y={TOP} width={width:.1} height={height}><title>{words}</title></rect>"
            );
        }
    }
}

impl ChartSeries {
    /// Whether no line leads on from this point to the next.
    fn is_isolated(&self, place: usize, axis: ChartAxis) -> bool {
        let next = self.points.get(place + 1);
        !self.is_stepped
            && axis != ChartAxis::Percentile
            && next.is_none_or(|(next, _)| GAP_MAX_S < next - self.points[place].0)
    }
}

/// Where a value is between the ends of its axis, 0 to 1.
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

/// A number as short as it can be read: 950, 1.2k, 3.4M.
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

pub fn escape_html(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;")
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
    fn a_chart_without_points_is_not_drawn_and_names_are_escaped() {
        let line = |points| ChartSeries { name: "<b>".into(), colour: 0, points, is_stepped: false, is_dashed: false };
        let chart = |points: Vec<(f64, f64)>| Chart {
            title: "t",
            subtitle: "w",
            x: ChartAxis::Linear,
            x_unit: " s",
            y: ChartAxis::Log,
            series: vec![line(points.clone()), line(points)],
        };
        assert_eq!(chart(vec![(1.0, 1.0)]).figure(), "");
        let drawn = chart(vec![(0.0, 0.0), (1.0, 50.0)]).figure();
        assert!(drawn.contains("&lt;b&gt;") && !drawn.contains("<b>") && !drawn.contains("NaN"), "{drawn}");
    }
}
