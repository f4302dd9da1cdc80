//! Connectors: which credentials a request carries, and whether it may carry them.
//!
//! Here live the binding to origin and path, several profiles in order, and the rejection rule. Not here: a credential's
//! life (the cache), sending a request (the client).

mod authorization;
mod base_url;
mod layout;
mod learned;
mod profile;
mod rejection;
mod staged;

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use countersign::{Caller, Challenge, ClientCertificate, SignContext};
use http::HeaderMap;
use http::request::Parts;

use self::learned::{AsOf, Learned};
use self::staged::Staged;
use crate::Error;
use crate::cache::{Clock, Placed, Snapshot};
use crate::config::{ConnectorServe, Probe, Rejection};
use crate::explain::{Had, Obtained, Ownership, Record, Stopwatch};
use crate::instance::Signing;
use crate::transport::{Transport, Transports, without_tls};

pub use authorization::Authorization;
pub use base_url::BaseUrl;
pub(crate) use base_url::has_dot_segments;
pub(crate) use profile::BoundProfile;
pub(crate) use rejection::{MOST_BODY, Verdict, challenge};

/// A request's whole body, among its extensions, for profiles that sign it.
#[derive(Debug, Clone)]
pub struct BodyBytes(pub Bytes);

/// Among a request's extensions: whoever sends it presents the [`ClientCertificate`] that
/// [`authorize`](Connector::authorize) leaves there, on a connection that no other identity shares.
///
/// Without it a credential that comes with a certificate is refused, for a client that does not know of it would call
/// without.
#[derive(Debug, Clone, Copy)]
pub struct PresentsClientCertificate;

/// One upstream API, and the profiles whose credentials its calls carry.
pub struct Connector {
    definition: Definition,
    clock: Clock,
    transports: Transports,
    learned: Learned,
}

/// What makes a connector the one that it is.
#[derive(PartialEq)]
pub(crate) struct Definition {
    pub(crate) name: Arc<str>,
    pub(crate) base_url: BaseUrl,
    /// In the order in which they are applied.
    pub(crate) profiles: Box<[Arc<BoundProfile>]>,
    pub(crate) rejection: Arc<Rejection>,
    pub(crate) probe: Arc<Probe>,
    pub(crate) timeout: Duration,
    pub(crate) serve: Arc<ConnectorServe>,
    /// Further certificate authorities, PEM.
    pub(crate) roots: Option<Arc<[u8]>>,
}

impl Connector {
    /// `plain` are the connections of calls that present no certificate.
    pub(crate) fn new(definition: Definition, clock: Clock, plain: Transport) -> Self {
        let transports = Transports::new(plain, definition.roots.clone(), None);
        Self { definition, clock, transports, learned: Learned::default() }
    }

    /// Whether it is the very connector that is defined so.
    pub(crate) fn is(&self, definition: &Definition) -> bool {
        self.definition == *definition
    }

    /// Its name.
    pub fn name(&self) -> &str {
        &self.definition.name
    }

    /// The same, for those who keep it.
    pub(crate) const fn shared_name(&self) -> &Arc<str> {
        &self.definition.name
    }

    /// What its credentials are bound to.
    pub const fn base_url(&self) -> &BaseUrl {
        &self.definition.base_url
    }

    /// How long a whole call may take.
    pub const fn timeout(&self) -> Duration {
        self.definition.timeout
    }

    /// The names of its profiles, in the order in which they are applied.
    pub fn profiles(&self) -> impl ExactSizeIterator<Item = &str> {
        self.definition.profiles.iter().map(|profile| &*profile.name)
    }

    /// What the configuration says of its calls through the proxy.
    pub fn serve(&self) -> &ConnectorServe {
        &self.definition.serve
    }

    /// The certificate authorities besides the system's that its servers may have, as PEM.
    pub fn roots(&self) -> Option<&[u8]> {
        self.definition.roots.as_deref()
    }

    /// Puts the credential on a request if that takes no waiting: the hot path.
    ///
    /// It takes no lock, and allocates nothing unless the path below a prefix holds `.` or `%`. `None` means that nothing was touched and
    /// [`authorize`](Connector::authorize) has to be asked.
    // One function, whole and on its own. Cut in two, or inlined into something larger, the copy of the value may be moved once
    // more in memory, and the processor waits for that, a fifth of the time that all of this takes.
    #[inline(never)]
    pub fn try_authorize(&self, parts: &mut Parts) -> Option<Authorization> {
        let [profile] = &*self.definition.profiles else { return None };
        if !self.definition.base_url.covers(&parts.uri) {
            return None;
        }
        profile.cache.try_place(&mut parts.headers).map(Authorization::of_one)
    }

