//! Calls by way of the built-in client: credential, replay after a rejection, deadline, redirects.
//!
//! `cargo run --example client -- countersign.toml orders /42`
#![allow(clippy::print_stdout)] // it is a program

use std::error::Error;

use bytes::Bytes;
use countersign::{Caller, ErrorKind};
use countersign_host::{Client, Host};
use http_body_util::BodyExt;

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [config, connector, path] = arguments.as_slice() else {
        return Err("usage: client CONFIG CONNECTOR PATH".into());
    };
    // ANCHOR: client
    let host = Host::start(config.as_ref()).await?;
    let connector = host.connector(connector)?;
    let client = Client::new().follow_redirects(true);

    let request = http::Request::get(path.as_str()) // below the connector's base URL
        .extension(Caller::from_iter([("user", "ada")]))
        .body(Bytes::new())?;
    match client.send(&connector, request).await {
        Ok(answer) => {
            println!("{}", answer.status());
            let body = answer.into_body().collect().await?.to_bytes(); // or frame by frame: it is streamed
            println!("{}", String::from_utf8_lossy(&body));
        }
        Err(error) if error.kind() == ErrorKind::Unavailable => println!("try again later: {error}"),
        Err(error) => return Err(error.into()),
    }
    // ANCHOR_END: client
    Ok(())
}
