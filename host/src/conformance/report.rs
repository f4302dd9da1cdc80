//! What came of it.

use std::collections::BTreeMap;
use std::fmt;
use std::path::PathBuf;

use serde_json::{Value, json};

use super::check::Check;

/// What came of testing one plugin file.
#[derive(Debug)]
pub struct Report {
    /// The file.
    pub file: PathBuf,
    /// What came of it in each home.
    pub homes: Vec<HomeReport>,
    /// What can be said only of all homes together.
    pub across: Vec<Outcome>,
}

/// What came of testing a plugin in one home.
#[derive(Default)]
pub struct HomeReport {
    /// The home: `in-process`, `process`.
    pub home: String,
    /// Why the file does not run there.
    pub refused: Option<String>,
    /// What came of the checks.
    pub outcomes: Vec<Outcome>,
    /// What was seen, by what was done, to be compared between homes. It may hold secrets and is shown to nobody.
    pub(super) seen: BTreeMap<String, String>,
}

/// What came of one check of one type or profile.
#[derive(Debug)]
pub struct Outcome {
    /// The check.
    pub check: &'static Check,
    /// The type, or the profile, in question.
    pub about: String,
    /// How it ended.
    pub verdict: Verdict,
    /// What was measured.
    pub figure: Option<String>,
}

/// How a check ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Verdict {
    /// The rule is kept.
    Passed,
    /// It is not, and how that showed. No secret.
    Failed(String),
    /// It does not apply, and why.
    Skipped(String),
    /// It was not looked at for want of something that the author can give.
    Untried(Want),
}

/// What checks cannot do without, and only the plugin's author knows.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Want {
    /// Settings that are good.
    Settings,
    /// What the issuer answers.
    Answers,
}

impl Want {
    /// Each.
    pub const ALL: [Self; 2] = [Self::Settings, Self::Answers];

    /// Its name: `settings`, `answers`.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Settings => "settings",
            Self::Answers => "answers",
        }
    }

    /// What is missing, and how it is given.
    pub const fn why(self) -> &'static str {
        match self {
            Self::Settings => "no settings of this type: give them by a profile in `--config FILE`",
            Self::Answers => {
                "the issuer's answers do not suit this type: write them down for `--script FILE`"
            }
        }
    }
}

impl HomeReport {
    /// Of a home in which nothing has been tried yet.
    pub fn of(home: &str) -> Self {
        Self { home: home.to_owned(), ..Self::default() }
    }
}

/// Blind to what was seen.
impl fmt::Debug for HomeReport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { home, refused, outcomes, seen: _ } = self;
        f.debug_struct("HomeReport")
            .field("home", home)
            .field("refused", refused)
            .field("outcomes", outcomes)
            .finish_non_exhaustive()
    }
}

impl Report {
    /// All outcomes.
    pub fn outcomes(&self) -> impl Iterator<Item = &Outcome> {
        self.homes.iter().flat_map(|home| &home.outcomes).chain(&self.across)
    }

    /// How many checks were passed, failed and skipped; those that were not tried for want of something are skipped.
    pub fn counts(&self) -> (usize, usize, usize) {
        self.outcomes().fold((0, 0, 0), |(passed, failed, skipped), outcome| match outcome.verdict {
            Verdict::Passed => (passed + 1, failed, skipped),
            Verdict::Failed(_) => (passed, failed + 1, skipped),
            Verdict::Skipped(_) | Verdict::Untried(_) => (passed, failed, skipped + 1),
        })
    }

    /// How many checks were not tried for want of that.
    pub fn untried(&self, want: Want) -> usize {
        self.outcomes().filter(|outcome| outcome.verdict == Verdict::Untried(want)).count()
    }

    /// Whether every check that applies was tried, in every home that the file can run in.
    pub fn is_whole(&self) -> bool {
        Want::ALL.into_iter().all(|want| self.untried(want) == 0)
    }

    /// Whether the plugin may be used: it ran somewhere, and no check failed.
    pub fn is_good(&self) -> bool {
        self.counts().1 == 0 && self.homes.iter().any(|home| home.refused.is_none())
    }

    /// The same for machines.
    pub fn to_json(&self) -> Value {
        let (passed, failed, skipped) = self.counts();
        let homes: Vec<_> = self
            .homes
            .iter()
            .map(|home| json!({ "home": home.home, "refused": home.refused, "checks": list(&home.outcomes) }))
            .collect();
        json!({
            "file": self.file.display().to_string(),
            "good": self.is_good(),
            "passed": passed,
            "failed": failed,
            "skipped": skipped,
            "untried": Want::ALL.into_iter().map(|want| self.untried(want)).sum::<usize>(),
            "homes": homes,
            "across": list(&self.across),
        })
    }
}

fn list(outcomes: &[Outcome]) -> Vec<Value> {
    outcomes.iter().map(Outcome::to_json).collect()
}

impl Outcome {
    fn to_json(&self) -> Value {
        let (verdict, why) = match &self.verdict {
            Verdict::Passed => ("passed", None),
            Verdict::Failed(why) => ("failed", Some(why.as_str())),
            Verdict::Skipped(why) => ("skipped", Some(why.as_str())),
            Verdict::Untried(want) => ("skipped", Some(want.why())),
        };
        let wants = match self.verdict {
            Verdict::Untried(want) => Some(want.as_str()),
            _ => None,
        };
        json!({
            "check": self.check.name,
            "group": self.check.group.as_str(),
            "proves": self.check.proves,
            "about": self.about,
            "verdict": verdict,
            "why": why,
            "wants": wants,
            "figure": self.figure,
        })
    }
}