    /// Puts the credentials of all profiles on a request: wholly, or not at all.
    ///
    /// The request's URI is absolute. Its extensions hold the [`Caller`] on whose behalf it goes, and its
    /// [`BodyBytes`] if a profile signs the body. A client certificate to present is left in the extensions, as
    /// [`ClientCertificate`], for those who say by [`PresentsClientCertificate`] that they do.
    ///
    /// # Errors
    /// When a credential cannot be had, or the request is not the connector's. The request must then not be sent.
    pub async fn authorize(&self, parts: &mut Parts) -> Result<Authorization, Error> {
        if let Some(authorization) = self.try_authorize(parts) {
            return Ok(authorization);
        }
        if !self.definition.base_url.covers(&parts.uri) {
            let bound = format!(
                "the request leads out of {}, which the credential is bound to",
                self.definition.base_url
            );
            return Err(self.error(countersign::Error::config(bound)));
        }
        let record = Record::of(parts);
        let caller = parts.extensions.get::<Caller>().cloned().unwrap_or_default();
        let mut staged = Staged::of(parts);
        let learned = self.learned.now();
        let mut generations = Vec::with_capacity(self.definition.profiles.len());
        for (turn, profile) in self.definition.profiles.iter().enumerate() {
            let stopwatch = record.as_ref().map(|_| Stopwatch::start());
            let snapshot = profile.credential(&caller, self.definition.base_url.origin()).await;
            if let (Some(record), Some(stopwatch)) = (&record, stopwatch) {
                record.obtained(obtained(profile, &stopwatch, &snapshot));
            }
            let snapshot = snapshot.map_err(|error| self.profile_error(profile, error))?;
            self.learned.watch(snapshot.learns());
            self.place(&mut staged, parts, profile, &snapshot, &learned, turn)
                .await
                .map_err(|error| self.profile_error(profile, error))?;
            generations.push(snapshot.generation());
        }
        if staged.presents() {
            self.may_present(parts).map_err(|error| self.error(error))?;
        }
        if record.is_some() {
            let owned = staged.placed().map(|(place, name, turn)| {
                let profile = self.definition.profiles.get(turn).map(|profile| Arc::clone(&profile.name));
                (place, name.to_owned(), profile.unwrap_or_default())
            });
            let owned = Ownership(owned.collect());
            parts.extensions.insert(owned);
        }
        staged.finish(parts);
        Ok(Authorization::of(caller, generations, learned.version()))
    }

    /// Takes note of what an answer says to those credentials that [learn](countersign::Credential::learning) from answers.
    /// To be called with the head of each answer, before [`reject`](Connector::reject); it costs next to nothing.
    #[inline]
    pub fn answered(&self, headers: &HeaderMap) {
        if self.learned.listens() {
            self.learned.hear(headers);
        }
    }

    /// Whether one of its credentials learns from answers, as far as is known by now.
    pub(crate) fn learns(&self) -> bool {
        self.learned.listens()
    }

    /// Whether the rejection asks for a signature over what was learned since, and not for another credential: the API
    /// looked at nothing else, so the call may be made again, whatever its method.
    pub fn is_demand(&self, authorization: &Authorization, challenge: &Challenge) -> bool {
        self.learned.is_demand(authorization.learned(), challenge)
    }

    /// An upstream rejected what was placed: those credentials, and none that came later, are given up, unless it is a
    /// [demand](Connector::is_demand).
    ///
    /// Returns whether something else will be placed the next time.
    pub fn reject(&self, authorization: &Authorization, challenge: &Challenge) -> bool {
        if self.is_demand(authorization, challenge) {
            return true;
        }
        let each = self.definition.profiles.iter().zip(authorization.generations());
        each.fold(false, |hope, (profile, generation)| {
            let origin = self.definition.base_url.origin();
            profile.cache.reject(authorization.caller(), origin, generation, challenge.clone()) || hope
        })
    }

    /// Whether one of the profiles may want to sign the body of a request.
    pub(crate) fn reads_body(&self) -> bool {
        self.definition.profiles.iter().any(|profile| profile.reads_body())
    }

