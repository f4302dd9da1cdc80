use std::fmt::Write as _;
use std::sync::{Arc, Mutex, PoisonError};

use tracing::field::{Field, Visit};
use tracing::{Event, Subscriber};
use tracing_subscriber::Layer;
use tracing_subscriber::layer::Context;

/// Keeps what is logged, at every level, so that it can be looked through for secrets.
///
/// It is a layer of the process's subscriber; whoever runs the suite puts it there, for a process has one.
#[derive(Debug, Clone, Default)]
pub struct Recorder(Arc<Mutex<String>>);

/// How much is kept, in bytes; what comes after that is not looked at.
const LIMIT: usize = 16 << 20;

impl Recorder {
    pub(super) fn text(&self) -> String {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

impl<S: Subscriber> Layer<S> for Recorder {
    fn on_event(&self, event: &Event<'_>, _: Context<'_, S>) {
        let mut line = Line(String::new());
        event.record(&mut line);
        let mut text = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if text.len() < LIMIT {
            text.push_str(&line.0);
            text.push('\n');
        }
    }
}

struct Line(String);

impl Visit for Line {
    fn record_debug(&mut self, field: &Field, value: &dyn std::fmt::Debug) {
        // Writing to a string cannot fail.
        let _ = write!(self.0, "{}={value:?} ", field.name());
    }

    fn record_str(&mut self, field: &Field, value: &str) {
        let _ = write!(self.0, "{}={value} ", field.name());
    }
}
