//! `countersign demo`: the product at work on this machine, in one go.
//!
//! Three APIs that look at their callers' credentials, three profiles (one of a type that only a plugin knows), the same
//! calls with and without, and by a plain HTTP client through the proxy. It ends well only if all of it held.

mod apis;
mod build;
mod proxy;
mod server;
mod table;

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::time::Instant;

use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::signature::{ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, KeyPair};
use base64::Engine as _;
use bytes::Bytes;
use countersign::Caller;
use http::{Request, StatusCode};
use http_body_util::BodyExt;

use self::server::Server;
use self::table::Table;
use super::output::{Paint, print};
use crate::{Client, Host};

const ISSUER: &str = "https://erp.example";
const AUDIENCE: &str = "orders-api";

/// Runs the demonstration.
///
/// # Errors
/// In words, what did not hold or could not be set up.
pub(crate) async fn run(plugin: Option<PathBuf>, keep: bool) -> Result<(), String> {
    let folder =
        Folder::new(keep).map_err(|error| format!("cannot make a folder for the demonstration: {error}"))?;
    let outcome = Demonstration::set_up(folder.path(), plugin).await?.show().await;
    if keep {
        say(format_args!("\nKept: {}", folder.path().display()))?;
    }
    outcome
}

struct Demonstration {
    host: Host,
    config: PathBuf,
    calls: Vec<Call>,
    paint: Paint,
    /// They run as long as they are held.
    _servers: Vec<Server>,
}

struct Call {
    connector: &'static str,
    path: &'static str,
    how: &'static str,
    /// What the answer has to hold.
    expected: &'static str,
}

impl Demonstration {
    async fn set_up(folder: &Path, plugin: Option<PathBuf>) -> Result<Self, String> {
        let paint = Paint::stdout();
        let secret = |what: &str| random(what);
        let (client_secret, password) = (secret("client secret")?, secret("password")?);
        let (key_pem, public_key) = key_pair()?;

        let orders = started(apis::orders(public_key, ISSUER, AUDIENCE).await)?;
        let crm = started(apis::crm("erp", &client_secret).await)?;
        let acme = started(apis::acme("erp", &password).await)?;

        say(format_args!(
            "{}\n\nThree APIs run on this machine now, with throw-away keys, and refuse whoever has no credential:\n\n\
             \x20 orders  {}   wants a JWT, signed by us, for the user at hand\n\
             \x20 crm     {}   wants an OAuth2 token from its token endpoint\n\
             \x20 acme    {}   wants a session from a login of its own kind: that type is a plugin\n\n",
            paint.bold("Countersign gives every outbound call its credential."),
            orders.url(""),
            crm.url(""),
            acme.url(""),
        ))?;
        drop_in(plugin, folder, paint)?;

        let config = configuration(&orders, &crm, &acme);
        let write = |name: &str, text: &str| {
            let file = folder.join(name);
            fs::write(&file, text)
                .and_then(|()| fs::set_permissions(&file, fs::Permissions::from_mode(0o600)))
        };
        write("orders.pem", &key_pem)
            .and_then(|()| write("crm.secret", &client_secret))
            .and_then(|()| write("acme.secret", &password))
            .and_then(|()| write("countersign.toml", &config))
            .map_err(|error| format!("cannot write the demonstration's files: {error}"))?;

        say(format_args!("One file says which connector carries what; no code does:\n\n"))?;
        for line in config.lines() {
            say(format_args!("  {}\n", paint.dim(line)))?;
        }
        let config = folder.join("countersign.toml");
        let host = Host::start(&config).await.map_err(|findings| findings.to_string())?;
        let calls = vec![
            Call { connector: "orders", path: "/42", how: "a signed JWT", expected: "\"for\":\"ada\"" },
            Call {
                connector: "crm",
                path: "/customers",
                how: "an OAuth2 token",
                expected: "\"tokens_issued\":1",
            },
            Call {
                connector: "crm",
                path: "/customers",
                how: "the same token",
                expected: "\"tokens_issued\":1",
            },
            Call { connector: "acme", path: "/rockets", how: "plugin's session", expected: "\"rockets\":3" },
        ];
        Ok(Self { host, config, calls, paint, _servers: vec![orders, crm, acme] })
    }

    /// Makes the calls, and shows what came of all of them at the end.
    async fn show(self) -> Result<(), String> {
        let mut table = Table::default();
        for call in &self.calls {
            let what = format!("GET {}{}", call.connector, call.path);
            let (status, _) = self.bare(call).await?;
            table.add(&what, "nothing", (status, ""), status == StatusCode::UNAUTHORIZED);
            let (status, body) = self.through(call).await?;
            let held = status == StatusCode::OK && body.contains(call.expected);
            table.add(&what, call.how, (status, &body), held);
        }
        proxy::show(&self.host, &self.config, self.paint, &mut table).await?;
        say(format_args!("\n{}", table.shown(self.paint)))?;
        match table.failures()[..] {
            [] => say(format_args!(
                "\n{} Next: README.md, \"Your first connector\".\n",
                self.paint.good("All of it held.")
            )),
            ref failures => Err(format!("this did not hold: {}", failures.join(", "))),
        }
    }

    /// The call as any HTTP client makes it, without a credential.
    async fn bare(&self, call: &Call) -> Result<(StatusCode, String), String> {
        let connector = self.host.connector(call.connector).map_err(|error| error.to_string())?;
        let uri = connector.base_url().join(call.path).map_err(|error| error.to_string())?;
        let client = reqwest::Client::builder().no_proxy().build().map_err(|error| error.to_string())?;
        let answer = client.get(uri.to_string()).send().await.map_err(|error| error.to_string())?;
        let status = answer.status();
        Ok((status, answer.text().await.map_err(|error| error.to_string())?))
    }

