use std::path::PathBuf;

use clap::{Args, Parser, Subcommand};

use crate::plugin::Isolation;

/// Gives every outbound call its credentials.
///
/// A connector names a profile, the profile names a type (jwt-bearer, oauth2, basic, … or one from a plugin), and
/// Countersign obtains the credential, keeps it fresh and puts it on each request.
#[derive(Debug, Parser)]
#[command(name = "countersign", version, propagate_version = true, max_term_width = 100)]
pub(crate) struct Arguments {
    /// The configuration file.
    #[arg(short, long, global = true, env = "COUNTERSIGN_CONFIG", default_value = "countersign.toml")]
    pub(crate) config: PathBuf,

    /// Say more on standard error: -v what happens, -vv how, -vvv everything. Never a secret.
    ///
    /// `COUNTERSIGN_LOG` takes a filter such as `countersign_host=debug,hyper=info` instead.
    #[arg(short, long, global = true, action = clap::ArgAction::Count)]
    pub(crate) verbose: u8,

    #[command(subcommand)]
    pub(crate) command: Command,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Check all that can be known without a network: configuration, sources, keys, plugins.
    ///
    /// Exit status 0 when all is well, 1 with the findings, each with file, line and column.
    Check,
    /// List the profile types, built in and from plugins, or show one's settings.
    Types {
        #[command(subcommand)]
        command: Option<TypesCommand>,
        /// Print JSON, settings' schemas included.
        #[arg(long, global = true)]
        json: bool,
    },
    /// Print the JSON Schema of the whole configuration, plugins' types included, for editors.
    Schema,
    /// List the plugin files; inspect, lock, sign and verify them.
    Plugins {
        #[command(subcommand)]
        command: Option<PluginsCommand>,
    },
    /// Make a plugin of your own: a folder with a type that works as it is, its tests and a README.
    NewPlugin(NewPlugin),
    /// Print what would be placed on a request, `Name: value` a line. Secrets on purpose, to standard output only.
    ///
    /// A query parameter is shown as `Query: name=value`.
    Header(HeaderArguments),
    /// Call the API behind a connector, with its credential.
    ///
    /// Exit status 0 when the API answered with a status below 400, 22 when it answered with 400 or more, 1 when
    /// there was no call or no answer.
    Call(CallArguments),
    /// Try a connector out: make its probe, and say step by step what was obtained, placed and answered. No secret is shown.
    ///
    /// The probe is what `[connectors.NAME.probe]` says, else a GET of the base URL; the options below come before it. Exit
    /// status 0 when the API answered as expected, 22 when it answered otherwise, 1 when there was no call or no answer.
    Test(TestArguments),
    /// Try a connector out and say what may be the matter, the likeliest cause first: fit to be pasted into a ticket.
    ///
    /// It shows the token decoded (of its signature only the length), this machine's clock against the other side's, what
    /// the answer's challenge and body mean, and, where an issuer publishes its keys, whether they verify the token. Exit
    /// status as of `test`.
    Explain(ExplainArguments),
    /// Serve the local egress proxy: connectors of other programs and platforms call it, and their calls arrive at the API
    /// with the credential.
    ///
    /// It reads `[serve]` and the connectors of the configuration, which is watched: what is edited holds within a second, and
    /// what is wrong is reported and changes nothing. SIGHUP reads it at once; SIGTERM ends, after the calls under way.
    Serve(ServeArguments),
    /// Print a profile's public keys as a JWK Set, to hand to the API's owner.
    Jwks {
        /// The profile.
        profile: String,
    },
    /// Show the product at work on this machine: three APIs, three profile types, one of them from a plugin.
    Demo {
        /// The example plugin, already built; else it is built from source, as its author would.
        #[arg(long, value_name = "FILE")]
        plugin: Option<PathBuf>,
        /// Keep the demonstration's folder and say where it is.
        #[arg(long)]
        keep: bool,
    },
    /// Print a shell's completion script.
    Completions {
        /// The shell.
        shell: clap_complete::Shell,
    },
}

