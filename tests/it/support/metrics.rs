//! The metrics page, read as strictly as its format is written: what a lenient reader lets pass, another refuses.

use std::collections::BTreeMap;

use super::rest::Rest;

/// A page: the kind of each family, and every sample by its name with its labels as they stand on the page.
#[derive(Debug, Default)]
pub struct Metrics {
    pub kinds: BTreeMap<String, String>,
    pub samples: BTreeMap<String, f64>,
}

impl Metrics {
    pub async fn of(rest: &Rest) -> Metrics {
        let answer = rest.get("/metrics").await;
        assert_eq!(answer.status, 200, "{answer:?}");
        assert_eq!(answer.header("content-type"), Some("text/plain; version=0.0.4; charset=utf-8"));
        Metrics::parse(answer.body.as_str().expect("text")).unwrap_or_else(|wrong| panic!("{wrong}"))
    }

    /// A sample that must be there: `livesouk_buys_total{answer="held"}`.
    #[track_caller]
    pub fn get(&self, sample: &str) -> f64 {
        *self.samples.get(sample).unwrap_or_else(|| panic!("no {sample} on the page"))
    }

    /// Reads a page of the text format 0.0.4; `Err` names the first line that is not of it.
    pub fn parse(text: &str) -> Result<Metrics, String> {
        let mut page = Metrics::default();
        if !text.ends_with('\n') {
            return Err("the last line has no end".to_owned());
        }
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
                    return wrong("a type without help, or none that there is");
                }
                if (kind == "counter") != name.ends_with("_total") {
                    return wrong("`_total` is for counters and all of them");
                }
                if page.kinds.insert(name.to_owned(), kind.to_owned()).is_some() {
                    return wrong("told twice");
                }
                family = name.to_owned();
            } else {
                let Some((name, labels, value)) = sample(line) else { return wrong("no sample") };
                let histogram = page.kinds.get(&family).is_some_and(|kind| kind == "histogram");
                let suffix = name.strip_prefix(family.as_str()).filter(|_| !family.is_empty());
                match suffix {
                    Some("") if !histogram => {}
                    Some("_bucket" | "_sum" | "_count") if histogram => {}
                    _ => return wrong("not of the family it stands under"),
                }
                if value < 0.0 && name.ends_with("_total") || value.is_nan() {
                    return wrong("no count");
                }
                if page.samples.insert(format!("{name}{labels}"), value).is_some() {
                    return wrong("told twice");
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
            let rises = buckets.windows(2).all(|of| of[0].0 < of[1].0 && of[0].1 <= of[1].1);
            let (last, count) = (buckets.last().copied(), self.samples.get(&format!("{name}_count")));
            let whole = last.is_some_and(|(le, all)| le == f64::INFINITY && Some(&all) == count);
            if !rises || !whole || !self.samples.contains_key(&format!("{name}_sum")) {
                return Err(format!("{name} is no histogram: {buckets:?}, count {count:?}"));
            }
        }
        Ok(())
    }
}

/// `name{label="value",…} 1.5`: the name, the labels as written, the value.
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
