use std::collections::HashSet;
use std::iter::repeat;

use super::super::corpus::{Case, Verdict, cases};
use super::super::{Framing, WireLimits, judge};
use super::server::serve;

fn corpus() -> Vec<Case> {
    cases(include_str!("../corpus.txt"))
}

#[test]
fn every_case_gets_its_verdict_however_it_is_parted() {
    let mut wrong = Vec::new();
    for case in corpus() {
        for size in [usize::MAX, 1, 2, 3, 7, 61, 1460] {
            let (seen, state, _) = serve(&case.bytes, repeat(size));
            let verdicts: Vec<_> = seen.iter().map(|seen| seen.verdict()).collect();
            if verdicts != case.verdicts || state.heads() != heads(&case) {
                let faults: Vec<_> = seen.iter().filter_map(|seen| seen.refusal).collect();
                wrong.push(format!("{}: in pieces of {size}: {verdicts:?}, {faults:?}", case.name));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

fn heads(case: &Case) -> u32 {
    u32::try_from(case.verdicts.len()).unwrap()
}

#[test]
fn a_head_that_is_judged_alone_gets_the_same_verdict() {
    for case in corpus() {
        let Some(end) = case.bytes.windows(4).position(|bytes| bytes == b"\r\n\r\n") else { continue };
        let Some(first) = case.verdicts.first() else { continue };
        let verdict = judge(&case.bytes[..end + 4], &WireLimits::default());
        match first {
            Verdict::Refused(status) => {
                assert_eq!(verdict.map_err(|fault| fault.status), Err(*status), "{}", case.name);
            }
            Verdict::Passes => assert!(verdict.is_ok(), "{}: {verdict:?}", case.name),
            Verdict::Cut => assert_eq!(verdict, Ok(Framing::Chunked), "{}", case.name),
        }
    }
}

#[test]
fn the_corpus_is_large_and_its_names_are_its_own() {
    let corpus = corpus();
    let passes = |case: &&Case| case.verdicts.iter().all(|verdict| *verdict == Verdict::Passes);
    let good = corpus.iter().filter(passes).count();
    assert!(good >= 30, "{good}");
    assert!(corpus.len() - good >= 120, "{}", corpus.len() - good);
    let names: HashSet<_> = corpus.iter().map(|case| &case.name).collect();
    assert_eq!(names.len(), corpus.len());
}
