//! Throw-away certificates for servers and clients on loopback.

use std::time::{Duration, SystemTime};

use rcgen::{
    BasicConstraints, CertificateParams, CertifiedIssuer, DnType, ExtendedKeyUsagePurpose, IsCa, KeyPair,
    KeyUsagePurpose, date_time_ymd,
};

/// A certificate authority that lives as long as its test.
#[derive(Debug)]
pub struct TestCa {
    issuer: CertifiedIssuer<'static, KeyPair>,
}

/// A certificate chain and its key, as PEM.
#[derive(Clone, Debug)]
pub struct Identity {
    /// The certificate, PEM.
    pub certificate: String,
    /// Its private key, PKCS#8 PEM: a test's, made a moment ago.
    pub key: String,
}

impl TestCa {
    /// Makes one.
    pub fn new() -> Self {
        let mut params = CertificateParams::new(Vec::new()).unwrap();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
        params.distinguished_name.push(DnType::CommonName, "Countersign tests");
        let issuer = CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap();
        Self { issuer }
    }

    /// The certificate that clients are told to trust, PEM.
    pub fn pem(&self) -> String {
        self.issuer.pem()
    }

    /// A server certificate for `127.0.0.1` and `localhost`.
    pub fn server(&self) -> Identity {
        self.issue(server_params(&["127.0.0.1", "localhost"]))
    }

    /// A server certificate for another name than the one that is called.
    pub fn wrong_name(&self) -> Identity {
        self.issue(server_params(&["elsewhere.example"]))
    }

    /// A server certificate that ended in 2021.
    pub fn expired(&self) -> Identity {
        let mut params = server_params(&["127.0.0.1", "localhost"]);
        params.not_before = date_time_ymd(2020, 1, 1);
        params.not_after = date_time_ymd(2021, 1, 1);
        self.issue(params)
    }

    /// A client certificate with this common name.
    pub fn client(&self, common_name: &str) -> Identity {
        self.issue(client_params(common_name))
    }

    /// A client certificate with this common name that ends so soon.
    pub fn client_for(&self, common_name: &str, lifetime: Duration) -> Identity {
        let mut params = client_params(common_name);
        params.not_after = (SystemTime::now() + lifetime).into();
        self.issue(params)
    }

    /// A client certificate with this common name that ended in 2021.
    pub fn expired_client(&self, common_name: &str) -> Identity {
        let mut params = client_params(common_name);
        params.not_before = date_time_ymd(2020, 1, 1);
        params.not_after = date_time_ymd(2021, 1, 1);
        self.issue(params)
    }

    fn issue(&self, params: CertificateParams) -> Identity {
        let key = KeyPair::generate().unwrap();
        let certificate = params.signed_by(&key, &self.issuer).unwrap();
        Identity { certificate: certificate.pem(), key: key.serialize_pem() }
    }
}

impl Default for TestCa {
    fn default() -> Self {
        Self::new()
    }
}

/// A server certificate that nobody vouches for.
pub fn self_signed() -> Identity {
    let key = KeyPair::generate().unwrap();
    let certificate = server_params(&["127.0.0.1", "localhost"]).self_signed(&key).unwrap();
    Identity { certificate: certificate.pem(), key: key.serialize_pem() }
}

/// A client certificate that vouches for itself.
pub fn self_signed_client(common_name: &str) -> Identity {
    let key = KeyPair::generate().unwrap();
    let certificate = client_params(common_name).self_signed(&key).unwrap();
    Identity { certificate: certificate.pem(), key: key.serialize_pem() }
}

fn client_params(common_name: &str) -> CertificateParams {
    let mut params = CertificateParams::new(Vec::new()).unwrap();
    params.distinguished_name = rcgen::DistinguishedName::new();
    params.distinguished_name.push(DnType::CommonName, common_name);
    params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ClientAuth];
    params
}

fn server_params(names: &[&str]) -> CertificateParams {
    let mut params =
        CertificateParams::new(names.iter().map(|&name| name.to_owned()).collect::<Vec<_>>()).unwrap();
    params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
    params
}
