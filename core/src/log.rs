//! `tracing` out of a plugin: its events become records for the host, whichever way they go there.

use std::cell::RefCell;
use std::collections::HashMap;
use std::fmt;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};

use tracing::field::{Field, Visit};
use tracing::span::{Attributes, Id, Record};
use tracing::subscriber::Interest;
use tracing::{Event, Level, Metadata, Subscriber};

use crate::protocol::frame::LogRecord;

/// Where records go.
pub(crate) trait Sink: Send + Sync + 'static {
    /// The most verbose level that the host wants: 0 nothing, 1 error … 5 trace. It may change.
    fn log_level(&self) -> u8;

    /// Takes a record.
    fn log(&self, record: &LogRecord);
}

/// Makes the host's log the global `tracing` subscriber of this library, unless it has one.
pub(crate) fn forward_to(sink: impl Sink) {
    let forward = Forward { sink, spans: Mutex::default(), last: AtomicU64::new(0) };
    // An error means that the plugin has a subscriber of its own, which is its author's choice.
    let _ = tracing::subscriber::set_global_default(forward);
}

struct Forward<S> {
    sink: S,
    spans: Mutex<HashMap<u64, &'static str>>,
    last: AtomicU64,
}

thread_local! {
    static ENTERED: RefCell<Vec<&'static str>> = const { RefCell::new(Vec::new()) };
}

impl<S: Sink> Subscriber for Forward<S> {
    /// Asked anew for each event: the host's level may change while it runs.
    fn register_callsite(&self, _: &'static Metadata<'static>) -> Interest {
        Interest::sometimes()
    }

    fn enabled(&self, metadata: &Metadata<'_>) -> bool {
        number(*metadata.level()) <= self.sink.log_level()
    }

    fn new_span(&self, span: &Attributes<'_>) -> Id {
        let id = self.last.fetch_add(1, Ordering::Relaxed) + 1;
        self.spans.lock().unwrap_or_else(PoisonError::into_inner).insert(id, span.metadata().name());
        Id::from_u64(id)
    }

    fn record(&self, _: &Id, _: &Record<'_>) {}

    fn record_follows_from(&self, _: &Id, _: &Id) {}

    fn event(&self, event: &Event<'_>) {
        let mut record = LogRecord {
            level: number(*event.metadata().level()),
            target: event.metadata().target().to_owned(),
            spans: ENTERED.with_borrow(|spans| spans.iter().map(|name| (*name).to_owned()).collect()),
            ..LogRecord::default()
        };
        event.record(&mut record);
        self.sink.log(&record);
    }

    fn enter(&self, span: &Id) {
        let spans = self.spans.lock().unwrap_or_else(PoisonError::into_inner);
        let name = spans.get(&span.into_u64()).copied().unwrap_or("span");
        ENTERED.with_borrow_mut(|entered| entered.push(name));
    }

    fn exit(&self, _: &Id) {
        ENTERED.with_borrow_mut(|entered| entered.pop());
    }

    fn try_close(&self, span: Id) -> bool {
        self.spans.lock().unwrap_or_else(PoisonError::into_inner).remove(&span.into_u64()).is_some()
    }
}

impl Visit for LogRecord {
    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        self.record_str(field, &format!("{value:?}"));
    }

    fn record_str(&mut self, field: &Field, value: &str) {
        match field.name() {
            "message" => value.clone_into(&mut self.message),
            name => {
                self.fields.insert(name.to_owned(), value.to_owned());
            }
        }
    }
}

fn number(level: Level) -> u8 {
    match level {
        Level::ERROR => 1,
        Level::WARN => 2,
        Level::INFO => 3,
        Level::DEBUG => 4,
        _ => 5,
    }
}
