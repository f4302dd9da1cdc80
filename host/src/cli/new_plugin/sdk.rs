use std::fmt;
use std::path::{Path, PathBuf};

/// Where a plugin in Rust takes the crate `countersign` from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Sdk {
    /// A folder with it.
    Path(PathBuf),
    /// A repository, and the revision if one was named.
    Git(String, Option<String>),
    /// The registry.
    Version(String),
}

/// The checkout that this program was built from, if it is still there.
const BUILT_FROM: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../core");

impl Sdk {
    /// The checkout that this program was built from, or the version of the registry.
    pub(super) fn at_hand() -> Self {
        Self::folder(Path::new(BUILT_FROM)).unwrap_or_else(|| Self::Version("0.1".to_owned()))
    }

    /// A version, a repository as `URL#REVISION`, or the path of a checkout.
    ///
    /// # Errors
    /// There is no SDK in that folder.
    pub(super) fn parse(text: &str) -> Result<Self, String> {
        if text.contains('"') || text.contains('\\') || text.contains(char::is_control) {
            return Err(format!(
                "{text:?} is no place of the SDK: a version, `URL#REVISION`, or the path of a checkout"
            ));
        }
        if text.contains("://") {
            let (url, revision) =
                text.split_once('#').map_or((text, None), |(url, rev)| (url, Some(rev.to_owned())));
            return Ok(Self::Git(url.to_owned(), revision));
        }
        if text.starts_with(|first: char| first.is_ascii_digit() || "^~=".contains(first)) {
            return Ok(Self::Version(text.to_owned()));
        }
        let folder = Path::new(text);
        Self::folder(&folder.join("core")).or_else(|| Self::folder(folder)).ok_or_else(|| {
            format!("there is no SDK in {text}: give the path of a checkout of Countersign, a version, or `URL#REVISION`")
        })
    }

    fn folder(path: &Path) -> Option<Self> {
        let manifest = std::fs::read_to_string(path.join("Cargo.toml")).ok()?;
        let path = path.canonicalize().ok()?;
        manifest.lines().any(|line| line.trim() == "name = \"countersign\"").then_some(Self::Path(path))
    }
}

/// What stands in `Cargo.toml`, between the braces.
impl fmt::Display for Sdk {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Path(path) => write!(f, "path = {}", toml::Value::from(path.to_string_lossy().as_ref())),
            Self::Git(url, None) => write!(f, "git = \"{url}\""),
            Self::Git(url, Some(revision)) => write!(f, "git = \"{url}\", rev = \"{revision}\""),
            Self::Version(version) => write!(f, "version = \"{version}\""),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_sdk_is_a_checkout_a_repository_or_a_version() {
        let written = |text: &str| Sdk::parse(text).map(|sdk| sdk.to_string());
        assert_eq!(written("0.1"), Ok("version = \"0.1\"".into()));
        assert_eq!(
            written("https://g.example/c#abc"),
            Ok("git = \"https://g.example/c\", rev = \"abc\"".into())
        );
        let core = Path::new(BUILT_FROM).canonicalize().unwrap();
        let expected = format!("path = \"{}\"", core.display());
        assert_eq!(Sdk::at_hand().to_string(), expected);
        assert_eq!(written(core.to_str().unwrap()), Ok(expected.clone()));
        assert_eq!(written(core.parent().unwrap().to_str().unwrap()), Ok(expected));
        assert!(written("/nowhere").unwrap_err().contains("there is no SDK in /nowhere"));
        assert!(written("a\"b").is_err());
    }
}
