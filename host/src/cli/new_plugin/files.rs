use std::path::{Path, PathBuf};

use super::name::{Name, capitalized};
use super::sdk::Sdk;
use crate::cli::args::Language;

/// A plugin's files before they are written.
pub(super) struct Kit {
    files: Vec<NewFile>,
    /// What to type after `cd`.
    steps: String,
    config: String,
    name: String,
}

/// A file of a new plugin.
pub(super) struct NewFile {
    pub(super) path: PathBuf,
    pub(super) text: String,
    pub(super) executable: bool,
}

macro_rules! example {
    ($path:literal) => {
        include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/../docs/examples/", $path))
    };
}

macro_rules! template {
    ($path:literal) => {
        include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/templates/new-plugin/", $path))
    };
}

const HOME: &str = "[plugins.acme-login]\nisolation = \"process\"\n\n";
const LOGIN_CONFIG: &str = "[profiles.acme-login]\ntype      = \"acme-login\"\nlogin_url = \"https://acme.example/login\"\nuser      = \"erp\"\n\
                            password  = \"${env:ACME_PASSWORD}\"\n";
const SIGNING_CONFIG: &str =
    "[profiles.acme-hmac]\ntype   = \"acme-hmac\"\nsecret = \"${env:ACME_SECRET}\"\n";
const CONNECTOR: &str =
    "\n[connectors.acme-login]\nbase_url = \"https://acme.example/api\"\nprofile  = \"acme-login\"\n";

const EXAMPLE: &str = "# What `countersign plugins test` tries the type with. Nothing is sent anywhere.\n";

/// What the login endpoint answers, for `countersign plugins test`.
const ANSWERS: &str = "[\n  { \"status\": 200, \"headers\": {}, \"body\": { \"session\": \"s-{{conversation}}\", \"ttl_seconds\": 900 } }\n]\n";

const LOGIN_ABOUT: &str = "As it is, it sends a user and a password to a login endpoint, and puts the session that it gets on each request.";
const ANSWERS_ABOUT: &str = "`answers.json` is what the login endpoint answers in that test; write down there what yours does. \
                             (`{{conversation}}` becomes a number.)\n\n";
const SIGNING_ABOUT: &str =
    "As it is, it signs each request: an HMAC-SHA256 over method, path, query, time and body.";

impl Kit {
    pub(super) fn new(name: &Name, language: Language, signs: bool, sdk: &Sdk, config: &Path) -> Self {
        let words = Words { name, example: if signs { "acme-hmac" } else { "acme-login" } };
        let of = |path: &str, text: &str, executable: bool| NewFile {
            path: words.replaced(path).into(),
            text: words.replaced(&without_anchors(text)),
            executable,
        };
        let mut files = match (language, signs) {
            (Language::Rust, false) => vec![
                of("Cargo.toml", template!("rust/Cargo.toml.in"), false),
                of("src/lib.rs", example!("acme-login/src/lib.rs"), false),
                of("src/tests.rs", example!("acme-login/src/tests.rs"), false),
            ],
            (Language::Rust, true) => vec![
                of("Cargo.toml", template!("rust/Cargo-signs.toml.in"), false),
                of("src/lib.rs", example!("acme-hmac/src/lib.rs"), false),
                of("src/tests.rs", example!("acme-hmac/src/tests.rs"), false),
            ],
            (Language::Python, false) => vec![
                of("acme-login.py", example!("acme-login.py"), true),
                of("test_acme_login.py", template!("python/test_login.py"), false),
            ],
            (Language::Python, true) => vec![
                of("acme-hmac.py", example!("acme-hmac.py"), true),
                of("test_acme_hmac.py", template!("python/test_signs.py"), false),
            ],
            (Language::Sh, _) => vec![
                of("acme-login.sh", example!("acme-login.sh"), true),
                of("test.sh", template!("sh/test.sh"), true),
            ],
        };
        // What the examples' names are in the files that both kinds share.
        let shared = Words { example: "acme-login", ..words };
        let (ignored, workflow) = match language {
            Language::Rust => ("/target\n", template!("rust/ci.yml")),
            Language::Python => ("__pycache__/\n", template!("python/ci.yml")),
            Language::Sh => ("", template!("sh/ci.yml")),
        };
        let plugins = plugins_beside(config);
        let name = name.as_str();
        let snake = name.replace('-', "_");
        let built = match language {
            Language::Rust => format!("target/release/lib{snake}.so"),
            Language::Python => format!("{name}.py"),
            Language::Sh => format!("{name}.sh"),
        };
        let tests = match language {
            Language::Rust => "cargo test\ncargo build --release",
            Language::Python => "python3 -m unittest",
            Language::Sh => "sh test.sh",
        };
        let mode = if language == Language::Rust { "644" } else { "755" };
        let file = Path::new(&built).file_name().unwrap_or_default().display();
        let more = if signs { "" } else { "--script answers.json " };
        let steps = format!(
            "{tests}\ncountersign plugins test {built} --config example.toml {more}--strict\ninstall -D -m {mode} {built} {plugins}/{file}"
        );
        let own = words.replaced(if signs { SIGNING_CONFIG } else { LOGIN_CONFIG });
        // A script cannot run in the host's process.
        let home = if language == Language::Rust { "" } else { HOME };
        let config = format!("{}{own}{}", shared.replaced(home), shared.replaced(CONNECTOR));
        let about = words.replaced(if signs { SIGNING_ABOUT } else { LOGIN_ABOUT });
        let readme = shared
            .replaced(template!("README.md.in"))
            .replace("@ABOUT@", &about)
            .replace("@STEPS@", &steps)
            .replace("@ANSWERS@\n", if signs { "" } else { ANSWERS_ABOUT })
            .replace("@CONFIG@", config.trim_end());
        let sdk = sdk.to_string();
        for file in &mut files {
            file.text = file.text.replace("@SDK@", &sdk);
        }
        let mut plain = |path: &str, text: String| {
            files.push(NewFile { path: path.into(), text, executable: false });
        };
        plain("README.md", readme);
        plain(
            "example.toml",
            format!(
                "{EXAMPLE}{}",
                own.replace("${env:", "throw-away-throw-away-throw-away-").replace('}', "")
            ),
        );
        if !signs {
            plain("answers.json", ANSWERS.to_owned());
        }
        plain(".github/workflows/ci.yml", shared.replaced(workflow));
        if !ignored.is_empty() {
            plain(".gitignore", ignored.to_owned());
        }
        Self { files, steps, config, name: name.to_owned() }
    }

