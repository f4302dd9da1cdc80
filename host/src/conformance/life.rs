//! Many at once, given up halfway, dropped.

use countersign::Inputs;
use countersign::Profile;

use super::acquire::First;
use super::check::{self, Check};
use super::issuer::Issuer;
use super::look;
use super::script::Script;
use super::subject::Case;
use super::talk::{Talk, Talked, start};
use super::trial::{Trial, told};

pub(super) const ALL: [&Check; 4] =
    [check::INTERLEAVED, check::CANCELLED, check::DROPPED, check::STILL_THERE];

pub(super) fn check(trial: &mut Trial<'_>, case: &Case, first: Option<&First>) {
    let about = case.name.as_str();
    let Some(first) = first else { return trial.skip(&ALL, about, "there is no credential") };
    interleaved(trial, about, first);
    cancelled(trial, about, first);
    dropped(trial, case, first);

    let inputs = first.profile.inputs();
    let issuer = Issuer::of(trial.script, 1);
    let talked = trial.talk("after all", &*first.profile, start(&inputs, 1), &issuer);
    let fault = match talked.outcome {
        Ok(credential) if first.is_like(&look::of(&credential)) => None,
        Ok(_) => Some("it yields another credential than at first".to_owned()),
        Err(error) => Some(told(&error)),
    };
    trial.settle(check::STILL_THERE, about, fault.into_iter().collect());
}

/// 100 conversations, each with an issuer and a caller of its own.
fn interleaved(trial: &mut Trial<'_>, about: &str, first: &First) {
    let profile = &*first.profile;
    let inputs = profile.inputs();
    let alone: Vec<_> = (0..100)
        .map(|number| {
            let issuer = Issuer::of(trial.script, number);
            trial.talk("alone", profile, start(&inputs, number), &issuer)
        })
        .collect();
    let script = trial.script;
    let together: Vec<(usize, Talked)> = std::thread::scope(|scope| {
        let threads: Vec<_> = (0..8)
            .map(|thread| {
                let inputs = &inputs;
                scope.spawn(move || in_turns(profile, inputs, script, (thread..100).step_by(8)))
            })
            .collect();
        threads.into_iter().filter_map(|thread| thread.join().ok()).flatten().collect()
    });
    let mut faults = Vec::new();
    if together.len() != alone.len() {
        faults.push(format!("{} of 100 never ended", alone.len() - together.len()));
    }
    for (number, talked) in &together {
        trial.remember("interleaved", talked);
        let fault = match (&talked.outcome, &alone[*number].outcome) {
            (Ok(credential), Ok(expected)) => {
                let (credential, expected) = (look::of(credential), look::of(expected));
                let same = if first.fixed {
                    credential == expected
                } else {
                    look::shape(&credential) == look::shape(&expected)
                };
                (!same).then(|| {
                    "a conversation yields another's credential, or another one than alone".to_owned()
                })
            }
            (Err(error), Ok(_)) => Some(told(error)),
            _ => None,
        };
        faults.extend(fault);
    }
    trial.settle(check::INTERLEAVED, about, faults);
}

/// All of them begun, then one turn of each after the other.
fn in_turns(
    profile: &dyn Profile,
    inputs: &Inputs,
    script: &Script,
    numbers: impl Iterator<Item = usize>,
) -> Vec<(usize, Talked)> {
    let mut under_way: Vec<_> = numbers
        .map(|number| (number, Talk::begin(profile, start(inputs, number), Issuer::of(script, number))))
        .collect();
    let mut ended = Vec::new();
    while !under_way.is_empty() {
        under_way.retain_mut(|(number, talk)| match talk.turn() {
            Some(talked) => {
                ended.push((*number, talked));
                false
            }
            None => true,
        });
    }
    ended
}

fn cancelled(trial: &mut Trial<'_>, about: &str, first: &First) {
    let profile = &*first.profile;
    let inputs = profile.inputs();
    let issuer = Issuer::of(trial.script, 1);
    let mut faults = Vec::new();
    for turns in 0..first.needs {
        let mut talk = Talk::begin(profile, start(&inputs, 2), Issuer::of(trial.script, 2));
        for _ in 0..turns {
            talk.turn();
        }
        drop(talk);
        let after = trial.talk("after one that was given up", profile, start(&inputs, 1), &issuer);
        match after.outcome {
            Ok(credential) if first.is_like(&look::of(&credential)) => {}
            Ok(_) => faults.push(format!(
                "after one that was given up at need {}, the credential is another",
                turns + 1
            )),
            Err(error) => {
                faults.push(format!("after one that was given up at need {}: {}", turns + 1, told(&error)))
            }
        }
    }
    if first.needs == 0 {
        trial.skip(&[check::CANCELLED], about, "its conversations have no await");
    } else {
        trial.settle(check::CANCELLED, about, faults);
    }
}

fn dropped(trial: &mut Trial<'_>, case: &Case, first: &First) {
    let about = case.name.as_str();
    let panics = |trial: &Trial<'_>| {
        trial.recorder.map_or(0, |recorder| recorder.text().matches("panicked while it was dropped").count())
    };
    let before = panics(trial);
    let inputs = first.profile.inputs();
    let mut faults = Vec::new();
    for conversation_first in [true, false] {
        let Ok(profile) = trial.make(case) else {
            faults.push("another instance cannot be made".to_owned());
            break;
        };
        let talk = Talk::begin(&*profile, start(&inputs, 3), Issuer::of(trial.script, 3));
        if conversation_first {
            drop(talk);
            drop(profile);
        } else {
            drop(profile);
            drop(talk);
        }
    }
    if panics(trial) > before {
        faults.push("it panics while it is dropped".to_owned());
    }
    trial.settle(check::DROPPED, about, faults);
}
