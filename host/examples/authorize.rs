//! Credentials for requests that any HTTP client of yours sends.
//!
//! `cargo run --example authorize -- countersign.toml orders /42`
#![allow(clippy::print_stdout)] // it is a program

use std::error::Error;

use countersign::{Caller, Challenge};
use countersign_host::Host;

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let [config, connector, path] = arguments()?;
    // ANCHOR: authorize
    // Once per process. It runs as long as it, or a clone of it, is held.
    let host = Host::start(config.as_ref()).await?;
    let connector = host.connector(&connector)?;

    // For each request: on whose behalf it goes, then the credentials.
    let request = http::Request::get(connector.base_url().join(&path)?)
        .extension(Caller::from_iter([("user", "ada")]))
        .body(bytes::Bytes::new())?;
    let (mut parts, body) = request.into_parts();
    let authorization = connector.authorize(&mut parts).await?; // an error: do not send

    // Any client sends it.
    let client = reqwest::Client::new();
    let answer = client.execute(http::Request::from_parts(parts, body).try_into()?).await?;

    // You decide what a rejection is. This credential is given up, and no other; the next call obtains a new one.
    if answer.status() == http::StatusCode::UNAUTHORIZED {
        let challenge = Challenge { status: 401, headers: Vec::new() };
        let another = connector.reject(&authorization, &challenge);
        println!("rejected; another credential can be expected: {another}");
    }
    // ANCHOR_END: authorize
    println!("{}\n{}", answer.status(), answer.text().await?);

    // ANCHOR: try_authorize
    // Where nothing may wait: no lock, no allocation, no future. `None` means that nothing was touched.
    let mut parts = http::Request::get(connector.base_url().join(&path)?).body(())?.into_parts().0;
    if connector.try_authorize(&mut parts).is_none() {
        println!("this call would have to wait, reads the caller, or needs more than one header");
    }
    // ANCHOR_END: try_authorize
    Ok(())
}

fn arguments() -> Result<[String; 3], Box<dyn Error>> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    arguments.try_into().map_err(|_| "usage: authorize CONFIG CONNECTOR PATH".into())
}
