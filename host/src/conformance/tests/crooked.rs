//! A type that keeps to everything, unless its settings say which rule to break.

use std::sync::Mutex;
use std::sync::atomic::{AtomicU32, Ordering};
use std::thread::ThreadId;
use std::time::{Duration, SystemTime};

use countersign::protocol::{Start, Step};
use countersign::{
    AuthProfile, Context, Credential, Edits, Error, Flow, HttpRequest, HttpResponse, Inputs, Places, Profile,
    RequestHead, Secret, SignContext, Signer,
};
use serde::Deserialize;
use serde_json::Value;

/// What is crooked.
#[derive(Deserialize, schemars::JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Settings {
    /// Where to log in.
    url: String,
    /// The password.
    password: Secret,
    /// The rule to break.
    #[serde(default)]
    act: String,
}

pub(super) struct Crooked {
    settings: Settings,
    /// Which instance of all it is.
    number: u32,
    last: Mutex<String>,
    busy: Mutex<bool>,
    acquired: AtomicU32,
    signed: AtomicU32,
    thread: Mutex<Option<ThreadId>>,
}

impl Crooked {
    fn does(&self, act: &str) -> bool {
        self.settings.act == act
    }

    fn signs(&self) -> bool {
        ["sign", "body", "edits"].iter().any(|start| self.settings.act.starts_with(start))
    }

    async fn exchange(&self, cx: &Context) -> Result<HttpResponse, Error> {
        loop {
            let login =
                HttpRequest::new("POST", &self.settings.url).body(self.settings.password.expose().as_bytes());
            let answer = cx.http().send(login).await;
            match answer {
                Err(_) if self.does("no-answer") => return Err(Error::denied("no")),
                Ok(answer) if self.does("bounded") && answer.status == 500 => {
                    cx.sleep(Duration::from_millis(1)).await?;
                }
                answer => return answer,
            }
        }
    }

    fn judged(&self, answer: HttpResponse) -> Result<HttpResponse, Error> {
        match (self.settings.act.as_str(), answer.status) {
            ("wants-more", 200) => Err(Error::unavailable("the answer's body is not of this type")),
            ("unwell", 500..) => Err(Error::config("no")),
            ("rate-limited", 429) => Err(Error::rate_limited("no")),
            ("denied", 401) => Err(Error::unavailable("no")),
            ("redirected", 302) => Ok(HttpResponse { status: 200, headers: Vec::new(), body: good() }),
            ("tells-body", 401) => Err(Error::denied(String::from_utf8_lossy(answer.body.expose()))),
            ("tells-password", 401) => {
                Err(Error::denied(format!("`{}` is refused", self.settings.password.expose())))
            }
            ("panics", 401) => panic!("no"),
            _ => answer.success(),
        }
    }
}

