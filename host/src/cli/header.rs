use http::{Request, Uri};

use super::Failure;
use super::args::HeaderArguments;
use super::call::data;
use super::output::print;
use crate::Host;
use crate::connector::{BodyBytes, PresentsClientCertificate};

/// Prints what would be placed, a line each: `Name: value` for header fields, `Query: name=value` for parameters.
pub(super) async fn run(host: &Host, arguments: HeaderArguments) -> Result<(), Failure> {
    let connector = host.connector(&arguments.connector)?;
    let uri = connector
        .base_url()
        .join(&arguments.path)
        .map_err(|error| Failure::Words(format!("--path: {error}")))?;
    let body = arguments.data.as_deref().map(data).transpose()?.unwrap_or_default();
    let request = Request::builder()
        .method(arguments.method)
        .uri(uri)
        .extension(arguments.caller.caller())
        .extension(BodyBytes(body))
        .extension(PresentsClientCertificate)
        .body(())
        .map_err(|error| Failure::Words(error.to_string()))?;
    let (mut parts, ()) = request.into_parts();
    let before = parts.uri.clone();
    connector.authorize(&mut parts).await?;
    for (name, value) in &parts.headers {
        print(format_args!("{}: {}\n", capitals(name.as_str()), String::from_utf8_lossy(value.as_bytes())))?;
    }
    let had: Vec<&str> = pairs(&before).collect();
    for pair in pairs(&parts.uri).filter(|pair| !had.contains(pair)) {
        print(format_args!("Query: {pair}\n"))?;
    }
    if parts.extensions.get::<countersign::ClientCertificate>().is_some() {
        print("(a client certificate is presented on the connection)\n")?;
    }
    Ok(())
}

/// A field's name as people write it: `X-Api-Key`.
fn capitals(name: &str) -> String {
    let words = name.split('-').map(|word| {
        let mut letters = word.chars();
        letters
            .next()
            .map(|first| first.to_ascii_uppercase().to_string() + letters.as_str())
            .unwrap_or_default()
    });
    words.collect::<Vec<_>>().join("-")
}

fn pairs(uri: &Uri) -> impl Iterator<Item = &str> {
    uri.query().into_iter().flat_map(|query| query.split('&'))
}
