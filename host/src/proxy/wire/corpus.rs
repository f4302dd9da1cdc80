//! Reads `corpus.txt`. It depends on nothing, so that tests elsewhere can include it too.

use std::str::Chars;

/// What a client sends, and what becomes of it.
#[derive(Debug)]
pub(crate) struct Case {
    pub(crate) name: String,
    pub(crate) bytes: Vec<u8>,
    /// For each request that the server comes to see.
    pub(crate) verdicts: Vec<Verdict>,
}

/// What becomes of a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Verdict {
    /// It passes, with its whole body.
    Passes,
    /// It is refused with that status, and nothing after it is read.
    Refused(u16),
    /// Its head passes, its body is at fault.
    Cut,
}

/// The cases of a text in the corpus' format.
///
/// # Panics
/// It is not in that format.
pub(crate) fn cases(text: &str) -> Vec<Case> {
    let mut cases: Vec<Case> = Vec::new();
    for line in text.lines().filter(|line| !line.starts_with('#')) {
        if let Some(title) = line.strip_prefix("= ") {
            cases.push(case(title));
        } else if let Some(case) = cases.last_mut() {
            unescape(&mut line.chars(), None, &mut case.bytes);
        }
    }
    cases
}

fn case(title: &str) -> Case {
    let (name, verdicts) = title.split_once(':').unwrap_or_else(|| panic!("no colon in {title}"));
    Case {
        name: name.to_owned(),
        bytes: Vec::new(),
        verdicts: verdicts.split_whitespace().map(verdict).collect(),
    }
}

fn verdict(word: &str) -> Verdict {
    match word {
        "ok" => Verdict::Passes,
        "cut" => Verdict::Cut,
        _ => Verdict::Refused(word.parse().unwrap_or_else(|_| panic!("{word} is no verdict"))),
    }
}

/// Up to the end, or to what closes a repetition.
fn unescape(chars: &mut Chars<'_>, end: Option<char>, bytes: &mut Vec<u8>) {
    while let Some(char) = chars.next() {
        match char {
            '\\' => escape(chars, bytes),
            _ if Some(char) == end => return,
            _ => bytes.extend(char.encode_utf8(&mut [0; 4]).as_bytes()),
        }
    }
    assert!(end.is_none(), "a repetition has no end");
}

fn escape(chars: &mut Chars<'_>, bytes: &mut Vec<u8>) {
    match chars.next() {
        Some('r') => bytes.push(b'\r'),
        Some('n') => bytes.push(b'\n'),
        Some('t') => bytes.push(b'\t'),
        Some('\\') => bytes.push(b'\\'),
        Some('x') => {
            let digits: String = chars.by_ref().take(2).collect();
            bytes.push(u8::from_str_radix(&digits, 16).unwrap_or_else(|_| panic!("\\x{digits}")));
        }
        Some('{') => {
            let count: String = chars.by_ref().take_while(|char| *char != ':').collect();
            let mut repeated = Vec::new();
            unescape(chars, Some('}'), &mut repeated);
            bytes.extend(repeated.repeat(count.parse().unwrap_or_else(|_| panic!("\\{{{count}"))));
        }
        other => panic!("\\{other:?} is no escape"),
    }
}
