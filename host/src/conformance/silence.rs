//! What must not have been said.

use countersign::ErrorKind;

use super::check;
use super::subject::Case;
use super::trial::Trial;

/// Of all errors since `began`, none was the plugin's own fault.
pub(super) fn never_internal(trial: &mut Trial<'_>, case: &Case, began: usize) {
    let faults: Vec<String> = trial.heard[began..]
        .iter()
        .filter(|(_, error)| error.kind() == ErrorKind::Internal)
        .map(|(what, error)| format!("{what}: {}", error.message()))
        .collect();
    trial.settle(check::NEVER_INTERNAL, &case.name, faults);
}

/// Last of all: neither errors nor logs hold what is secret.
pub(super) fn check(trial: &mut Trial<'_>) {
    const ABOUT: &str = "the file";
    let holds = |text: &str| trial.secrets.iter().any(|secret| text.contains(secret.as_str()));
    let faults = trial
        .heard
        .iter()
        .filter(|(_, error)| holds(&format!("{error} {error:?}")))
        .map(|(what, error)| format!("{what}: the {} error holds a secret", error.kind()))
        .collect();
    let logs = trial.recorder.map(|recorder| {
        let text = recorder.text();
        let line = text.lines().position(&holds);
        line.map(|line| format!("line {} of the log holds a secret", line + 1)).into_iter().collect()
    });
    hide(trial);
    trial.settle(check::ERRORS_SILENT, ABOUT, faults);
    match logs {
        Some(faults) => trial.settle(check::LOGS_SILENT, ABOUT, faults),
        None => trial.skip(&[check::LOGS_SILENT], ABOUT, "nobody keeps the logs"),
    }
}

/// Takes out of the report what an error should not have held.
fn hide(trial: &mut Trial<'_>) {
    use super::report::Verdict;
    for outcome in &mut trial.outcomes {
        if let Verdict::Failed(why) | Verdict::Skipped(why) = &mut outcome.verdict {
            for secret in &trial.secrets {
                *why = why.replace(secret.as_str(), "…");
            }
        }
    }
}
