//! The program `countersign`: arguments in, one library call, words out.
//!
//! Not here: anything that a user of the library would miss.

mod args;
mod call;
mod check;
mod demo;
mod explain;
mod header;
mod jwks;
mod new_plugin;
mod output;
mod paragraphs;
mod plugins;
mod serve;
mod settings;
mod types;

use std::io;
use std::path::Path;
use std::process::ExitCode;
use std::time::Duration;

use clap::{CommandFactory, Parser};
use tracing_subscriber::{EnvFilter, Layer};

use self::args::{Arguments, Command};
use self::output::print;
use crate::config::Findings;
use crate::conformance::Recorder;
#[cfg(feature = "otel")]
use crate::otel::Otel;
use crate::plugin::Meant;
use crate::registry::Registry;
use crate::{Host, Overrides, Setup};

#[cfg(feature = "otel")]
type Registered = tracing_subscriber::Registry;

/// Why a command did not succeed.
enum Failure {
    /// What is wrong with the configuration, already located.
    Findings(Findings),
    /// In words.
    Words(String),
    /// All is said; only the exit status is left.
    Status(u8),
}

/// Runs the program with the process's arguments.
pub fn main() -> ExitCode {
    let _meant = Meant::only_by_this();
    let arguments = Arguments::parse();
    let recorder = recorder(&arguments);
    #[cfg(not(feature = "otel"))]
    log_to_stderr(arguments.verbose);
    #[cfg(feature = "otel")]
    let otel = match export(&arguments) {
        Ok(otel) => otel,
        Err(words) => return complain(&format!("countersign: {words}")),
    };
    let mut overrides = Overrides::default();
    // While there is one thread: it changes the environment.
    if let (Command::Serve(_), Err(error)) = (&arguments.command, overrides.inherit_sockets()) {
        return complain(&format!("countersign: {error}"));
    }
    let outcome = match tokio::runtime::Builder::new_multi_thread().enable_all().worker_threads(2).build() {
        Ok(runtime) => {
            let outcome = runtime.block_on(run(
                arguments,
                overrides,
                recorder.as_ref(),
                #[cfg(feature = "otel")]
                otel,
            ));
            // Renewal state that is being written gets there; a program that brings a secret is not waited for.
            runtime.shutdown_timeout(Duration::from_secs(2));
            outcome
        }
        Err(error) => Err(Failure::Words(format!("cannot start: {error}"))),
    };
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(Failure::Findings(findings)) => complain(&findings.to_string()),
        Err(Failure::Words(words)) => complain(&format!("countersign: {words}")),
        Err(Failure::Status(status)) => ExitCode::from(status),
    }
}

/// Logs, and exports what the environment asks for, if a proxy is to be served.
#[cfg(feature = "otel")]
fn export(arguments: &Arguments) -> Result<Option<Otel>, String> {
    let serves = matches!(arguments.command, Command::Serve(_));
    let otel = if serves { Otel::from_env()? } else { None };
    log_to_stderr(arguments.verbose, otel.as_ref().and_then(Otel::layer));
    Ok(otel)
}

/// Keeps all that is logged, if a plugin is to be tested: then it is looked through for secrets.
fn recorder(arguments: &Arguments) -> Option<Recorder> {
    use tracing_subscriber::layer::SubscriberExt;
    use tracing_subscriber::util::SubscriberInitExt;
    let Command::Plugins { command: Some(args::PluginsCommand::Test(_)) } = &arguments.command else {
        return None;
    };
    let recorder = Recorder::default();
    let shown = tracing_subscriber::fmt::layer()
        .with_writer(io::stderr)
        .with_ansi(false)
        .with_filter(filter(arguments.verbose));
    // From now on there is a subscriber, and no other one takes its place.
    tracing_subscriber::registry().with(recorder.clone()).with(shown).try_init().ok()?;
    Some(recorder)
}

