use std::collections::{BTreeMap, BTreeSet};

/// A page of metrics that was read as strictly as any scraper does: text format 0.0.4, and the naming rules of
/// Prometheus and of this program on top.
#[derive(Debug)]
pub(super) struct Metrics {
    /// By name and labels as they stand: `countersign_requests_total{connector="orders",class="2xx"}`.
    series: BTreeMap<String, f64>,
    kinds: BTreeMap<String, String>,
}

impl Metrics {
    /// # Panics
    /// With the line at fault.
    pub(super) fn read(page: &str) -> Self {
        assert!(page.ends_with('\n'), "the last line does not end");
        let (mut series, mut kinds) = (BTreeMap::new(), BTreeMap::new());
        let (mut help, mut family) = (None, None::<(String, String)>);
        for line in page.lines() {
            if let Some(rest) = line.strip_prefix("# HELP ") {
                let (name, text) = rest.split_once(' ').unwrap_or_else(|| panic!("no help: {line}"));
                assert!(text.ends_with('.') && !text.contains('\\'), "{line}");
                help = Some(name.to_owned());
                family = None;
            } else if let Some(rest) = line.strip_prefix("# TYPE ") {
                let (name, kind) = rest.split_once(' ').unwrap_or_else(|| panic!("no type: {line}"));
                assert_eq!(help.take().as_deref(), Some(name), "TYPE does not follow its HELP: {line}");
                check_name(name, kind);
                assert!(kinds.insert(name.to_owned(), kind.to_owned()).is_none(), "twice: {line}");
                family = Some((name.to_owned(), kind.to_owned()));
            } else {
                let (name, kind) = family.as_ref().unwrap_or_else(|| panic!("of no family: {line}"));
                let (key, value) = sample(line, name, kind);
                assert!(series.insert(key, value).is_none(), "twice: {line}");
            }
        }
        let metrics = Self { series, kinds };
        metrics.check_histograms();
        metrics
    }

    pub(super) fn value(&self, series: &str) -> Option<f64> {
        self.series.get(series).copied()
    }

    /// Each series, values left out.
    pub(super) fn names(&self) -> BTreeSet<&str> {
        self.series.keys().map(String::as_str).collect()
    }

    /// Everything that never goes down.
    pub(super) fn counters(&self) -> impl Iterator<Item = (&str, f64)> {
        let is_counter = |series: &str| {
            let name = series.split('{').next().unwrap_or_default();
            name.ends_with("_total")
                || name.ends_with("_bucket")
                || name.ends_with("_count")
                || name.ends_with("_sum")
        };
        self.series
            .iter()
            .filter(move |(series, _)| is_counter(series))
            .map(|(series, value)| (series.as_str(), *value))
    }

    /// The metrics' names, for the book.
    pub(super) fn families(&self) -> impl Iterator<Item = &str> {
        self.kinds.keys().map(String::as_str)
    }

    /// Buckets grow, and the last one holds all.
    fn check_histograms(&self) {
        let mut found: BTreeMap<String, Vec<(f64, f64)>> = BTreeMap::new();
        for (series, value) in self.series.iter().filter(|(series, _)| series.contains("_bucket{")) {
            let (rest, end) = series.rsplit_once("le=\"").unwrap();
            let end = end.trim_end_matches("\"}");
            let end = if end == "+Inf" { f64::INFINITY } else { end.parse().unwrap() };
            found
                .entry(rest.trim_end_matches(',').replace("_bucket", "_count"))
                .or_default()
                .push((end, *value));
        }
        for (count, mut buckets) in found {
            buckets.sort_by(|one, other| one.0.total_cmp(&other.0));
            assert!(buckets.windows(2).all(|pair| pair[0].1 <= pair[1].1), "{count}: {buckets:?}");
            let last = buckets.last().unwrap();
            assert_eq!(last.0, f64::INFINITY, "{count}");
            assert_eq!(self.value(&format!("{count}}}")), Some(last.1), "{count}");
            assert!(self.value(&format!("{}}}", count.replace("_count", "_sum"))).is_some(), "{count}");
        }
    }
}

