use std::fmt::{self, Display, Write};

/// Writes metrics in Prometheus' text format, version 0.0.4, which every scraper reads.
///
/// Why not a library: the numbers are counted elsewhere and read once a scrape, so only the writing is left; and the crates for
/// that write OpenMetrics, which not every scraper takes.
#[derive(Debug, Default)]
pub(super) struct Exposition(String);

/// The media type.
pub(super) const CONTENT_TYPE: &str = "text/plain; version=0.0.4; charset=utf-8";

impl Exposition {
    /// A metric that only grows. Its name ends in `_total`.
    pub(super) fn counter(&mut self, name: &str, help: &str, write: impl FnOnce(&mut Family<'_>)) {
        self.family(name, "counter", help, write);
    }

    /// A metric that goes up and down.
    pub(super) fn gauge(&mut self, name: &str, help: &str, write: impl FnOnce(&mut Family<'_>)) {
        self.family(name, "gauge", help, write);
    }

    /// A metric of several series: buckets, sum and count.
    pub(super) fn histogram(&mut self, name: &str, help: &str, write: impl FnOnce(&mut Family<'_>)) {
        self.family(name, "histogram", help, write);
    }

    fn family(&mut self, name: &str, kind: &str, help: &str, write: impl FnOnce(&mut Family<'_>)) {
        self.push(format_args!("# HELP {name} {help}\n# TYPE {name} {kind}\n"));
        write(&mut Family { text: self, name });
    }

    fn push(&mut self, text: fmt::Arguments<'_>) {
        // A `String` takes everything.
        let _ = self.0.write_fmt(text);
    }

    pub(super) fn into_text(self) -> String {
        self.0
    }
}

/// The series of one metric.
#[derive(Debug)]
pub(super) struct Family<'e> {
    text: &'e mut Exposition,
    name: &'e str,
}

impl Family<'_> {
    /// One series, told apart from the metric's others by its labels.
    pub(super) fn series(&mut self, labels: &[(&str, &str)], value: impl Display) {
        self.series_of("", labels, value);
    }

    /// One series of a histogram: `suffix` is `_bucket`, `_sum` or `_count`.
    pub(super) fn series_of(&mut self, suffix: &str, labels: &[(&str, &str)], value: impl Display) {
        self.text.push(format_args!("{}{suffix}", self.name));
        for (index, (name, value)) in labels.iter().enumerate() {
            let before = if index == 0 { '{' } else { ',' };
            self.text.push(format_args!("{before}{name}=\"{}\"", Escaped(value)));
        }
        let after = if labels.is_empty() { "" } else { "}" };
        self.text.push(format_args!("{after} {value}\n"));
    }
}

/// A label's value between its quotes.
struct Escaped<'v>(&'v str);

impl Display for Escaped<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.chars().try_for_each(|character| match character {
            '\\' => f.write_str("\\\\"),
            '"' => f.write_str("\\\""),
            '\n' => f.write_str("\\n"),
            other => f.write_char(other),
        })
    }
}
