//! The one secret that is planted in tests, and the proof that it was used and yet is nowhere to be read.

use std::fmt::Write as _;
use std::io;
use std::sync::{Arc, Mutex, OnceLock, PoisonError};

use base64::Engine;
use base64::engine::general_purpose::{STANDARD, URL_SAFE};
use tracing::Level;
use tracing_subscriber::fmt::MakeWriter;
use tracing_subscriber::fmt::format::FmtSpan;

/// The secret: a password, a client secret, an API key, a token, whatever the test needs. Nothing else looks like it.
pub const CANARY: &str = "cAnArY-4f9b27-SiNgS-n0where";

/// Captures every event and span of this process, of all crates and at all levels, from when it is made.
///
/// First [`seen_on_wire`](Canary::seen_on_wire), then [`assert_silent`](Canary::assert_silent): a secret that was
/// never sent proves nothing by not being logged.
#[derive(Debug)]
pub struct Canary {
    logs: Logs,
    on_wire: bool,
}

impl Canary {
    /// Starts to capture. In one process all canaries share what is captured, which makes the proof only stronger.
    pub fn start() -> Self {
        static LOGS: OnceLock<Logs> = OnceLock::new();
        let logs = LOGS.get_or_init(|| {
            let logs = Logs::default();
            tracing_subscriber::fmt()
                .with_max_level(Level::TRACE)
                .with_span_events(FmtSpan::FULL)
                .with_ansi(false)
                .with_writer(logs.clone())
                .init();
            logs
        });
        Self { logs: logs.clone(), on_wire: false }
    }

    /// Takes note that the secret arrived where it belongs.
    ///
    /// # Panics
    /// If it is not in what arrived, neither as it is nor encoded.
    pub fn seen_on_wire(&mut self, arrived: &str) {
        assert!(contains_canary(arrived), "the canary did not reach the wire; this arrived:\n{arrived}");
        self.on_wire = true;
    }

    /// Checks that neither the logs nor any of these texts (errors, `Debug` output, panics, pages) tell it.
    ///
    /// # Panics
    /// If one does; if the secret never reached the wire; if nothing at all was logged.
    pub fn assert_silent(&self, texts: &[&str]) {
        assert!(self.on_wire, "call seen_on_wire first: a secret that was never used cannot leak");
        let logs = self.logs.text();
        assert!(!logs.is_empty(), "nothing was logged at TRACE, so nothing was shown to be silent");
        for line in logs.lines().chain(texts.iter().copied()) {
            assert!(!contains_canary(line), "the canary sings in: {line}");
        }
    }

    /// What was logged so far.
    pub fn logs(&self) -> String {
        self.logs.text()
    }
}

/// True if the text holds the canary: as it is in any case, in base64 at any offset, in hex, or as a list of
/// numbers, which is how `Debug` prints bytes.
pub fn contains_canary(text: &str) -> bool {
    static FORMS: OnceLock<Vec<String>> = OnceLock::new();
    let lower = text.to_lowercase();
    FORMS.get_or_init(forms).iter().any(|form| lower.contains(form.as_str()))
}

fn forms() -> Vec<String> {
    let bytes = CANARY.as_bytes();
    let mut forms = vec![CANARY.to_owned()];
    for offset in 0..3 {
        // Whole groups of three bytes only: what stands before and after changes the edges.
        let whole = &bytes[offset..offset + (bytes.len() - offset) / 3 * 3];
        forms.push(STANDARD.encode(whole));
        forms.push(URL_SAFE.encode(whole));
    }
    let mut hex = String::new();
    for byte in bytes {
        write!(hex, "{byte:02x}").unwrap();
    }
    forms.push(hex);
    let numbers: Vec<_> = bytes.iter().map(u8::to_string).collect();
    forms.push(numbers.join(", "));
    forms.push(numbers.join(","));
    forms.iter().map(|form| form.to_lowercase()).collect()
}

#[derive(Clone, Debug, Default)]
struct Logs(Arc<Mutex<Vec<u8>>>);

impl Logs {
    fn text(&self) -> String {
        String::from_utf8_lossy(&self.0.lock().unwrap_or_else(PoisonError::into_inner)).into_owned()
    }
}

impl io::Write for Logs {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl<'a> MakeWriter<'a> for Logs {
    type Writer = Self;

    fn make_writer(&'a self) -> Self {
        self.clone()
    }
}
