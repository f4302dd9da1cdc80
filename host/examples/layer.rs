//! Credentials for every request of a `tower` HTTP service.
//!
//! `cargo run --example layer -- countersign.toml orders /42`
#![allow(clippy::print_stdout)] // it is a program

use std::error::Error;

use bytes::Bytes;
use countersign::Caller;
use countersign_host::{AuthorizeLayer, Host};
use http::{Request, Response};
use tower::{Layer, ServiceExt, service_fn};

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [config, connector, path] = arguments.as_slice() else {
        return Err("usage: layer CONFIG CONNECTOR PATH".into());
    };
    // ANCHOR: layer
    let host = Host::start(config.as_ref()).await?;
    let connector = host.connector(connector)?;

    // The inner service: here reqwest, in your program what you have.
    let http = reqwest::Client::new();
    let inner = service_fn(move |request: Request<Bytes>| {
        let http = http.clone();
        async move {
            let answer = http.execute(request.try_into()?).await?;
            Ok::<_, reqwest::Error>(Response::<reqwest::Body>::from(answer))
        }
    });
    let orders = AuthorizeLayer::new(connector.clone()).layer(inner);

    let request = Request::get(connector.base_url().join(path)?)
        .extension(Caller::from_iter([("user", "ada")]))
        .body(Bytes::new())?;
    let answer = orders.oneshot(request).await?;
    // ANCHOR_END: layer
    println!("{}", answer.status());
    Ok(())
}
