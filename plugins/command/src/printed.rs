use std::collections::BTreeMap;
use std::fmt;
use std::time::{Duration, SystemTime};

use countersign::{ClientCertificate, Credential, Error, Lifetime, Place, Secret, Table, timestamp};
use serde::de::{self, DeserializeOwned, Visitor};
use serde::{Deserialize, Deserializer};
use serde_json::Value;

/// What a program printed, whatever its shape.
///
/// Countersign's own shape is an object with any of these, and nothing else:
/// `token`; `headers`, `query_parameters`, `cookies`, objects of texts; `values`, an object of texts for templates;
/// `client_certificate` and `client_key`, PEM; `expires_in`, a number of seconds; `expires_at`, an instant.
#[derive(Debug)]
pub struct Printed {
    /// What templates read.
    pub(crate) values: Table,
    /// What is placed unless the settings say it.
    own: Vec<(Place, String, Secret)>,
    pub(crate) client_certificate: Option<ClientCertificate>,
    expires_at: Option<String>,
    expires_in: Option<f64>,
    /// How long it lives where that was not said.
    pub(crate) unsaid: Lifetime,
    is_for_signing: bool,
}

/// Ten years; nobody keeps a credential longer.
const MAX: f64 = 10.0 * 366.0 * 86_400.0;

impl Printed {
    fn new(values: Table) -> Self {
        Self {
            values,
            own: Vec::new(),
            client_certificate: None,
            expires_at: None,
            expires_in: None,
            unsaid: Lifetime::Unstated,
            is_for_signing: false,
        }
    }

    pub(crate) fn token(token: Secret) -> Self {
        Self::new(Table::from([("token".to_owned(), token)]))
    }

    /// A credential that places what the program says is to be placed.
    pub(crate) fn placed(&self) -> Result<Credential, Error> {
        if self.is_for_signing {
            return Err(Error::denied(
                "printed AWS keys, which sign requests and are not placed: the type `aws-sigv4` does that, with a `credential_process` \
                 in its files; if a key is to be placed all the same, set `headers`",
            ));
        }
        let mut credential = Credential::new();
        for (place, name, value) in &self.own {
            place.check_name(name).and_then(|()| place.check_value(value.expose())).map_err(|error| {
                Error::denied(format!("printed a {place} that cannot be placed: {}", error.message()))
            })?;
            credential = credential.and(*place, name, value.clone());
        }
        if let Some(token) = self.values.get("token") {
            if !token.expose().bytes().all(|byte| byte.is_ascii_graphic()) {
                return Err(Error::denied(
                    "printed a token with characters that no token has (RFC 6750 §2.1)",
                ));
            }
            let has = |(place, name, _): &(Place, String, Secret)| {
                *place == Place::Header && name.eq_ignore_ascii_case("authorization")
            };
            if !self.own.iter().any(has) {
                let bearer = format!("Bearer {}", token.expose());
                credential = credential.and_header("authorization", bearer);
            }
        }
        if credential.placements().is_empty() && self.client_certificate.is_none() {
            return Err(Error::denied(
                "printed nothing that could be placed: no token, headers, certificate",
            ));
        }
        Ok(credential)
    }

    /// How long it lives, if it says so.
    ///
    /// # Errors
    /// [`Unavailable`](countersign::ErrorKind::Unavailable), when it has expired; [`Denied`](countersign::ErrorKind::Denied), when it
    /// says what is no time.
    pub(crate) fn lifetime(&self, now: SystemTime) -> Result<Option<Lifetime>, Error> {
        let over = || Error::unavailable("printed a credential that has expired already; compare the clocks");
        match (self.expires_in, &self.expires_at) {
            (Some(seconds), _) if seconds <= 0.0 => Err(over()),
            (Some(seconds), _) => Ok(Some(Lifetime::For(Duration::from_secs_f64(seconds.min(MAX))))),
            (None, Some(text)) => match timestamp(text) {
                Some(instant) if instant <= now => Err(over()),
                Some(instant) => Ok(Some(Lifetime::Until(instant))),
                None => Err(Error::denied("printed an expiry that is no instant (RFC 3339)")),
            },
            (None, None) => Ok(None),
        }
    }
}

/// An `ExecCredential` (Kubernetes, "client-go credential plugins").
#[derive(Deserialize)]
pub(crate) struct ExecCredential {
    status: Option<Status>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Status {
    token: Option<Secret>,
    client_certificate_data: Option<String>,
    client_key_data: Option<Secret>,
    expiration_timestamp: Option<String>,
}

impl ExecCredential {
    pub(crate) fn read(value: &Value) -> Result<Printed, Error> {
        let read: Self = shape(value, "an ExecCredential")?;
        let status =
            read.status.ok_or_else(|| Error::denied("printed an ExecCredential without `status`"))?;
        let token = status.token.filter(|token| !token.expose().is_empty());
        let certificate = status.client_certificate_data.filter(|pem| !pem.is_empty());
        let key = status.client_key_data.filter(|pem| !pem.expose().is_empty());
        let certificate = client_certificate(certificate, key, "clientCertificateData", "clientKeyData")?;
        if token.is_none() && certificate.is_none() {
            return Err(Error::denied("printed an ExecCredential with neither token nor client certificate"));
        }
        Ok(Printed {
            client_certificate: certificate,
            expires_at: status.expiration_timestamp,
            // "If the plugin doesn't return an expiration, the credential is cached until the server responds with 401".
            unsaid: Lifetime::UntilRejected,
            ..Printed::new(token.into_iter().map(|token| ("token".to_owned(), token)).collect())
        })
    }
}

/// What a `credential_process` prints (AWS SDKs and Tools Reference Guide).
#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(crate) struct Aws {
    version: u64,
    access_key_id: Secret,
    secret_access_key: Secret,
    session_token: Option<Secret>,
    account_id: Option<Secret>,
    expiration: Option<String>,
}