    pub(super) fn files(&self) -> &[NewFile] {
        &self.files
    }

    /// What to do next, as it works.
    pub(super) fn next_steps(&self) -> String {
        let indented = |text: &str| {
            text.lines()
                .map(|line| if line.is_empty() { String::new() } else { format!("  {line}") })
                .collect::<Vec<_>>()
                .join("\n")
        };
        let (name, steps, config) = (&self.name, indented(&self.steps), indented(&self.config));
        format!(
            "{name}/ is a plugin that works as it is.\n\n  cd {name}\n{steps}\n\nand, in the configuration:\n\n{config}\n\nIts README.md says the same."
        )
    }
}

/// The folder of plugins that a configuration has, as seen from a new plugin's folder in the current one.
fn plugins_beside(config: &Path) -> String {
    let folder = config.parent().filter(|folder| !folder.as_os_str().is_empty());
    match folder {
        None => "../plugins".to_owned(),
        Some(folder) if folder.is_absolute() => folder.join("plugins").display().to_string(),
        Some(folder) => Path::new("..").join(folder).join("plugins").display().to_string(),
    }
}

/// What stands for the example's names.
#[derive(Clone, Copy)]
struct Words<'n> {
    name: &'n Name,
    example: &'static str,
}

impl Words<'_> {
    fn replaced(self, text: &str) -> String {
        let Self { name, example } = self;
        let camel: String = example.split('-').map(capitalized).collect();
        let first = name.first();
        // Marks that nothing else contains: a new name may hold an old one.
        text.replace(example, "\u{1}")
            .replace(&example.replace('-', "_"), "\u{2}")
            .replace(&camel, "\u{3}")
            .replace("acme", "\u{4}")
            .replace("Acme", "\u{5}")
            .replace("ACME", "\u{6}")
            .replace('\u{1}', name.as_str())
            .replace('\u{2}', &name.snake())
            .replace('\u{3}', &name.camel())
            .replace('\u{4}', first)
            .replace('\u{5}', &capitalized(first))
            .replace('\u{6}', &first.to_ascii_uppercase())
    }
}

/// The book takes pieces of the examples by lines that mean nothing to anybody else.
fn without_anchors(text: &str) -> String {
    text.split_inclusive('\n').filter(|line| !line.trim_start().starts_with("// ANCHOR")).collect()
}