    /// Asks for answers whose bodies are not encoded, where the rule looks at bodies: it could not read others.
    pub(crate) fn ask_for_plain_bodies(&self, headers: &mut http::HeaderMap) {
        if self.definition.rejection.reads_bodies() && headers.contains_key(http::header::ACCEPT_ENCODING) {
            headers.insert(http::header::ACCEPT_ENCODING, http::HeaderValue::from_static("identity"));
        }
    }

    /// When an answer means that the credential was rejected.
    pub fn rejection(&self) -> &Rejection {
        &self.definition.rejection
    }

    /// The call by which it is tried out.
    pub fn probe(&self) -> &Probe {
        &self.definition.probe
    }

    pub(crate) fn error(&self, cause: countersign::Error) -> Error {
        Error::of_connector(&self.definition.name, cause)
    }

    /// The same of a call that waits for its credential: where there is one profile, it is that one's.
    pub(crate) fn error_of_waiting(&self, cause: countersign::Error) -> Error {
        match &*self.definition.profiles {
            [only] => self.profile_error(only, cause),
            _ => self.error(cause),
        }
    }

    /// Whether a certificate can be presented: over TLS, by somebody who does it.
    fn may_present(&self, parts: &Parts) -> Result<(), countersign::Error> {
        let origin = self.definition.base_url.origin();
        if !origin.is_https() {
            return Err(without_tls(origin));
        }
        if parts.extensions.get::<PresentsClientCertificate>().is_none() {
            return Err(countersign::Error::unsupported(
                "the credential comes with a client certificate, and nobody said that the HTTP client presents it; if it does, \
                 put `PresentsClientCertificate` among the request's extensions",
            ));
        }
        Ok(())
    }

    /// The connections to use for a request that presents that certificate, or none.
    pub(crate) fn transport(
        &self,
        certificate: Option<&ClientCertificate>,
    ) -> Result<Transport, countersign::Error> {
        self.transports.of(certificate, self.definition.base_url.origin())
    }

    async fn place(
        &self,
        staged: &mut Staged,
        parts: &Parts,
        profile: &BoundProfile,
        snapshot: &Snapshot,
        learned: &AsOf,
        turn: usize,
    ) -> Result<(), countersign::Error> {
        staged.place_all(snapshot, turn)?;
        let Some(signer) = snapshot.signer() else { return Ok(()) };
        let body = profile.body_to_sign(parts)?;
        let cx = SignContext::at(self.clock.tick().wall);
        let authority = self.definition.base_url.authority();
        let mut edits: Vec<Result<Placed, countersign::Error>> = Vec::new();
        match signer {
            Signing::Here(signer) => staged.with_head(parts, authority, body, learned, |head| {
                signer.sign(head, &cx, &mut |place, name, value| edits.push(Placed::new(place, name, value)))
            })?,
            Signing::Away(signer) => {
                let signed =
                    staged.with_head(parts, authority, body, learned, |head| signer.sign(head, &cx)).await?;
                edits.extend(
                    signed.iter().map(|edit| Placed::new(edit.place, &edit.name, edit.value.expose())),
                );
            }
        }
        edits.into_iter().try_for_each(|edit| staged.place(&edit?, turn))
    }

    fn profile_error(&self, profile: &BoundProfile, cause: countersign::Error) -> Error {
        Error::of_profile(&self.definition.name, &profile.name, cause)
    }
}

/// What came of asking a profile, to be taken down.
fn obtained(
    profile: &BoundProfile,
    stopwatch: &Stopwatch,
    outcome: &Result<Arc<Snapshot>, countersign::Error>,
) -> Obtained {
    let had = |snapshot: &Arc<Snapshot>| Had {
        life: *snapshot.life(),
        signs: snapshot.signer().is_some(),
        certificate: snapshot.client_certificate().is_some(),
    };
    let outcome = outcome.as_ref().map(had).map_err(Clone::clone);
    Obtained { profile: Arc::clone(&profile.name), took: stopwatch.took(), outcome }
}

/// Names, never values.
impl std::fmt::Debug for Connector {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let profiles: Vec<_> = self.definition.profiles.iter().map(|profile| &*profile.name).collect();
        f.debug_struct("Connector")
            .field("name", &self.definition.name)
            .field("base_url", &self.definition.base_url)
            .field("profiles", &profiles)
            .finish_non_exhaustive()
    }
}