fn good() -> Secret<Vec<u8>> {
    Secret::new(br#"{"session":"token-of-nobody","ttl_seconds":900}"#.to_vec())
}

impl Drop for Crooked {
    fn drop(&mut self) {
        assert!(!self.does("dropped"), "no");
    }
}

impl AuthProfile for Crooked {
    const TYPE: &'static str = "crooked";
    const SUMMARY: &'static str = "breaks one rule";
    type Config = Settings;

    fn new(settings: Settings) -> Result<Self, Error> {
        static NUMBER: AtomicU32 = AtomicU32::new(0);
        if settings.act == "settings-taken" {
            return Err(Error::config("is not to my taste").at("act"));
        }
        Ok(Self {
            settings,
            number: NUMBER.fetch_add(1, Ordering::Relaxed),
            last: Mutex::default(),
            busy: Mutex::default(),
            acquired: AtomicU32::new(0),
            signed: AtomicU32::new(0),
            thread: Mutex::default(),
        })
    }

    fn inputs(&self) -> Inputs {
        match self.settings.act.as_str() {
            "inputs-stable" => Inputs::none().caller(format!("user-{}", self.number)),
            "caller" | "caller-missed" => Inputs::none().caller("user").target(),
            _ => Inputs::none(),
        }
    }

    fn places(&self) -> Option<Places> {
        let names: &[&str] = match self.settings.act.as_str() {
            "places-kept" => &["x-other"],
            _ => &["x-session", "x-user", "x-target", "x-nonce", "x-proof"],
        };
        Some(names.iter().fold(Places::none(), |places, name| places.header(name)))
    }

    async fn acquire(&self, cx: &Context) -> Result<Credential, Error> {
        let secret = self.settings.password.expose();
        match self.settings.act.as_str() {
            "acquired" => return Err(Error::internal("no")),
            "renewal-taken" if cx.previous().is_some() => return Err(Error::internal("no")),
            "challenge-taken" if cx.challenge().is_some() => return Err(Error::internal("no")),
            "logs-password" => tracing::debug!(secret, "logging in"),
            "cancelled" if std::mem::replace(&mut *self.busy.lock().unwrap(), true) => {
                return Err(Error::unavailable("busy"));
            }
            _ => {}
        }
        let answer = self.judged(self.exchange(cx).await?)?;
        *self.busy.lock().unwrap() = false;
        let answer: Value = match answer.json() {
            Err(_) if self.does("broken-answers") => return Ok(Credential::header("x-session", "fallback")),
            answer => answer?,
        };
        let text = |value: &Value| value.as_str().map(str::to_owned);
        let session =
            text(&answer["session"]).ok_or_else(|| Error::unavailable("the answer has no session"))?;
        self.last.lock().unwrap().clone_from(&session);
        cx.sleep(Duration::from_millis(1)).await?;
        let session = if self.does("interleaved") { self.last.lock().unwrap().clone() } else { session };
        if self.does("logs-token") {
            tracing::trace!("got {session}");
        }
        let mut credential = if self.signs() {
            Credential::signing(&session)?
        } else {
            Credential::header("x-session", session.as_str())
        };
        credential = match self.settings.act.as_str() {
            "placements-valid" => credential.and_header("host", "elsewhere.example"),
            "caller" => credential
                .and_header("x-user", cx.caller("user")?)
                .and_header("x-target", cx.target()?.to_string()),
            "caller-missed" => {
                let user = cx.caller("user").map_err(|_| Error::internal("KeyError"))?;
                credential.and_header("x-user", user)
            }
            "random" => credential.and_header("x-nonce", format!("{:02x?}", cx.random::<8>()?)),
            "still-there" if self.acquired.fetch_add(1, Ordering::Relaxed) > 200 => {
                credential.and_header("x-tired", "yes")
            }
            _ => credential,
        };
        let stated = answer["ttl_seconds"].as_u64().map(Duration::from_secs);
        let credential = match (self.settings.act.as_str(), stated) {
            ("lifetime-ahead", _) => credential.valid_for(Duration::ZERO),
            ("lifetime-followed", _) | ("lifetime-not-guessed", None) => {
                credential.valid_for(Duration::from_secs(900))
            }
            ("time-from-host", _) => credential.valid_until(SystemTime::now() + Duration::from_secs(900)),
            (_, Some(stated)) => credential.valid_for(stated),
            (_, None) => credential,
        };
        Ok(credential.renewed_by(session))
    }

    fn sign(
        &self,
        credential: &Credential,
        request: &RequestHead<'_>,
        cx: &SignContext,
    ) -> Result<Edits, Error> {
        let now = cx.now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default().as_secs();
        let proof = format!("{}:{}:{now}", credential.material::<String>()?.len(), request.path());
        let edits = Edits::header("x-proof", proof);
        Ok(match self.settings.act.as_str() {
            "signed" => return Err(Error::unsupported("no")),
            "edits-valid" => edits.and_header("content-length", "0"),
            "sign-pure" if self.signed.fetch_add(1, Ordering::Relaxed) > 0 => {
                edits.and_header("x-again", "yes")
            }
            "sign-time" => {
                let wall = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
                edits.and_header("x-time", wall.as_secs().to_string())
            }
            "body-unseen" => edits.and_header("x-length", request.body().map_or(0, <[u8]>::len).to_string()),
            "sign-threads" => {
                let here = std::thread::current().id();
                if *self.thread.lock().unwrap().get_or_insert(here) != here {
                    return Err(Error::unavailable("another thread"));
                }
                edits
            }
            "sign-fast" => {
                std::thread::sleep(Duration::from_millis(21));
                edits
            }
            "signs-randomly" => {
                edits.and_header("x-nonce", format!("{:016x}", u64::from_ne_bytes(cx.random()?)))
            }
            _ => edits,
        })
    }
}

/// Looks at what it does not declare, which the SDK does not let a type do.
pub(super) struct Peeking(pub(super) Box<dyn Profile>);

impl Profile for Peeking {
    fn inputs(&self) -> Inputs {
        self.0.inputs()
    }

    fn places(&self) -> Option<Places> {
        self.0.places()
    }

    fn start(&self, start: Start) -> (Step, Box<dyn Flow>) {
        let tenant = start.caller.get("tenant").is_some();
        let (step, flow) = self.0.start(start);
        (if tenant { Step::Failed(Error::denied("tenants are not served")) } else { step }, flow)
    }

    fn signer(&self, credential: Credential) -> Result<Box<dyn Signer>, Error> {
        self.0.signer(credential)
    }

    fn public_keys(&self) -> Result<Vec<Value>, Error> {
        self.0.public_keys()
    }
}
