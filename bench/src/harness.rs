//! Measures things beside each other. All are measured once a round, in turn, so that what disturbs the machine
//! disturbs them alike; a row is the median of its rounds, and a ratio the median of the rounds' own ratios.

use std::fmt;
use std::hint::black_box;
use std::time::{Duration, Instant};

use crate::allocations;

/// A group of lanes that run side by side.
pub struct Group<'a> {
    title: String,
    rounds: usize,
    lanes: Vec<Lane<'a>>,
}

struct Lane<'a> {
    name: String,
    operations: u32,
    measure: Box<dyn FnMut() -> Duration + 'a>,
    nanoseconds: Vec<f64>,
    allocations: f64,
    limit: Option<Limit>,
}

/// What a lane ought to stay below.
#[derive(Clone, Copy)]
enum Limit {
    /// A multiple of the first lane.
    Ratio(f64),
    Nanoseconds(f64),
}

impl<'a> Group<'a> {
    /// A group without lanes yet. The first lane that is added is the one to which all are compared.
    pub fn new(title: impl Into<String>, rounds: usize) -> Self {
        Self { title: title.into(), rounds, lanes: Vec::new() }
    }

    /// Adds a lane: `measure` does so many operations and says how long they took.
    pub fn lane(&mut self, name: &str, operations: u32, measure: impl FnMut() -> Duration + 'a) {
        self.lanes.push(Lane {
            name: name.to_owned(),
            operations,
            measure: Box::new(measure),
            nanoseconds: Vec::with_capacity(self.rounds),
            allocations: 0.0,
            limit: None,
        });
    }

    /// Says how many times the first lane the lane added last may cost.
    pub fn at_most_times(&mut self, ratio: f64) {
        self.limit(Limit::Ratio(ratio));
    }

    /// Says how long an operation of the lane added last may take.
    pub fn at_most(&mut self, time: Duration) {
        self.limit(Limit::Nanoseconds(time.as_nanos() as f64));
    }

    fn limit(&mut self, limit: Limit) {
        if let Some(lane) = self.lanes.last_mut() {
            lane.limit = Some(limit);
        }
    }

    /// Measures every lane, one after the other, in every round; the first tenth of the rounds only warms up.
    pub fn run(mut self) -> Table {
        let warm_up = self.rounds / 10 + 1;
        for round in 0..warm_up + self.rounds {
            let count = self.lanes.len();
            for turn in 0..count {
                let lane = &mut self.lanes[(round + turn) % count];
                let spent = (lane.measure)();
                if round >= warm_up {
                    lane.nanoseconds.push(spent.as_nanos() as f64 / f64::from(lane.operations));
                }
            }
        }
        for lane in &mut self.lanes {
            let count = allocations::count(|| {
                black_box((lane.measure)());
            });
            lane.allocations = count as f64 / f64::from(lane.operations);
        }
        let base = self.lanes.first().map(|lane| lane.nanoseconds.clone()).unwrap_or_default();
        let rows = self.lanes.into_iter().map(|lane| Row::of(lane, &base)).collect();
        Table { title: self.title, rows }
    }
}

/// What a group came to. Displayed, it is a table in Markdown.
pub struct Table {
    title: String,
    rows: Vec<Row>,
}

struct Row {
    name: String,
    ratio: f64,
    limit: Option<Limit>,
    min: f64,
    median: f64,
    max: f64,
    allocations: f64,
}

impl Row {
    fn of(lane: Lane<'_>, base: &[f64]) -> Self {
        let ratios = lane.nanoseconds.iter().zip(base).map(|(own, base)| own / base).collect();
        let sorted = sorted(lane.nanoseconds);
        Self {
            name: lane.name,
            ratio: median(&self::sorted(ratios)),
            limit: lane.limit,
            min: sorted.first().copied().unwrap_or_default(),
            median: median(&sorted),
            max: sorted.last().copied().unwrap_or_default(),
            allocations: lane.allocations,
        }
    }

    fn verdict(&self) -> String {
        let (text, kept) = match self.limit {
            None => return String::new(),
            Some(Limit::Ratio(limit)) => (format!("≤ {limit}"), self.ratio <= limit),
            Some(Limit::Nanoseconds(limit)) => (format!("≤ {limit} ns"), self.median <= limit),
        };
        if kept { text } else { format!("**{text}: missed**") }
    }
}

impl fmt::Display for Table {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "### {}\n", self.title)?;
        writeln!(f, "| what | × | limit | median ns | min | max | allocations |")?;
        writeln!(f, "|---|--:|--:|--:|--:|--:|--:|")?;
        for row in &self.rows {
            let limit = row.verdict();
            let Row { name, ratio, min, median, max, allocations, .. } = row;
            writeln!(
                f,
                "| {name} | {ratio:.2} | {limit} | {median:.1} | {min:.1} | {max:.1} | {allocations:.2} |"
            )?;
        }
        Ok(())
    }
}

/// Times so many calls of one function.
pub fn repeat<T>(operations: u32, mut operation: impl FnMut() -> T) -> Duration {
    let start = Instant::now();
    for _ in 0..operations {
        black_box(operation());
    }
    start.elapsed()
}

/// What reading the clock twice costs by itself; to be taken off short measurements.
pub fn clock_overhead() -> Duration {
    let readings = (0..10_001).map(|_| Instant::now().elapsed().as_nanos() as f64).collect();
    Duration::from_nanos(median(&sorted(readings)) as u64)
}

fn sorted(mut values: Vec<f64>) -> Vec<f64> {
    values.sort_unstable_by(f64::total_cmp);
    values
}

fn median(sorted: &[f64]) -> f64 {
    sorted.get(sorted.len() / 2).copied().unwrap_or_default()
}
