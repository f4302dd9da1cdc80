use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use countersign::Error;
use zeroize::Zeroizing;

/// One `-----BEGIN …-----` block (RFC 7468), decoded.
pub(crate) struct Block {
    /// What stands after `BEGIN`: `PRIVATE KEY`, `CERTIFICATE`, ….
    pub(crate) label: String,
    /// The content; not yet looked into.
    pub(crate) der: Zeroizing<Vec<u8>>,
}

/// The label of a block that OpenSSL encrypted in its own way, before PKCS#8.
pub(crate) const OLD_ENCRYPTION: &str = "old encryption";

const BEGIN: &str = "-----BEGIN ";
const END: &str = "-----END ";
const DASHES: &str = "-----";

/// Whether the text is meant to be PEM at all.
pub(crate) fn is_pem(text: &str) -> bool {
    text.contains(BEGIN) || text.contains(END)
}

/// Reads every block; text between blocks is explanatory and skipped (RFC 7468 §2).
///
/// Line ends may be anything, even missing or written as `\n`, since keys often come through environment variables.
///
/// # Errors
/// When a block is cut off or its base64 is damaged.
pub(crate) fn blocks(text: &str) -> Result<Vec<Block>, Error> {
    let text = Zeroizing::new(text.replace("\\r", "\n").replace("\\n", "\n"));
    let mut rest = text.as_str();
    let mut blocks = Vec::new();
    while let Some(start) = rest.find(BEGIN) {
        if rest[..start].contains(END) {
            return Err(cut_off("there is an END line without its BEGIN line"));
        }
        rest = &rest[start + BEGIN.len()..];
        let (label, body) =
            rest.split_once(DASHES).ok_or_else(|| cut_off("it stops within its BEGIN line"))?;
        let end = body.find(END).ok_or_else(|| cut_off("it has no END line"))?;
        if body[..end].contains(BEGIN) {
            return Err(cut_off("a block begins before the one above it has ended"));
        }
        let (end_label, after) = body[end + END.len()..]
            .split_once(DASHES)
            .ok_or_else(|| cut_off("it stops within its END line"))?;
        if end_label != label {
            return Err(Error::config(
                "is damaged: a PEM block's BEGIN and END lines differ; copy the whole file again",
            ));
        }
        blocks.push(block(label, &body[..end])?);
        rest = after;
    }
    if blocks.is_empty() || rest.contains(END) {
        return Err(cut_off("there is an END line without its BEGIN line"));
    }
    Ok(blocks)
}

/// Writes one block, with a line end after each 64 characters (RFC 7468 §2).
pub(crate) fn write(label: &str, der: &[u8], out: &mut String) {
    let base64 = Zeroizing::new(STANDARD.encode(der));
    out.reserve(base64.len() + base64.len() / 64 + 2 * (BEGIN.len() + label.len() + DASHES.len()) + 4);
    out.extend([BEGIN, label, DASHES, "\n"]);
    let mut rest = base64.as_str();
    while !rest.is_empty() {
        // Base64 is ASCII, so every index is a boundary.
        let (line, after) = rest.split_at(rest.len().min(64));
        out.extend([line, "\n"]);
        rest = after;
    }
    out.extend([END, label, DASHES, "\n"]);
}

fn block(label: &str, body: &str) -> Result<Block, Error> {
    if body.contains("Proc-Type:") {
        return Ok(Block { label: OLD_ENCRYPTION.into(), der: Zeroizing::default() });
    }
    let mut base64 = Zeroizing::new(String::with_capacity(body.len()));
    base64.extend(body.chars().filter(|c| !c.is_whitespace()));
    let der = STANDARD.decode(base64.as_bytes()).map_err(|_| {
        Error::config("is damaged or cut off: the base64 between its BEGIN and END lines is not valid")
    })?;
    if der.is_empty() {
        return Err(cut_off("there is nothing between its BEGIN and END lines"));
    }
    Ok(Block { label: label.into(), der: Zeroizing::new(der) })
}

fn cut_off(how: &str) -> Error {
    Error::config(format!("is PEM text that is cut off: {how}; was the file still being written?"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn line_ends_do_not_matter() {
        let pem = "-----BEGIN X-----\nAAECAwQF\nBgcICQ==\n-----END X-----\n";
        for text in [
            pem.to_owned(),
            pem.replace('\n', "\r\n"),
            pem.replace('\n', "\\n"),
            pem.replace('\n', " "),
            pem.replace('\n', ""),
            format!("Bag Attributes\n  friendlyName: x\n{pem}trailing words"),
        ] {
            let blocks = blocks(&text).unwrap();
            assert_eq!(blocks[0].label, "X");
            assert_eq!(*blocks[0].der, [0, 1, 2, 3, 4, 5, 6, 7, 8, 9]);
        }
    }

    #[test]
    fn every_way_of_being_cut_off_is_noticed() {
        let pem = "-----BEGIN X-----\nAAECAwQF\nBgcICQ==\n-----END X-----";
        for length in "-----BEGIN ".len()..pem.len() {
            assert!(blocks(&pem[..length]).is_err(), "{length}");
        }
        for start in 1..=pem.find("-----END").unwrap() {
            assert!(blocks(&pem[start..]).is_err(), "{start}");
        }
        let half = &pem[..30];
        assert!(blocks(&format!("{half}\n{pem}")).is_err());
    }
}