impl Aws {
    pub(crate) fn read(value: &Value) -> Result<Printed, Error> {
        let read: Self = shape(value, "the credentials of a `credential_process`")?;
        if read.version != 1 {
            return Err(Error::denied("printed another version of a `credential_process` than 1"));
        }
        let values = [
            ("access_key_id", Some(read.access_key_id)),
            ("secret_access_key", Some(read.secret_access_key)),
            ("session_token", read.session_token),
            ("account_id", read.account_id),
        ];
        let values = values.into_iter().filter_map(|(name, value)| Some((name.to_owned(), value?)));
        let values = values.filter(|(_, value)| !value.expose().is_empty()).collect();
        Ok(Printed { expires_at: read.expiration, is_for_signing: true, ..Printed::new(values) })
    }
}

/// Countersign's own shape.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Own {
    token: Option<Secret>,
    #[serde(default)]
    headers: BTreeMap<String, Secret>,
    #[serde(default)]
    query_parameters: BTreeMap<String, Secret>,
    #[serde(default)]
    cookies: BTreeMap<String, Secret>,
    #[serde(default)]
    values: BTreeMap<String, Secret>,
    client_certificate: Option<String>,
    client_key: Option<Secret>,
    expires_in: Option<Seconds>,
    expires_at: Option<Instant>,
}

impl Own {
    pub(crate) fn read(value: &Value) -> Result<Printed, Error> {
        let read: Self = shape(value, "a credential")?;
        if read.expires_in.is_some() && read.expires_at.is_some() {
            return Err(Error::denied("printed both `expires_in` and `expires_at`"));
        }
        let mut values = read.values;
        values.extend(
            read.token.filter(|token| !token.expose().is_empty()).map(|token| ("token".to_owned(), token)),
        );
        let placed = [
            (Place::Header, read.headers),
            (Place::Query, read.query_parameters),
            (Place::Cookie, read.cookies),
        ];
        let own = placed
            .into_iter()
            .flat_map(|(place, values)| values.into_iter().map(move |(name, value)| (place, name, value)))
            .collect();
        let certificate =
            client_certificate(read.client_certificate, read.client_key, "client_certificate", "client_key")?;
        Ok(Printed {
            own,
            client_certificate: certificate,
            expires_in: read.expires_in.map(|seconds| seconds.0),
            expires_at: read.expires_at.map(|instant| instant.0),
            ..Printed::new(values)
        })
    }
}

fn client_certificate(
    chain: Option<String>,
    key: Option<Secret>,
    chain_name: &str,
    key_name: &str,
) -> Result<Option<ClientCertificate>, Error> {
    let (chain_pem, key_pem) = match (chain, key) {
        (None, None) => return Ok(None),
        (Some(chain), Some(key)) => (chain, key),
        (Some(_), None) => return Err(Error::denied(format!("printed `{chain_name}` without `{key_name}`"))),
        (None, Some(_)) => return Err(Error::denied(format!("printed `{key_name}` without `{chain_name}`"))),
    };
    for (pem, name) in [(&chain_pem, chain_name), (key_pem.expose(), key_name)] {
        if !pem.contains("-----BEGIN ") {
            return Err(Error::denied(format!("printed a `{name}` that is not PEM")));
        }
    }
    Ok(Some(ClientCertificate { chain_pem, key_pem }))
}

/// The value as that shape; an error names what it lacks, and quotes nothing that was printed.
fn shape<T: DeserializeOwned>(value: &Value, what: &str) -> Result<T, Error> {
    T::deserialize(value).map_err(|error| {
        let words = error.to_string();
        let why = match words.split(['`']).collect::<Vec<_>>()[..] {
            // The names are ours here; an unknown one is the program's.
            ["missing field ", field, ..] => format!(": it lacks `{field}`"),
            ["unknown field ", ..] => ": it has a field that is none of its own".to_owned(),
            _ => String::new(),
        };
        Error::denied(format!("did not print {what} as it should be{why}"))
    })
}

/// A number of seconds, which some write as a text.
struct Seconds(f64);

/// An instant as a text, or as a number since the epoch.
struct Instant(String);

impl<'de> Deserialize<'de> for Seconds {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let Instant(text) = Instant::deserialize(deserializer)?;
        let seconds = text.trim().parse().ok().filter(|seconds: &f64| seconds.is_finite());
        seconds.map(Self).ok_or_else(|| de::Error::custom("no number of seconds"))
    }
}

impl<'de> Deserialize<'de> for Instant {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct TextOrNumber;

        impl Visitor<'_> for TextOrNumber {
            type Value = Instant;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a text or a number")
            }

            fn visit_str<E: de::Error>(self, text: &str) -> Result<Instant, E> {
                Ok(Instant(text.to_owned()))
            }

            fn visit_u64<E: de::Error>(self, number: u64) -> Result<Instant, E> {
                Ok(Instant(number.to_string()))
            }

            fn visit_i64<E: de::Error>(self, number: i64) -> Result<Instant, E> {
                Ok(Instant(number.to_string()))
            }

            fn visit_f64<E: de::Error>(self, number: f64) -> Result<Instant, E> {
                Ok(Instant(number.to_string()))
            }
        }

        deserializer.deserialize_any(TextOrNumber)
    }
}
