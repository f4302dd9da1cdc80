//! What can be known without a network of the certificates that profiles present: whether their time is over, or nearly.

use std::time::{Duration, SystemTime};

use countersign::Lifetime;
use countersign::protocol::{Start, Step};

use crate::config::{Finding, Findings};
use crate::instance::{Instance, wait};
use crate::setup::ReadyProfile;

/// How long before its end a certificate is told of.
const BEFOREHAND: Duration = Duration::from_secs(7 * 24 * 60 * 60);

/// The profiles whose certificate cannot be presented at that time, as errors, and those that soon cannot, as warnings.
///
/// A profile does no I/O, so the first step of its conversation says this for nothing. One that needs an exchange first, or
/// whose certificate depends on the caller, says nothing here.
pub(crate) fn ending(profiles: &[ReadyProfile], now: SystemTime) -> Findings {
    let mut findings = Findings::new();
    profiles.iter().filter_map(|profile| of(profile, now)).for_each(|finding| findings.push(finding));
    findings
}

fn of(profile: &ReadyProfile, now: SystemTime) -> Option<Finding> {
    let (instance, settings): (&dyn Instance, _) = (&*profile.made.instance, &profile.config.settings);
    let presents = instance.places().is_some_and(|places| places.presents_certificate());
    let inputs = instance.inputs();
    if !presents || inputs.caller_attributes().len() > 0 || inputs.reads_target() {
        return None;
    }
    match wait(instance.start(Start::at(now))).0 {
        Step::Failed(error) => Some(settings.locate(&error)),
        Step::Done(credential) => {
            let Lifetime::Until(end) = credential.lifetime() else { return None };
            credential.client_certificate()?;
            (end < now + BEFOREHAND).then(|| {
                let end = httpdate::fmt_http_date(end);
                let finding = settings.site().finding(format!("the certificate expires at {end}"));
                finding
                    .with_help("put a renewed one in its place; it is taken without a restart")
                    .as_warning()
            })
        }
        Step::Need(_) => None,
    }
}
