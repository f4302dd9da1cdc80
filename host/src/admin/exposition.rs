use std::fmt::{self, Display, Write};

/// Takes metrics, and makes of them what is wanted: Prometheus' text format, version 0.0.4, which every scraper reads, or
/// the series themselves, for who writes them otherwise.
///
/// Why not a library: the numbers are counted elsewhere and read once a scrape, so only the writing is left; and the crates for
/// that write OpenMetrics, which not every scraper takes.
#[derive(Debug)]
pub(crate) struct Exposition(Sink);

#[derive(Debug)]
enum Sink {
    Text(String),
    #[cfg(feature = "otel")]
    Metrics(Vec<Metric>),
}

/// The media type.
pub(super) const CONTENT_TYPE: &str = "text/plain; version=0.0.4; charset=utf-8";

/// How a metric moves.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    /// It only grows.
    Counter,
    /// It goes up and down.
    Gauge,
    /// It has several series: buckets, sum and count.
    Histogram,
}

/// A number of a series.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) enum Number {
    Whole(u64),
    Real(f64),
}

/// A metric with its series.
#[cfg(feature = "otel")]
#[derive(Debug)]
pub(crate) struct Metric {
    pub(crate) name: String,
    pub(crate) kind: Kind,
    pub(crate) help: String,
    pub(crate) series: Vec<Series>,
}

/// One series of a metric.
#[cfg(feature = "otel")]
#[derive(Debug)]
pub(crate) struct Series {
    /// Of a histogram: `_bucket`, `_sum` or `_count`.
    pub(crate) suffix: &'static str,
    pub(crate) labels: Vec<(String, String)>,
    pub(crate) value: Number,
}

impl Exposition {
    /// One that writes text.
    pub(super) const fn text() -> Self {
        Self(Sink::Text(String::new()))
    }

    /// One that keeps the series.
    #[cfg(feature = "otel")]
    pub(crate) const fn metrics() -> Self {
        Self(Sink::Metrics(Vec::new()))
    }

    /// A metric that only grows. Its name ends in `_total`.
    pub(super) fn counter(&mut self, name: &str, help: &str, write: impl FnOnce(&mut Family<'_>)) {
        self.family(name, Kind::Counter, help, write);
    }

    /// A metric that goes up and down.
    pub(super) fn gauge(&mut self, name: &str, help: &str, write: impl FnOnce(&mut Family<'_>)) {
        self.family(name, Kind::Gauge, help, write);
    }

    /// A metric of several series: buckets, sum and count.
    pub(super) fn histogram(&mut self, name: &str, help: &str, write: impl FnOnce(&mut Family<'_>)) {
        self.family(name, Kind::Histogram, help, write);
    }

    fn family(&mut self, name: &str, kind: Kind, help: &str, write: impl FnOnce(&mut Family<'_>)) {
        match &mut self.0 {
            Sink::Text(text) => push(text, format_args!("# HELP {name} {help}\n# TYPE {name} {kind}\n")),
            #[cfg(feature = "otel")]
            Sink::Metrics(metrics) => metrics.push(Metric {
                name: name.to_owned(),
                kind,
                help: help.to_owned(),
                series: Vec::new(),
            }),
        }
        write(&mut Family { sink: &mut self.0, name });
    }

    pub(super) fn into_text(self) -> String {
        match self.0 {
            Sink::Text(text) => text,
            #[cfg(feature = "otel")]
            Sink::Metrics(_) => String::new(),
        }
    }

    #[cfg(feature = "otel")]
    pub(crate) fn into_metrics(self) -> Vec<Metric> {
        match self.0 {
            Sink::Text(_) => Vec::new(),
            Sink::Metrics(metrics) => metrics,
        }
    }
}

/// The series of one metric.
#[derive(Debug)]
pub(super) struct Family<'e> {
    sink: &'e mut Sink,
    name: &'e str,
}

impl Family<'_> {
    /// One series, told apart from the metric's others by its labels.
    pub(super) fn series(&mut self, labels: &[(&str, &str)], value: impl Into<Number>) {
        self.series_of("", labels, value);
    }

    /// One series of a histogram: `suffix` is `_bucket`, `_sum` or `_count`.
    pub(super) fn series_of(
        &mut self,
        suffix: &'static str,
        labels: &[(&str, &str)],
        value: impl Into<Number>,
    ) {
        let value = value.into();
        match self.sink {
            Sink::Text(text) => {
                push(text, format_args!("{}{suffix}", self.name));
                for (index, (name, value)) in labels.iter().enumerate() {
                    let before = if index == 0 { '{' } else { ',' };
                    push(text, format_args!("{before}{name}=\"{}\"", Escaped(value)));
                }
                let after = if labels.is_empty() { "" } else { "}" };
                push(text, format_args!("{after} {value}\n"));
            }
            #[cfg(feature = "otel")]
            Sink::Metrics(metrics) => {
                let labels = labels.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
                if let Some(metric) = metrics.last_mut() {
                    metric.series.push(Series { suffix, labels: labels.collect(), value });
                }
            }
        }
    }
}

fn push(text: &mut String, what: fmt::Arguments<'_>) {
    // A `String` takes everything.
    let _ = text.write_fmt(what);
}

impl Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Counter => "counter",
            Self::Gauge => "gauge",
            Self::Histogram => "histogram",
        })
    }
}

impl Display for Number {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Whole(whole) => whole.fmt(f),
            Self::Real(real) => real.fmt(f),
        }
    }
}

impl From<u64> for Number {
    fn from(whole: u64) -> Self {
        Self::Whole(whole)
    }
}

impl From<u8> for Number {
    fn from(whole: u8) -> Self {
        Self::Whole(whole.into())
    }
}

impl From<usize> for Number {
    fn from(whole: usize) -> Self {
        Self::Whole(u64::try_from(whole).unwrap_or(u64::MAX))
    }
}

impl From<f64> for Number {
    fn from(real: f64) -> Self {
        Self::Real(real)
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
