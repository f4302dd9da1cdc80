//! Profile types without an exchange: one that signs, and one with a fixed token.

use countersign::{AuthProfile, Context, Credential, Edits, Error, RequestHead, SignContext};
use serde::Deserialize;

/// What stands under `[profiles.NAME]`: nothing.
#[derive(Deserialize, schemars::JsonSchema)]
pub struct Settings {}

/// The profile type `bench-signer`: its signature costs next to nothing, so that what is measured is the way to it.
pub struct BenchSigner;

impl AuthProfile for BenchSigner {
    const TYPE: &'static str = "bench-signer";
    const SUMMARY: &'static str = "A signature that costs next to nothing";
    type Config = Settings;

    fn new(_: Settings) -> Result<Self, Error> {
        Ok(Self)
    }

    async fn acquire(&self, _: &Context) -> Result<Credential, Error> {
        Credential::signing(&"a key of some thirty two bytes....")
    }

    fn sign(&self, _: &Credential, request: &RequestHead<'_>, _: &SignContext) -> Result<Edits, Error> {
        Ok(Edits::header("x-signature", format!("{} {}", request.method(), request.headers().len())))
    }
}

/// The profile type `bench-fixed`.
pub struct BenchFixed;

impl AuthProfile for BenchFixed {
    const TYPE: &'static str = "bench-fixed";
    const SUMMARY: &'static str = "A token of 220 bytes";
    type Config = Settings;

    fn new(_: Settings) -> Result<Self, Error> {
        Ok(Self)
    }

    async fn acquire(&self, _: &Context) -> Result<Credential, Error> {
        Ok(Credential::bearer("eyJhbGciOiJSUzI1NiIs".repeat(11)))
    }
}
