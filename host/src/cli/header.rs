use countersign::Place;
use http::Request;

use super::Failure;
use super::args::HeaderArguments;
use super::call::data;
use super::output::print;
use crate::Host;
use crate::connector::BodyBytes;

/// Prints what would be placed, a line each: header fields as they are, the URL if a query parameter is placed.
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
        .body(())
        .map_err(|error| Failure::Words(error.to_string()))?;
    let (mut parts, ()) = request.into_parts();
    let before = parts.uri.clone();
    connector.authorize(&mut parts).await?;
    for (name, value) in &parts.headers {
        print(format_args!("{}: {}\n", name, String::from_utf8_lossy(value.as_bytes())))?;
    }
    if parts.uri != before {
        print(format_args!("{}: {}\n", Place::Query, parts.uri.query().unwrap_or_default()))?;
    }
    if parts.extensions.get::<countersign::ClientCertificate>().is_some() {
        print("a client certificate is presented on the connection\n")?;
    }
    Ok(())
}