fn check_name(name: &str, kind: &str) {
    assert!(name.starts_with("countersign_") && is_name(name), "{name}");
    assert!(["counter", "gauge", "histogram"].contains(&kind), "{kind}");
    assert_eq!(kind == "counter", name.ends_with("_total"), "{name} is a {kind}");
    assert!(!["_millis", "_ms", "_micros", "_minutes"].iter().any(|unit| name.contains(unit)), "{name}");
}

fn sample(line: &str, family: &str, kind: &str) -> (String, f64) {
    let (key, value) = match line.find('{') {
        Some(open) => {
            let close = open + labels(&line[open + 1..], line) + 1;
            let value = line[close..].strip_prefix("} ").unwrap_or_else(|| panic!("no value: {line}"));
            (format!("{}}}", &line[..close]), value)
        }
        None => {
            let (name, value) = line.split_once(' ').unwrap_or_else(|| panic!("no value: {line}"));
            (name.to_owned(), value)
        }
    };
    let name = key.split('{').next().unwrap();
    let suffix = name.strip_prefix(family).unwrap_or_else(|| panic!("not of {family}: {line}"));
    let suffixes: &[&str] = if kind == "histogram" { &["_bucket", "_sum", "_count"] } else { &[""] };
    assert!(suffixes.contains(&suffix), "{line}");
    let number: f64 = value.parse().unwrap_or_else(|_| panic!("no number: {line}"));
    assert!(number.is_finite(), "{line}");
    assert!(number >= 0.0 || kind == "gauge", "{line}");
    (key, number)
}

/// Reads `name="value",…` and says where the closing brace is.
fn labels(text: &str, line: &str) -> usize {
    let (mut at, mut seen) = (0, BTreeSet::new());
    loop {
        let (name, _) = text[at..].split_once("=\"").unwrap_or_else(|| panic!("no label: {line}"));
        assert!(is_name(name) && seen.insert(name), "{line}");
        at += name.len() + 2;
        let mut characters = text[at..].char_indices();
        let end = loop {
            match characters.next() {
                Some((index, '"')) => break index,
                Some((_, '\\')) => {
                    let escaped = characters.next().map(|(_, escaped)| escaped);
                    assert!(matches!(escaped, Some('\\' | '"' | 'n')), "{line}");
                }
                Some(_) => {}
                None => panic!("a label's value does not end: {line}"),
            }
        };
        at += end + 1;
        match text.as_bytes().get(at) {
            Some(b',') => at += 1,
            Some(b'}') => return at,
            _ => panic!("neither `,` nor `}}` after a label: {line}"),
        }
    }
}

fn is_name(name: &str) -> bool {
    !name.starts_with(|first: char| first.is_ascii_digit())
        && !name.is_empty()
        && name.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'_')
}

#[test]
fn what_is_no_page_of_metrics_is_noticed() {
    const HEAD: &str = "# HELP countersign_x A gauge.\n# TYPE countersign_x gauge\n";
    let accepted = |page: String| std::panic::catch_unwind(|| Metrics::read(&page)).is_ok();
    assert!(accepted(format!("{HEAD}countersign_x{{a=\"b\\\"\\\\c\\n\"}} 1\n")));
    for wrong in [
        "countersign_x{a=\"b\"} 1",
        "countersign_x{a=\"b\"} one\n",
        "countersign_x{a=\"b} 1\n",
        "countersign_x{a=\"b\\q\"} 1\n",
        "countersign_x{a=\"b\",a=\"c\"} 1\n",
        "countersign_x 1\ncountersign_x 2\n",
        "countersign_y 1\n",
        "countersign_x NaN\n",
        "# HELP countersign_x_total Twice.\n# TYPE countersign_x_total gauge\n",
        "# TYPE countersign_z gauge\n",
    ] {
        assert!(!accepted(format!("{HEAD}{wrong}")), "{wrong}");
    }
}
