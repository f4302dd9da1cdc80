use std::io::Read;

use bytes::Bytes;
use http::{HeaderName, HeaderValue, Method, Request};
use http_body_util::BodyExt;

use super::Failure;
use super::args::CallArguments;
use super::output::{print, print_bytes};
use crate::{Client, Host};

/// The exit status when the API answered with an error, as curl's `--fail` has it.
pub(super) const API_ERROR: u8 = 22;

/// Calls the API and prints what it answers.
pub(super) async fn run(host: &Host, arguments: CallArguments) -> Result<(), Failure> {
    let connector = host.connector(&arguments.connector)?;
    let body = arguments.data.as_deref().map(data).transpose()?;
    let method = arguments.method.clone().unwrap_or(if body.is_some() { Method::POST } else { Method::GET });
    let uri = connector
        .base_url()
        .join(&arguments.path)
        .map_err(|error| Failure::Words(format!("PATH: {error}")))?;
    let mut request = Request::builder().method(method).uri(uri).extension(arguments.caller.caller());
    for field in &arguments.headers {
        let (name, value) = header(field)?;
        request = request.header(name, value);
    }
    let request = request
        .body(body.unwrap_or_default())
        .map_err(|error| Failure::Words(format!("the request: {error}")))?;
    let client = Client::new().follow_redirects(arguments.location);
    let answer = client.send(&connector, request).await?;
    if arguments.include {
        print(format_args!("{:?} {}\n", answer.version(), answer.status()))?;
        for (name, value) in answer.headers() {
            print(format_args!("{name}: {}\n", String::from_utf8_lossy(value.as_bytes())))?;
        }
        print("\n")?;
    }
    let failed = answer.status().as_u16() >= 400;
    let mut body = answer.into_body();
    while let Some(frame) = body.frame().await {
        let frame = frame.map_err(|_| Failure::Words("the answer was cut off".to_owned()))?;
        if let Ok(data) = frame.into_data() {
            print_bytes(&data)?;
        }
    }
    if failed { Err(Failure::Status(API_ERROR)) } else { Ok(()) }
}

/// The data of an argument: itself, or a file's by `@FILE`, or standard input's by `@-`.
pub(super) fn data(argument: &str) -> Result<Bytes, Failure> {
    let Some(file) = argument.strip_prefix('@') else {
        return Ok(Bytes::copy_from_slice(argument.as_bytes()));
    };
    let read = if file == "-" {
        let mut bytes = Vec::new();
        std::io::stdin().lock().read_to_end(&mut bytes).map(|_| bytes)
    } else {
        std::fs::read(file)
    };
    read.map(Bytes::from).map_err(|error| Failure::Words(format!("cannot read {file}: {error}")))
}

pub(super) fn header(field: &str) -> Result<(HeaderName, HeaderValue), Failure> {
    let wrong = || Failure::Words("-H: a header field is `Name: value`".to_owned());
    let (name, value) = field.split_once(':').ok_or_else(wrong)?;
    Ok((name.trim().parse().map_err(|_| wrong())?, value.trim().parse().map_err(|_| wrong())?))
}
