use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::signature::{ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair};
use countersign::{Error, Secret};

use crate::pem;

/// Makes a new EC key on P-256, for ES256, as PEM (PKCS#8): read it as any other key.
///
/// # Errors
/// [`Internal`](countersign::ErrorKind::Internal) when the operating system gives no random bytes.
pub fn generate_p256() -> Result<Secret, Error> {
    let document = EcdsaKeyPair::generate_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, &SystemRandom::new())
        .map_err(|_| Error::internal("no key can be made: the operating system gives no random bytes"))?;
    let mut text = String::new();
    pem::write("PRIVATE KEY", document.as_ref(), &mut text);
    Ok(Secret::new(text))
}
