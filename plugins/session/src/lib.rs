//! The profile type `session`: a login that the configuration describes, without code.
//!
//! ```toml
//! [profiles.metabase]
//! type    = "session"
//! login   = { url = "https://metabase.example/api/session", json = { username = "erp", password = "${env:PASSWORD}" } }
//! answer  = { token = "/id" }
//! headers = { X-Metabase-Session = "{{ answer.token }}" }
//! ```
//!
//! A request is sent; where its answer is what the settings say that success looks like, values are read from it by
//! name and placed on calls by templates. A session may be renewed by another request than the login, and is logged out when it has
//! been replaced.
#![forbid(unsafe_code)]

mod answer;
mod body;
mod config;
mod cookie;
mod life;
mod reading;
mod request;
mod state;
mod success;
mod url;

use countersign::{
    AuthProfile, Context, Credential, Error, ErrorKind, Inputs, Lifetime, Placements, Places, Table,
};
use tracing::debug;

use answer::Answer;
pub use body::Json;
pub use config::SessionConfig;
use life::Life;
pub use life::{ExpiresInConfig, Unit};
pub use reading::ReadingConfig;
use reading::{Reading, Readings};
use request::Request;
pub use request::{BasicConfig, RequestConfig};
use state::State;
pub use success::SuccessConfig;

/// A profile of the type `session`.
#[derive(Debug)]
pub struct Session {
    variables: Table,
    login: Exchange,
    refresh: Option<Exchange>,
    logout: Option<Request>,
    /// Where an answer says why it is none.
    errors: Vec<Reading>,
    life: Life,
    placements: Placements,
}

/// A request, and what is read from its answer.
#[derive(Debug)]
struct Exchange {
    request: Request,
    readings: Readings,
}

/// A session: the values that were read, and how long they live.
struct Obtained {
    values: Table,
    lifetime: Lifetime,
}

impl AuthProfile for Session {
    const TYPE: &'static str = "session";
    const SUMMARY: &'static str = "a login described in the settings: a request for a session";
    type Config = SessionConfig;

    fn new(config: SessionConfig) -> Result<Self, Error> {
        config.into_profile()
    }

    fn inputs(&self) -> Inputs {
        let exchanges = [Some(&self.login), self.refresh.as_ref()].into_iter().flatten();
        let requests = exchanges.map(|exchange| &exchange.request).chain(&self.logout);
        Inputs::none()
            .callers(requests.flat_map(Request::caller_attributes))
            .callers(self.placements.caller_attributes())
    }

    fn places(&self) -> Option<Places> {
        Some(self.placements.places())
    }

    async fn acquire(&self, cx: &Context) -> Result<Credential, Error> {
        let previous = cx.previous().and_then(State::read);
        // What the API rejects is not mended by prolonging it.
        let rejected = cx.challenge().is_some();
        let refreshed = match (&self.refresh, &previous) {
            (Some(refresh), Some(state)) if !rejected => self.refreshed(cx, refresh, &state.answer).await?,
            _ => None,
        };
        let (obtained, ended) = match (refreshed, previous) {
            (Some(obtained), previous) => (obtained, previous.unwrap_or_default().replaced),
            (None, previous) => {
                let obtained = self.obtain(cx, &self.login, &Table::new()).await??;
                let replaced = self.ended(cx, previous, rejected).await;
                (obtained, replaced)
            }
        };
        let tables = [("variables", &self.variables), ("answer", &obtained.values)];
        let credential = self.placements.place(Credential::new(), cx.callers(), &tables)?;
        let credential = match obtained.lifetime {
            Lifetime::Until(instant) => credential.valid_until(instant),
            Lifetime::For(duration) => credential.valid_for(duration),
            Lifetime::UntilRejected => credential.until_rejected(),
            _ => credential,
        };
        if self.refresh.is_none() && self.logout.is_none() {
            return Ok(credential);
        }
        Ok(credential.renewed_by(State { answer: obtained.values, replaced: ended }.written()?))
    }
}

impl Session {
    /// What an answer gives, or why it gives nothing.
    ///
    /// # Errors
    /// When there is no answer.
    async fn obtain(
        &self,
        cx: &Context,
        exchange: &Exchange,
        former: &Table,
    ) -> Result<Result<Obtained, Error>, Error> {
        let request = &exchange.request;
        let tables = [("variables", &self.variables), ("answer", former)];
        let (http, sent) = match request.make(cx.callers(), &tables) {
            Ok(made) => made,
            Err(error) => return Ok(Err(error)),
        };
        let response = cx.http().send(http).await.map_err(|error| request.named(&error))?;
        let answer = Answer::new(response, &self.errors, &sent);
        let obtained = self.read(exchange, &answer, former, cx);
        Ok(obtained.map_err(|error| request.named(&error)))
    }

    fn read(
        &self,
        exchange: &Exchange,
        answer: &Answer<'_>,
        former: &Table,
        cx: &Context,
    ) -> Result<Obtained, Error> {
        exchange.request.success().judge(answer)?;
        let mut values = former.clone();
        values.extend(exchange.readings.read(answer)?);
        let lifetime = self.life.read(answer, &values, cx.now())?;
        Ok(Obtained { values, lifetime })
    }

    /// The session prolonged; nothing where that is refused, so that a login is due.
    async fn refreshed(
        &self,
        cx: &Context,
        refresh: &Exchange,
        former: &Table,
    ) -> Result<Option<Obtained>, Error> {
        match self.obtain(cx, refresh, former).await? {
            Ok(obtained) => Ok(Some(obtained)),
            Err(error) if error.kind() == ErrorKind::RateLimited => Err(error),
            Err(error) => {
                debug!(%error, "the session cannot be prolonged; logging in");
                Ok(None)
            }
        }
    }

    /// Logs out what nobody uses any more, and returns the sessions that are still to be logged out: calls that are under way
    /// may carry the one that has just been replaced.
    async fn ended(&self, cx: &Context, previous: Option<State>, rejected: bool) -> Vec<Table> {
        let (Some(logout), Some(State { answer, mut replaced })) = (&self.logout, previous) else {
            return Vec::new();
        };
        let mut kept = vec![answer];
        if rejected {
            replaced.append(&mut kept);
        }
        for session in replaced {
            if let Err(error) = self.log_out(cx, logout, &session).await {
                debug!(%error, "a session could not be logged out");
            }
        }
        kept
    }

    async fn log_out(&self, cx: &Context, logout: &Request, session: &Table) -> Result<(), Error> {
        let tables = [("variables", &self.variables), ("answer", session)];
        let (http, _) = logout.make(cx.callers(), &tables)?;
        cx.http().send(http).await?.success().map_err(|error| logout.named(&error)).map(drop)
    }
}

countersign::register_profile!(Session);
#[cfg(feature = "plugin")]
countersign::export_plugin!();

#[cfg(test)]
mod tests;
