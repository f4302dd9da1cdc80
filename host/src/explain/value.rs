use countersign::Place;
use http::request::Parts;

/// What stands on a request.
pub(super) fn value(parts: &Parts, place: Place, name: &str) -> Option<String> {
    match place {
        Place::Header => Some(String::from_utf8_lossy(parts.headers.get(name)?.as_bytes()).into_owned()),
        Place::Query => {
            let wanted = percent_encoding::percent_decode_str(name).decode_utf8_lossy();
            let mut pairs = form_urlencoded::parse(parts.uri.query()?.as_bytes());
            pairs.find(|(known, _)| *known == wanted).map(|(_, value)| value.into_owned())
        }
        Place::Cookie => {
            let fields = parts.headers.get_all("cookie").iter().filter_map(|field| field.to_str().ok());
            let mut pairs =
                fields.flat_map(|field| field.split(';')).filter_map(|pair| pair.trim().split_once('='));
            pairs.find(|(known, _)| *known == name).map(|(_, value)| value.to_owned())
        }
    }
}
