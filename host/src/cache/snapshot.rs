use std::fmt;
use std::num::NonZeroU64;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use countersign::{ClientCertificate, Credential, Error, Secret};
use http::header::{HeaderMap, HeaderName, HeaderValue};

use super::life::Life;
use super::placed::Placed;
use crate::instance::{BoxFuture, Signing};

/// Which credential this is: no two of one process are equal, and later ones are greater.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Generation(pub(crate) NonZeroU64);

impl Generation {
    fn next() -> Self {
        static LAST: AtomicU64 = AtomicU64::new(0);
        Self(NonZeroU64::MIN.saturating_add(LAST.fetch_add(1, Ordering::Relaxed)))
    }
}

impl fmt::Display for Generation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// A credential as it is published: checked once, in the form in which it goes onto requests, and never changed.
pub struct Snapshot {
    generation: Generation,
    headers: Vec<(HeaderName, HeaderValue)>,
    query: Vec<Secret>,
    cookies: Vec<Secret>,
    client_certificate: Option<ClientCertificate>,
    signer: Option<Signing>,
    learns: Vec<(HeaderName, String)>,
    life: Life,
    /// A credential of single use: whether it has been given to its request.
    claimed: AtomicBool,
}

impl Snapshot {
    /// Checks a credential and takes it over; `signer` is called if it signs.
    ///
    /// # Errors
    /// [`Internal`](countersign::ErrorKind::Internal) when a value must not go onto a request, when the same thing
    /// is placed twice, or when nothing is placed at all; and what `signer` says.
    pub(crate) async fn new<'a>(
        credential: Credential,
        life: Life,
        signer: impl FnOnce(Credential) -> BoxFuture<'a, Result<Signing, Error>>,
    ) -> Result<Self, Error> {
        let (mut headers, mut query, mut cookies) = (Vec::new(), Vec::new(), Vec::new());
        for (index, placement) in credential.placements().iter().enumerate() {
            let (place, name) = (placement.place, placement.name.as_str());
            let before = &credential.placements()[..index];
            if before.iter().any(|other| other.place == place && other.name.eq_ignore_ascii_case(name)) {
                return Err(Error::internal(format!("the profile gave the {place} {name:?} twice")));
            }
            match Placed::new(place, name, placement.value.expose())? {
                Placed::Header(name, value) => headers.push((name, value)),
                Placed::Query(pair) => query.push(pair),
                Placed::Cookie(pair) => cookies.push(pair),
            }
        }
        let client_certificate = credential.client_certificate().cloned();
        if credential.placements().is_empty() && client_certificate.is_none() && !credential.signs() {
            return Err(Error::internal("the profile gave a credential that places nothing"));
        }
        let learns = learns(&credential)?;
        let signer = if credential.signs() { Some(signer(credential).await?) } else { None };
        let (generation, claimed) = (Generation::next(), AtomicBool::new(false));
        Ok(Self { generation, headers, query, cookies, client_certificate, signer, learns, life, claimed })
    }

    /// Which credential this is; a rejection names it.
    pub const fn generation(&self) -> Generation {
        self.generation
    }

    /// The headers to set.
    pub fn headers(&self) -> &[(HeaderName, HeaderValue)] {
        &self.headers
    }

    /// The query parameters to add, `name=value`, percent-encoded.
    pub fn query(&self) -> &[Secret] {
        &self.query
    }

    /// The cookies to add, `name=value`.
    pub fn cookies(&self) -> &[Secret] {
        &self.cookies
    }

    /// The certificate to present.
    pub const fn client_certificate(&self) -> Option<&ClientCertificate> {
        self.client_certificate.as_ref()
    }

    /// Signs each request, if the credential does.
    pub const fn signer(&self) -> Option<&Signing> {
        self.signer.as_ref()
    }

    /// The header fields of answers that signatures are made with, and the words by which a rejection asks for them.
    pub(crate) fn learns(&self) -> &[(HeaderName, String)] {
        &self.learns
    }

    /// When it is renewed and when it ends.
    pub const fn life(&self) -> &Life {
        &self.life
    }

    /// Whether headers are all there is to place.
    pub fn is_headers_only(&self) -> bool {
        self.query.is_empty()
            && self.cookies.is_empty()
            && self.client_certificate.is_none()
            && self.signer.is_none()
    }

    /// Sets the headers, each in place of those of its name.
    ///
    /// # Errors
    /// [`Unsupported`](countersign::ErrorKind::Unsupported) when the request has no room for them; it is then as it
    /// was.
    pub fn place_headers(&self, headers: &mut HeaderMap) -> Result<(), Error> {
        headers
            .try_reserve(self.headers.len())
            .map_err(|_| Error::unsupported("the request has too many headers"))?;
        for (name, value) in &self.headers {
            headers.insert(name.clone(), value.clone());
        }
        Ok(())
    }

    /// Own copies of the headers, so that the counts of references to them are the copier's own.
    pub(crate) fn copied_headers(&self) -> impl Iterator<Item = (HeaderName, HeaderValue)> {
        self.headers.iter().map(|(name, value)| {
            let mut copy = HeaderValue::from_bytes(value.as_bytes()).unwrap_or_else(|_| value.clone());
            copy.set_sensitive(true);
            // The first clone moves the bytes behind a count; better now than on a request. It is the clone that knows.
            (name.clone(), copy.clone())
        })
    }

    /// Whether the asker may use it: once for a credential of single use, always otherwise.
    pub(crate) fn claim(&self) -> bool {
        !self.life.single_use || !self.claimed.swap(true, Ordering::Relaxed)
    }
}

/// What a credential that signs learns from answers; one that does not sign has no use for it.
fn learns(credential: &Credential) -> Result<Vec<(HeaderName, String)>, Error> {
    let learns = credential.learns().iter().filter(|_| credential.signs());
    learns
        .map(|learns| {
            let name = HeaderName::from_bytes(learns.header.as_bytes()).map_err(|_| {
                Error::internal(format!("the profile learns from {:?}, which is no header", learns.header))
            })?;
            Ok((name, learns.demanded_by.clone()))
        })
        .collect()
}

/// Names what it holds, never a value.
impl fmt::Debug for Snapshot {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Snapshot")
            .field("generation", &self.generation.0)
            .field("headers", &self.headers)
            .field("query", &self.query)
            .field("cookies", &self.cookies)
            .field("client_certificate", &self.client_certificate.is_some())
            .field("signs", &self.signer.is_some())
            .field("life", &self.life)
            .finish()
    }
}