#[derive(Debug, Args)]
pub(crate) struct NewPlugin {
    /// The plugin, its type, and the folder that is made: `acme-login`.
    pub(crate) name: String,
    /// What it is written in. Python needs no compiler and nothing but its standard library; a shell script needs jq.
    #[arg(long, value_enum, default_value_t = Language::Rust)]
    pub(crate) lang: Language,
    /// Begin with a type that signs each request, instead of one that logs in.
    #[arg(long)]
    pub(crate) signs: bool,
    /// Where Rust takes the crate `countersign` from: the path of a checkout, a version, or `URL#REVISION` of a repository.
    ///
    /// Without it, the checkout that this program was built from, if it is still there, else the registry.
    #[arg(long, value_name = "SDK")]
    pub(crate) sdk: Option<String>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub(crate) enum Language {
    /// A crate that becomes a `.so`.
    Rust,
    /// A script.
    Python,
    /// A script for sh and jq.
    Sh,
}

#[derive(Debug, Subcommand)]
pub(crate) enum TypesCommand {
    /// Show a type's settings.
    Show {
        /// The type.
        #[arg(value_name = "TYPE")]
        name: String,
    },
}

#[derive(Debug, Subcommand)]
pub(crate) enum PluginsCommand {
    /// Say what a file says of itself, without executing it.
    Inspect {
        /// The file.
        file: PathBuf,
    },
    /// Write the digests of the plugin files that there are into `plugins.lock` beside the configuration, and say what has changed.
    ///
    /// Nothing of them is executed, and what is refused is not locked. A file that is not the locked one is refused from then
    /// on; with `[plugins] trust = "pinned"`, so is one that is not locked.
    Lock {
        /// Write nothing; exit status 1 if the files are not the locked ones.
        #[arg(long)]
        check: bool,
    },
    /// Make a key pair to sign plugin files with, in the format of minisign.
    Keygen(KeygenArguments),
    /// Sign plugin files: a signature in the format of minisign, in `FILE.minisig` beside each.
    ///
    /// The password of the key is read from the file that is given, from `COUNTERSIGN_KEY_PASSWORD`, or from the terminal.
    Sign(SignArguments),
    /// Say whether a file is signed by one of the keys.
    Verify {
        /// The file; its signature lies beside it.
        file: PathBuf,
        /// A public key, or a file with one; may be given several times. Without it, the keys of the configuration.
        #[arg(short, long = "key", value_name = "KEY")]
        keys: Vec<String>,
    },
    /// Run the conformance suite on a plugin file, in every home that it can run in.
    ///
    /// The profiles of the configuration that use the file's types are what it is tried with; without a configuration, the
    /// `examples` of the types' schemas. Nothing is sent anywhere: the suite plays the issuer. Exit status 0 when no check
    /// failed, else 1.
    Test(PluginsTest),
}

#[derive(Debug, Args)]
pub(crate) struct KeygenArguments {
    /// Where the secret key goes. Keep it where plugins are signed, and nowhere else.
    #[arg(short, long, value_name = "FILE", default_value = "countersign.key")]
    pub(crate) key: PathBuf,
    /// Where the public key goes; without it, beside the secret one, as `.pub`.
    #[arg(short, long, value_name = "FILE")]
    pub(crate) public: Option<PathBuf>,
    /// Make a secret key that needs no password: for a place that keeps secrets itself.
    #[arg(long, conflicts_with = "password_file")]
    pub(crate) no_password: bool,
    /// Take the password from the first line of a file, instead of asking for it.
    #[arg(long, value_name = "FILE")]
    pub(crate) password_file: Option<PathBuf>,
}

#[derive(Debug, Args)]
pub(crate) struct SignArguments {
    /// The files.
    #[arg(required = true, value_name = "FILE")]
    pub(crate) files: Vec<PathBuf>,
    /// The secret key: of `countersign plugins keygen` or of `minisign -G`.
    #[arg(short, long, value_name = "KEYFILE")]
    pub(crate) key: PathBuf,
    /// Words that are signed, too, behind the time and the file's name: `v1.2.0`.
    #[arg(long, value_name = "WORDS")]
    pub(crate) comment: Option<String>,
    /// Take the key's password from the first line of a file, instead of asking for it.
    #[arg(long, value_name = "FILE")]
    pub(crate) password_file: Option<PathBuf>,
}

#[derive(Debug, Args)]
pub(crate) struct PluginsTest {
    /// The file: a `.so` or an executable, wherever it lies.
    pub(crate) file: PathBuf,
    /// What the issuer answers when it is well, in order: `[{"status": 200, "headers": {}, "body": {…}}]`.
    ///
    /// Without it, one JSON answer with what most token and login endpoints answer.
    #[arg(long, value_name = "FILE")]
    pub(crate) script: Option<PathBuf>,
    /// Fail, too, when checks were skipped for want of settings or of the issuer's answers: for a CI. What does not apply to
    /// a type is not missed.
    #[arg(long)]
    pub(crate) strict: bool,
    /// Only in that home.
    #[arg(long, value_enum)]
    pub(crate) isolation: Option<IsolationArgument>,
    /// Print JSON.
    #[arg(long)]
    pub(crate) json: bool,
}

#[derive(Debug, Clone, Copy, clap::ValueEnum)]
pub(crate) enum IsolationArgument {
    /// A process of its own, sandboxed.
    Process,
    /// The same, with as much of the sandbox as this kernel can enforce.
    BestEffort,
    /// The host's process.
    InProcess,
}

impl From<IsolationArgument> for Isolation {
    fn from(argument: IsolationArgument) -> Self {
        match argument {
            IsolationArgument::Process => Self::Process,
            IsolationArgument::BestEffort => Self::BestEffort,
            IsolationArgument::InProcess => Self::InProcess,
        }
    }
}

#[derive(Debug, Args)]
pub(crate) struct HeaderArguments {
    /// The connector.
    pub(crate) connector: String,
    #[command(flatten)]
    pub(crate) caller: CallerArguments,
    /// The request's method; it matters to profiles that sign.
    #[arg(short = 'X', long, value_name = "METHOD", default_value = "GET")]
    pub(crate) method: http::Method,
    /// The request's path below the connector's base URL, with its query.
    #[arg(long, value_name = "PATH", default_value = "")]
    pub(crate) path: String,
    /// The request's body; it matters to profiles that sign it. `@FILE` reads a file, `@-` standard input.
    #[arg(short, long, value_name = "DATA")]
    pub(crate) data: Option<String>,
}

#[derive(Debug, Args)]
pub(crate) struct CallArguments {
    /// The connector.
    pub(crate) connector: String,
    /// The path below the connector's base URL, with its query.
    pub(crate) path: String,
    #[command(flatten)]
    pub(crate) caller: CallerArguments,
    /// The method; GET, or POST when there is data.
    #[arg(short = 'X', long, value_name = "METHOD")]
    pub(crate) method: Option<http::Method>,
    /// A header field, `Name: value`; may be given several times.
    #[arg(short = 'H', long = "header", value_name = "FIELD")]
    pub(crate) headers: Vec<String>,
    /// The body. `@FILE` reads a file, `@-` standard input.
    #[arg(short, long, value_name = "DATA")]
    pub(crate) data: Option<String>,
    /// Print the answer's status and headers too.
    #[arg(short, long)]
    pub(crate) include: bool,
    /// Follow redirects; outside the connector's base URL without any credential.
    #[arg(short = 'L', long)]
    pub(crate) location: bool,
}

#[derive(Debug, Args)]
pub(crate) struct TestArguments {
    /// The connector.
    pub(crate) connector: String,
    #[command(flatten)]
    pub(crate) probe: ProbeArguments,
    /// Print JSON.
    #[arg(long)]
    pub(crate) json: bool,
}

#[derive(Debug, Args)]
pub(crate) struct ExplainArguments {
    /// The connector.
    pub(crate) connector: String,
    #[command(flatten)]
    pub(crate) probe: ProbeArguments,
    /// Ask nobody but the API and the profiles' issuers as any call does; above all not an issuer for its public keys.
    #[arg(long)]
    pub(crate) offline: bool,
    /// Print JSON.
    #[arg(long)]
    pub(crate) json: bool,
}

#[derive(Debug, Args)]
pub(crate) struct ProbeArguments {
    /// The path below the connector's base URL, with its query.
    pub(crate) path: Option<String>,
    #[command(flatten)]
    pub(crate) caller: CallerArguments,
    /// The method.
    #[arg(short = 'X', long, value_name = "METHOD")]
    pub(crate) method: Option<http::Method>,
    /// A header field, `Name: value`; may be given several times.
    #[arg(short = 'H', long = "header", value_name = "FIELD")]
    pub(crate) headers: Vec<String>,
    /// The body. `@FILE` reads a file, `@-` standard input.
    #[arg(short, long, value_name = "DATA")]
    pub(crate) data: Option<String>,
    /// A status that is expected; may be given several times. Else any 2xx.
    #[arg(long, value_name = "STATUS")]
    pub(crate) status: Vec<http::StatusCode>,
}

#[derive(Debug, Args)]
pub(crate) struct ServeArguments {
    /// Listen there instead of where `[serve]` says: `127.0.0.1:7070`, `unix:PATH`, `systemd`; may be given several times.
    #[arg(long, value_name = "ADDRESS")]
    pub(crate) listen: Vec<String>,
    /// Who may use a TCP listener.
    #[arg(long, value_enum)]
    pub(crate) access: Option<AccessArgument>,
    /// Tell health, metrics and status there: `127.0.0.1:7071` or `unix:PATH`.
    #[arg(long, value_name = "ADDRESS")]
    pub(crate) admin: Option<String>,
    /// How many threads serve; one for each processor unless given.
    #[arg(long, value_name = "NUMBER")]
    pub(crate) threads: Option<std::num::NonZeroU16>,
}

#[derive(Debug, Clone, Copy, clap::ValueEnum)]
pub(crate) enum AccessArgument {
    /// Whoever sends the bearer of the token file.
    Token,
    /// Every process of this machine, whichever user's it is.
    AnyLocalProcess,
}

#[derive(Debug, Args)]
pub(crate) struct CallerArguments {
    /// An attribute of the caller, `name=value`; may be given several times.
    #[arg(long = "caller", value_name = "NAME=VALUE", value_parser = attribute)]
    attributes: Vec<(String, String)>,
}

impl CallerArguments {
    pub(crate) fn caller(&self) -> countersign::Caller {
        self.attributes.iter().cloned().collect()
    }
}

fn attribute(text: &str) -> Result<(String, String), String> {
    match text.split_once('=') {
        Some((name, value)) if !name.is_empty() => Ok((name.to_owned(), value.to_owned())),
        _ => Err("an attribute is NAME=VALUE".to_owned()),
    }
}
