//! Prose in lines of a width.

use std::fmt::Write as _;

/// A text of paragraphs, as doc comments are: each wrapped and indented, what stands in a fence as it is.
pub(crate) fn blocks(text: &str, width: usize, indent: usize) -> String {
    let margin = " ".repeat(indent);
    let mut page = String::new();
    let mut prose = String::new();
    let mut fenced = false;
    let flush = |prose: &mut String, page: &mut String| {
        for line in wrapped(prose, width, indent, indent) {
            // Writing to a string cannot fail.
            let _ = writeln!(page, "{margin}{line}");
        }
        prose.clear();
    };
    for line in text.lines() {
        let bare = line.trim();
        if bare.starts_with("```") {
            flush(&mut prose, &mut page);
            fenced = !fenced;
        } else if fenced {
            let _ = writeln!(page, "{margin}  {}", line.trim_end());
        } else {
            // A new point begins a line of its own.
            if bare.is_empty() || bare.starts_with("* ") || bare.starts_with("- ") {
                flush(&mut prose, &mut page);
            }
            prose.push_str(bare);
            prose.push(' ');
        }
    }
    flush(&mut prose, &mut page);
    page
}

/// Words in lines of at most `width` characters, of which `first` are taken on the first line and `others` on each other. A word
/// that is longer stands on a line of its own; what stands between backticks stays together.
pub(crate) fn wrapped(text: &str, width: usize, first: usize, others: usize) -> Vec<String> {
    let mut lines: Vec<String> = Vec::new();
    let mut used = 0;
    for word in words(text) {
        let length = word.chars().count();
        let taken = if lines.len() < 2 { first } else { others };
        match lines.last_mut() {
            Some(line) if taken + used + 1 + length <= width => {
                line.push(' ');
                line.push_str(word);
                used += 1 + length;
            }
            _ => {
                lines.push(word.to_owned());
                used = length;
            }
        }
    }
    lines
}

/// What is divided by white space outside of backticks.
fn words(text: &str) -> impl Iterator<Item = &str> {
    let mut rest = text.trim_start();
    std::iter::from_fn(move || {
        if rest.is_empty() {
            return None;
        }
        let mut quoted = false;
        let end = rest.find(|character: char| {
            quoted ^= character == '`';
            character.is_whitespace() && !quoted
        });
        // One that is never closed quotes nothing.
        let end = match end {
            None if quoted => rest.find(char::is_whitespace),
            end => end,
        };
        let (word, after) = rest.split_at(end.unwrap_or(rest.len()));
        rest = after.trim_start();
        Some(word)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_are_no_longer_than_the_width_and_quotes_stay_together() {
        let text = "Cookies by name, as `{{ caller.tenant }}`, each.";
        assert_eq!(wrapped(text, 24, 4, 2), ["Cookies by name, as", "`{{ caller.tenant }}`,", "each."]);
        assert_eq!(wrapped("a `b c", 3, 0, 0), ["a", "`b", "c"]);
        assert!(wrapped(" ", 80, 0, 0).is_empty());
    }

    #[test]
    fn a_fence_is_kept_as_it_is_and_a_point_begins_a_line() {
        let text = "One\ntwo.\n\nThree:\n* a\n* b\n\n```toml\nx  = 1\n```\nEnd.";
        assert_eq!(blocks(text, 80, 2), "  One two.\n  Three:\n  * a\n  * b\n    x  = 1\n  End.\n");
    }
}