async fn run(
    arguments: Arguments,
    overrides: Overrides,
    recorder: Option<&Recorder>,
    #[cfg(feature = "otel")] otel: Option<Otel>,
) -> Result<(), Failure> {
    let config = arguments.config;
    match arguments.command {
        Command::Check => check::run(&config),
        Command::Types { command: None, json } => types::list(&types_of(&config)?, json),
        Command::Types { command: Some(args::TypesCommand::Show { name }), json } => {
            types::show(&types_of(&config)?, &name, json)
        }
        Command::Schema => {
            let schema = crate::config::schema(&types_of(&config)?);
            Ok(print(format_args!("{schema:#}\n"))?)
        }
        Command::Plugins { command } => plugins::run(&config, command, recorder),
        Command::NewPlugin(arguments) => new_plugin::run(&config, &arguments),
        Command::Header(arguments) => header::run(&start(&config).await?, arguments).await,
        Command::Call(arguments) => call::run(&start(&config).await?, arguments).await,
        Command::Test(arguments) => explain::test(&config, arguments).await,
        Command::Explain(arguments) => explain::explain(&config, arguments).await,
        Command::Serve(arguments) => {
            serve::run(
                &config,
                arguments,
                overrides,
                #[cfg(feature = "otel")]
                otel,
            )
            .await
        }
        Command::Jwks { profile } => jwks::run(&config, &profile),
        Command::Demo { plugin, keep } => demo::run(plugin, keep).await.map_err(Failure::Words),
        Command::Completions { shell } => {
            let mut script = Vec::new();
            clap_complete::generate(shell, &mut Arguments::command(), "countersign", &mut script);
            Ok(output::print_bytes(&script)?)
        }
    }
}

async fn start(config: &Path) -> Result<Host, Failure> {
    let host = Host::start(config).await?;
    for warning in host.warnings().iter() {
        tracing::warn!("{warning}");
    }
    Ok(host)
}

/// The types, with a word on standard error about plugin files that were refused.
fn types_of(config: &Path) -> Result<Registry, Failure> {
    let (types, refused) = Setup::types_of(config)?;
    if !refused.is_empty() {
        complain(&refused.to_string());
    }
    Ok(types)
}

fn complain(words: &str) -> ExitCode {
    use std::io::Write;
    // Whoever closed standard error does not want to know.
    let _ = writeln!(io::stderr().lock(), "{}", words.trim_end());
    ExitCode::FAILURE
}

fn log_to_stderr(
    verbose: u8,
    #[cfg(feature = "otel")] export: Option<impl Layer<Registered> + Send + Sync + 'static>,
) {
    use std::io::IsTerminal;

    use tracing_subscriber::layer::SubscriberExt;
    use tracing_subscriber::util::SubscriberInitExt;
    let colours =
        io::stderr().is_terminal() && std::env::var_os("NO_COLOR").is_none_or(|value| value.is_empty());
    let log = tracing_subscriber::fmt::layer()
        .with_writer(io::stderr)
        .with_ansi(colours)
        .with_target(verbose > 1)
        .with_filter(filter(verbose));
    let subscriber = tracing_subscriber::registry();
    #[cfg(feature = "otel")]
    let subscriber = subscriber.with(export);
    // A subscriber is there already only when a test set one.
    let _ = subscriber.with(log).try_init();
}

/// What is logged to standard error.
fn filter(verbose: u8) -> EnvFilter {
    let by_flag = match verbose {
        // What fails is said by the command itself.
        0 => "warn,countersign_host::cache=error",
        1 => "countersign=info,countersign_host=info,warn",
        2 => "countersign=debug,countersign_host=debug,info",
        _ => "trace",
    };
    match std::env::var("COUNTERSIGN_LOG") {
        Ok(filter) if verbose == 0 && !filter.is_empty() => EnvFilter::new(filter),
        _ => EnvFilter::new(by_flag),
    }
}

impl From<Findings> for Failure {
    fn from(findings: Findings) -> Self {
        Self::Findings(findings)
    }
}

impl From<io::Error> for Failure {
    fn from(error: io::Error) -> Self {
        Self::Words(format!("cannot write to standard output: {error}"))
    }
}

impl From<crate::Error> for Failure {
    fn from(error: crate::Error) -> Self {
        Self::Words(error.to_string())
    }
}
