use http::StatusCode;

use crate::cli::output::Paint;

/// What came of the demonstration's calls, a line for each: what was called, with what, and how that ended. It fits a terminal of 80
/// columns, and comes last, where a screen still shows it.
#[derive(Default)]
pub(super) struct Table(Vec<Row>);

struct Row {
    call: String,
    with: &'static str,
    status: StatusCode,
    body: String,
    held: bool,
}

impl Table {
    /// Adds a call; `held`: whether it ended as it had to.
    pub(super) fn add(
        &mut self,
        call: impl Into<String>,
        with: &'static str,
        (status, body): (StatusCode, &str),
        held: bool,
    ) {
        self.0.push(Row { call: call.into(), with, status, body: body.to_owned(), held });
    }

    /// The calls that did not end as they had to.
    pub(super) fn failures(&self) -> Vec<&str> {
        self.0.iter().filter(|row| !row.held).map(|row| row.call.as_str()).collect()
    }

    pub(super) fn shown(&self, paint: Paint) -> String {
        let mut text =
            format!("  {}\n", paint.bold(format_args!("{:23}{:18}outcome", "what was called", "with")));
        for Row { call, with, status, body, held } in &self.0 {
            let outcome = match status.is_success() {
                true => format!("{} {body}", paint.good(status.as_u16())),
                false => paint.bad(status),
            };
            let mark = if *held { String::new() } else { paint.bad("  not as it should be") };
            text.push_str(&format!("  {call:23}{with:18}{outcome}{mark}\n"));
        }
        text
    }
}