    /// The same call by way of its connector.
    async fn through(&self, call: &Call) -> Result<(StatusCode, String), String> {
        let connector = self.host.connector(call.connector).map_err(|error| error.to_string())?;
        let request =
            Request::get(call.path).extension(Caller::from_iter([("user", "ada")])).body(Bytes::new());
        let request = request.map_err(|error| error.to_string())?;
        let answer = Client::new().send(&connector, request).await.map_err(|error| error.to_string())?;
        let status = answer.status();
        let body = answer.into_body().collect().await.map_err(|error| error.to_string())?.to_bytes();
        Ok((status, String::from_utf8_lossy(&body).into_owned()))
    }
}

fn configuration(orders: &Server, crm: &Server, acme: &Server) -> String {
    format!(
        r#"[serve]
listen = "127.0.0.1:0"
access = "any-local-process"

[profiles.orders-jwt]
type     = "jwt-bearer"
issuer   = "{ISSUER}"
audience = "{AUDIENCE}"
subject  = "{{{{ caller.user }}}}"
key      = "${{file:orders.pem}}"

[profiles.crm-oauth]
type          = "oauth2"
grant         = "client_credentials"
token_url     = "{}"
client_id     = "erp"
client_secret = "${{file:crm.secret}}"

[profiles.acme-session]
type      = "acme-login"
login_url = "{}"
user      = "erp"
password  = "${{file:acme.secret}}"

[connectors]
orders = {{ base_url = "{}", profile = "orders-jwt", caller = {{ user = {{ header = "X-User" }} }} }}
crm    = {{ base_url = "{}", profile = "crm-oauth" }}
acme   = {{ base_url = "{}", profile = "acme-session" }}
"#,
        crm.url("/token"),
        acme.url("/login"),
        orders.url("/orders"),
        crm.url("/api"),
        acme.url("/api"),
    )
}

fn drop_in(plugin: Option<PathBuf>, folder: &Path, paint: Paint) -> Result<(), String> {
    let plugins = folder.join("plugins");
    let started = Instant::now();
    let built = match plugin {
        Some(file) => file,
        None => {
            say(format_args!(
                "Building the example plugin, as its author would (docs/examples/acme-login) … "
            ))?;
            let built = build::acme_login()?;
            say(format_args!("{:.1} s\n", started.elapsed().as_secs_f32()))?;
            built
        }
    };
    let name = built.file_name().unwrap_or_default();
    let target = plugins.join(name);
    fs::create_dir(&plugins)
        .and_then(|()| fs::set_permissions(&plugins, fs::Permissions::from_mode(0o700)))
        .and_then(|()| fs::copy(&built, &target))
        .and_then(|_| fs::set_permissions(&target, fs::Permissions::from_mode(0o600)))
        .map_err(|error| format!("cannot drop {} in: {error}", built.display()))?;
    let size = fs::metadata(&target).map(|file| file.len() / 1024).unwrap_or_default();
    say(format_args!(
        "Dropped in: {} ({size} KiB). Nobody rebuilds the host.\n\n",
        paint.bold(format_args!("plugins/{}", name.display()))
    ))
}

/// A folder that is gone afterwards, unless it is kept.
struct Folder {
    path: PathBuf,
    keep: bool,
}

impl Folder {
    fn new(keep: bool) -> std::io::Result<Self> {
        let name = format!("countersign-demo-{}", std::process::id());
        let path = std::env::temp_dir().join(name);
        fs::create_dir(&path)?;
        fs::set_permissions(&path, fs::Permissions::from_mode(0o700))?;
        Ok(Self { path, keep })
    }

    fn path(&self) -> &Path {
        &self.path
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        if !self.keep {
            // A folder that stays behind holds throw-away keys only.
            let _ = fs::remove_dir_all(&self.path);
        }
    }
}

/// A key pair for ES256: the private key as PEM, the public one as a point.
fn key_pair() -> Result<(String, Vec<u8>), String> {
    let failed = |_| "no key pair can be made here".to_owned();
    let pkcs8 = EcdsaKeyPair::generate_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, &SystemRandom::new())
        .map_err(failed)?;
    let pair = EcdsaKeyPair::from_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, pkcs8.as_ref())
        .map_err(|_| "no key pair can be made here".to_owned())?;
    let body = base64::engine::general_purpose::STANDARD.encode(pkcs8.as_ref());
    let lines: Vec<&str> =
        body.as_bytes().chunks(64).filter_map(|line| std::str::from_utf8(line).ok()).collect();
    let pem = format!("-----BEGIN PRIVATE KEY-----\n{}\n-----END PRIVATE KEY-----\n", lines.join("\n"));
    Ok((pem, pair.public_key().as_ref().to_vec()))
}

fn random(what: &str) -> Result<String, String> {
    let mut bytes = [0_u8; 16];
    aws_lc_rs::rand::fill(&mut bytes).map_err(|_| format!("no random bytes for a {what}"))?;
    Ok(base64::engine::general_purpose::URL_SAFE_NO_PAD.encode(bytes))
}

fn started(server: std::io::Result<Server>) -> Result<Server, String> {
    server.map_err(|error| format!("cannot listen on 127.0.0.1: {error}"))
}

fn say(text: std::fmt::Arguments<'_>) -> Result<(), String> {
    print(text).map_err(|error| format!("cannot write to standard output: {error}"))
}
