//! A strict parser for the metrics page: what one lenient parser accepts, another one may refuse.

use std::collections::BTreeMap;

use super::rest::Rest;

/// A page: the type of each metric by the name that queries use, and every sample by its name and labels as written.
#[derive(Debug, Default)]
pub struct Metrics {
    pub kinds: BTreeMap<String, String>,
    pub samples: BTreeMap<String, f64>,
}

impl Metrics {
    pub async fn of(rest: &Rest) -> Metrics {
        let answer = rest.get("/metrics").await;
        assert_eq!(answer.status, 200, "{answer:?}");
        assert_eq!(answer.header("content-type"), Some("application/openmetrics-text; version=1.0.0; charset=utf-8"));
        Metrics::parse(answer.body.as_str().expect("text")).unwrap_or_else(|wrong| panic!("{wrong}"))
    }

    /// A sample that must exist: `livesouk_purchases_total{result="held"}`.
    #[track_caller]
    pub fn get(&self, sample: &str) -> f64 {
        *self.samples.get(sample).unwrap_or_else(|| panic!("no {sample} on the page"))
    }

    /// Parses a page of the OpenMetrics text format. `Err` names the first invalid line.
    pub fn parse(text: &str) -> Result<Metrics, String> {
        let mut page = Metrics::default();
        let complete = text.strip_suffix("# EOF\n").filter(|text| text.ends_with('\n'));
        let Some(text) = complete else { return Err("the last line is not `# EOF`".to_owned()) };
        let mut family = String::new();
        let mut helped = String::new();
        for line in text.lines() {
            let wrong = |why: &str| Err(format!("{why}: {line}"));
            if let Some(rest) = line.strip_prefix("# HELP ") {
                match rest.split_once(' ') {
                    Some((name, help)) if is_name(name) && !help.is_empty() => helped = name.to_owned(),
                    _ => return wrong("no help"),
                }
            } else if let Some(rest) = line.strip_prefix("# TYPE ") {
                let Some((name, kind)) = rest.split_once(' ') else { return wrong("no type") };
                if name != helped || !["counter", "gauge", "histogram"].contains(&kind) {
                    return wrong("a type without help, or an unknown type");
                }
                // In OpenMetrics the suffix `_total` belongs to the sample of a counter, not to the name of the family.
                if name.ends_with("_total") {
                    return wrong("`_total` in the name of a family");
                }
                let queried = if kind == "counter" { format!("{name}_total") } else { name.to_owned() };
                if page.kinds.insert(queried, kind.to_owned()).is_some() {
                    return wrong("duplicate family");
                }
                family = name.to_owned();
            } else {
                let Some((name, labels, value)) = sample(line) else { return wrong("no sample") };
                let kind_of = |name: &str| page.kinds.get(name).map(String::as_str);
                let kind = kind_of(&family).or(kind_of(&format!("{family}_total")));
                let suffix = name.strip_prefix(family.as_str()).filter(|_| !family.is_empty());
                match (kind, suffix) {
                    (Some("gauge"), Some("")) | (Some("counter"), Some("_total")) => {}
                    (Some("histogram"), Some("_bucket" | "_sum" | "_count")) => {}
                    _ => return wrong("a sample that does not belong to the family before it"),
                }
                if value < 0.0 && name.ends_with("_total") || value.is_nan() {
                    return wrong("not a count");
                }
                if page.samples.insert(format!("{name}{labels}"), value).is_some() {
                    return wrong("duplicate sample");
                }
            }
        }
        page.check_histograms(text)?;
        Ok(page)
    }

    fn check_histograms(&self, text: &str) -> Result<(), String> {
        for (name, _) in self.kinds.iter().filter(|(_, kind)| *kind == "histogram") {
            let start = format!("{name}_bucket{{le=\"");
            let buckets = text.lines().filter_map(|line| line.strip_prefix(&start)?.split_once("\"} "));
            let buckets: Vec<(f64, f64)> =
                buckets.filter_map(|(le, count)| Some((le.parse().ok()?, count.parse().ok()?))).collect();
            if buckets.is_empty()
                || text.lines().any(|line| line.starts_with(&start) && !is_float_bound(&line[start.len()..]))
            {
                return Err(format!("{name} has a bucket bound that is not a float"));
            }
            let rises = buckets.windows(2).all(|of| of[0].0 < of[1].0 && of[0].1 <= of[1].1);
            let (last, count) = (buckets.last().copied(), self.samples.get(&format!("{name}_count")));
            let whole = last.is_some_and(|(le, all)| le == f64::INFINITY && Some(&all) == count);
            if !rises || !whole || !self.samples.contains_key(&format!("{name}_sum")) {
                return Err(format!("{name} is not a valid histogram: {buckets:?}, count {count:?}"));
            }
        }
        Ok(())
    }
}

/// Prometheus 3 matches `le="5.0"` only if the page has the bound as a float.
fn is_float_bound(rest: &str) -> bool {
    rest.split_once('"').is_some_and(|(bound, _)| bound == "+Inf" || bound.contains('.'))
}

/// Splits `name{label="value",…} 1.5` into the name, the labels as written, and the value.
fn sample(line: &str) -> Option<(&str, &str, f64)> {
    let (head, value) = line.rsplit_once(' ')?;
    let (name, labels) = head.split_at(head.find('{').unwrap_or(head.len()));
    if !is_name(name) || !(labels.is_empty() || are_labels(labels.strip_prefix('{')?.strip_suffix('}')?)) {
        return None;
    }
    Some((name, labels, value.parse().ok()?))
}

fn are_labels(text: &str) -> bool {
    let mut rest = text;
    loop {
        let Some((name, value)) = rest.split_once("=\"") else { return false };
        let mut escaped = false;
        let end = value.find(|c| {
            let ends = c == '"' && !escaped;
            escaped = c == '\\' && !escaped;
            ends
        });
        let Some(end) = end.filter(|_| is_name(name)) else { return false };
        match value[end + 1..].strip_prefix(',') {
            Some(more) => rest = more,
            None => return value[end + 1..].is_empty(),
        }
    }
}

fn is_name(text: &str) -> bool {
    text.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_')
        && text.chars().all(|c| c.is_ascii_alphanumeric() || c == '_')
}
