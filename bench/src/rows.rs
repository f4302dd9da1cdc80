//! Figures that stand alone, with their limits. Displayed, they are a table in Markdown.

use std::fmt;

/// A table of figures.
pub struct Rows {
    title: String,
    rows: Vec<Row>,
}

struct Row {
    name: String,
    min: f64,
    median: f64,
    max: f64,
    limit: Option<f64>,
}

impl Rows {
    /// An empty table.
    pub fn new(title: &str) -> Self {
        Self { title: title.to_owned(), rows: Vec::new() }
    }

    /// Adds a figure that was measured once.
    pub fn one(&mut self, name: &str, value: f64, limit: Option<f64>) {
        self.many(name, vec![value], limit);
    }

    /// Adds a figure that was measured several times.
    pub fn many(&mut self, name: &str, mut values: Vec<f64>, limit: Option<f64>) {
        values.sort_unstable_by(f64::total_cmp);
        let at = |index: usize| values.get(index).copied().unwrap_or(f64::NAN);
        let (min, median, max) = (at(0), at(values.len() / 2), at(values.len().saturating_sub(1)));
        self.rows.push(Row { name: name.to_owned(), min, median, max, limit });
    }
}

impl fmt::Display for Rows {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "### {}\n", self.title)?;
        writeln!(f, "| what | median | limit | min | max |")?;
        writeln!(f, "|---|--:|--:|--:|--:|")?;
        for Row { name, min, median, max, limit } in &self.rows {
            let limit = match limit {
                Some(limit) if median <= limit => format!("≤ {limit}"),
                Some(limit) => format!("**≤ {limit}: missed**"),
                None => String::new(),
            };
            writeln!(f, "| {name} | {median:.2} | {limit} | {min:.2} | {max:.2} |")?;
        }
        Ok(())
    }
}
