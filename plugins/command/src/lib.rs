//! The profile type `command`: a credential that a program prints.
//!
//! ```toml
//! [profiles.cluster]
//! type    = "command"
//! command = ["aws", "eks", "get-token", "--cluster-name", "prod"]
//! ```
//!
//! The host runs the program: without a shell, with an empty standard input, with few variables of its environment, bounded in time
//! and output. What it prints may have the shape of an `ExecCredential` of Kubernetes, of what AWS calls a
//! `credential_process`, or [ours](Printed); or be nothing but the token.
#![forbid(unsafe_code)]

mod config;
mod format;
mod printed;
mod program;

use countersign::{
    AuthProfile, Context, Credential, Error, FixedLifetime, Inputs, Lifetime, Placements, Places,
};

pub use config::CommandConfig;
pub use format::{ApiVersion, Format};
pub use printed::Printed;
use program::Program;

/// A profile of the type `command`.
#[derive(Debug)]
pub struct Command {
    program: Program,
    format: Format,
    api_version: Option<ApiVersion>,
    placements: Placements,
    lifetime: Option<FixedLifetime>,
}

impl AuthProfile for Command {
    const TYPE: &'static str = "command";
    const SUMMARY: &'static str = "a credential that a program prints";
    type Config = CommandConfig;

    fn new(config: CommandConfig) -> Result<Self, Error> {
        config.into_profile()
    }

    fn inputs(&self) -> Inputs {
        let attributes = self.program.caller_attributes().chain(self.placements.caller_attributes());
        Inputs::none().callers(attributes)
    }

    fn places(&self) -> Option<Places> {
        match (self.placements.is_empty(), self.format) {
            (true, Format::Text) => Some(Places::none().header("authorization")),
            (false, Format::Text | Format::CredentialProcess) => Some(self.placements.places()),
            // What is printed says what is placed, or may hold a client certificate.
            _ => None,
        }
    }

    async fn acquire(&self, cx: &Context) -> Result<Credential, Error> {
        let output = self.program.output(cx).await?;
        let printed = self.format.read(output.expose(), self.api_version);
        let credential = printed.and_then(|printed| self.credential(printed, cx));
        credential.map_err(|error| self.program.named(&error))
    }
}

impl Command {
    fn credential(&self, printed: Printed, cx: &Context) -> Result<Credential, Error> {
        let said = printed.lifetime(cx.now())?;
        let credential = if self.placements.is_empty() {
            printed.placed()?
        } else {
            for (name, setting) in self.placements.names("answer") {
                if !printed.values.contains_key(name) {
                    return Err(Error::denied(format!("printed no `{name}`, which `{setting}` reads")));
                }
            }
            self.placements.place(Credential::new(), cx.callers(), &[("answer", &printed.values)])?
        };
        let credential = match printed.client_certificate {
            Some(certificate) => credential.and_client_certificate(certificate),
            None => credential,
        };
        Ok(match said.or(self.lifetime.map(Lifetime::from)).unwrap_or(printed.unsaid) {
            Lifetime::Until(instant) => credential.valid_until(instant),
            Lifetime::For(duration) => credential.valid_for(duration),
            Lifetime::UntilRejected => credential.until_rejected(),
            _ => credential,
        })
    }
}

countersign::register_profile!(Command);
#[cfg(feature = "plugin")]
countersign::export_plugin!();

#[cfg(test)]
mod tests;
