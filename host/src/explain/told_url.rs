use http::Uri;

use super::redact::Redactor;

/// A URL without query, and without those parts of its path that may be keys.
pub(super) fn quiet(url: &str, redactor: &Redactor) -> String {
    let Ok(uri) = url.parse::<Uri>() else { return redactor.clean("[not a URL]") };
    let origin = countersign::Origin::of(&uri).map(|origin| origin.to_string()).unwrap_or_default();
    redactor.clean(&format!("{origin}{}", quiet_path(uri.path())))
}

/// A path without those parts that may be keys.
pub(crate) fn quiet_path(path: &str) -> String {
    let segments = path.split('/').map(|segment| if may_be_key(segment) { "…" } else { segment });
    segments.collect::<Vec<_>>().join("/")
}

fn may_be_key(segment: &str) -> bool {
    let uuid = segment.len() == 36 && segment.matches('-').count() == 4;
    let digits = segment.bytes().filter(u8::is_ascii_digit).count();
    let letters = segment.bytes().filter(u8::is_ascii_alphabetic).count();
    segment.len() >= 16 && digits >= 3 && letters >= 3 && !uuid
}
