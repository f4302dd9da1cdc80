use std::path::Path;

use http::StatusCode;

use super::say;
use crate::cli::output::Paint;
use crate::{Host, Overrides, Proxy};

/// What a client without any code of ours asks, and what the answer has to hold.
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
pub(super) async fn show(host: &Host, config: &Path, paint: Paint) -> Result<(), String> {
    let proxy = Proxy::start(host.clone(), config, Overrides::default())
        .map_err(|findings| format!("the proxy cannot start: {findings}"))?;
    let address = proxy.listeners().first().cloned().ok_or("the proxy listens nowhere")?;
    say(format_args!(
        "\nThe same for clients in any language, without code: {}. It listens at {address}.\n\n",
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
        let user = call.user.map(|user| format!(" -H 'X-User: {user}'")).unwrap_or_default();
        let shown = if status.is_success() { body.as_str() } else { "" };
        let (what, status_text) = (format!("curl {address}{}{user}", call.path), status.to_string());
        let mark = if status.is_success() { paint.good(status_text) } else { paint.bad(status_text) };
        say(format_args!("  {what:54}{mark}  {shown}  {}\n", paint.dim(call.how)))?;
        if status != call.status || !body.contains(call.expected) {
            return Err(format!("this did not hold through the proxy: {what}: {status} {body}"));
        }
    }
    Ok(())
}

const CALLS: [Call; 3] = [
    Call {
        path: "/orders/42",
        user: Some("grace"),
        status: StatusCode::OK,
        expected: "\"for\":\"grace\"",
        how: "signed JWT for her",
    },
    Call {
        path: "/acme/rockets",
        user: None,
        status: StatusCode::OK,
        expected: "\"rockets\":3",
        how: "plugin's session",
    },
    Call {
        path: "/orders/42",
        user: None,
        status: StatusCode::BAD_REQUEST,
        expected: "x-user",
        how: "no user, no call",
    },
];
