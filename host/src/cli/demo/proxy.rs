use std::path::Path;

use http::StatusCode;

use super::say;
use super::table::Table;
use crate::cli::output::Paint;
use crate::{Host, Overrides, Proxy};

/// What a client without any code of ours asks, with what, and what the answer has to hold.
struct Call {
    path: &'static str,
    user: Option<&'static str>,
    status: StatusCode,
    expected: &'static str,
    how: &'static str,
}

/// The same calls by a client that knows nothing of credentials: plain HTTP, to `countersign serve` on a free port.
///
/// # Errors
/// In words, what did not hold or could not be set up.
pub(super) async fn show(host: &Host, config: &Path, paint: Paint, table: &mut Table) -> Result<(), String> {
    let proxy = Proxy::start(host.clone(), config, Overrides::default())
        .map_err(|findings| format!("the proxy cannot start: {findings}"))?;
    let address = proxy.listeners().first().cloned().ok_or("the proxy listens nowhere")?;
    say(format_args!(
        "\nThe same for clients in any language, without code: {}, here\n\n  curl {address}/orders/42 -H 'X-User: grace'\n",
        paint.bold("countersign serve")
    ))?;
    let client = reqwest::Client::builder().no_proxy().build().map_err(|error| error.to_string())?;
    for call in CALLS {
        let mut request = client.get(format!("http://{address}{}", call.path));
        if let Some(user) = call.user {
            request = request.header("X-User", user);
        }
        let answer = request.send().await.map_err(|error| error.to_string())?;
        let status = answer.status();
        let body = answer.text().await.map_err(|error| error.to_string())?;
        let held = status == call.status && body.contains(call.expected);
        table.add(format!("curl …{}", call.path), call.how, (status, &body), held);
    }
    Ok(())
}

const CALLS: [Call; 3] = [
    Call {
        path: "/orders/42",
        user: Some("grace"),
        status: StatusCode::OK,
        expected: "\"for\":\"grace\"",
        how: "X-User: grace",
    },
    Call {
        path: "/acme/rockets",
        user: None,
        status: StatusCode::OK,
        expected: "\"rockets\":3",
        how: "nothing",
    },
    Call {
        path: "/orders/42",
        user: None,
        status: StatusCode::BAD_REQUEST,
        expected: "x-user",
        how: "no user",
    },
];
