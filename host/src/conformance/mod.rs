//! The conformance suite: what every plugin file has to keep to, tried out, in every home that the file can run in.
//!
//! The checks are data ([`Check`]); running them ([`run`], [`test_file`]) yields a [`Report`], which prints nothing. A plugin is
//! known here only as a [`Subject`], so that the checks themselves are tested with types that break one rule each. Not here: words
//! for people, which are `cli`'s.

mod acquire;
mod check;
mod homes;
mod issuer;
mod life;
mod look;
mod manifest;
mod recorder;
mod report;
mod schema;
mod script;
mod settings;
mod sign;
mod silence;
mod subject;
mod talk;
mod trial;

pub use check::{ALL, Check, Group};
pub use homes::{Request, test_file};
pub use recorder::Recorder;
pub use report::{HomeReport, Outcome, Report, Verdict, Want};
pub use script::Script;
pub use subject::{Case, Subject};
pub use trial::run;

/// What may be seen nowhere: it is put into settings and into the answers of a failing issuer.
const CANARY: &str = "c0nf0rmance-canary";

#[cfg(test)]
mod tests;
