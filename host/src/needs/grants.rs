use std::path::Path;

use countersign::Error;

use crate::plugin::Right;

/// What a profile may need beyond exchanges and waits.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Grants {
    /// Everything: its type is built in.
    All,
    /// What the operator allows its plugin.
    Rights(Vec<Right>),
}

impl Grants {
    /// Whether a file may be read. The path is looked at as it is written: what leads back with `..` is no path below.
    ///
    /// # Errors
    /// [`Unsupported`](countersign::ErrorKind::Unsupported), with the way out.
    pub(crate) fn file(&self, path: &Path) -> Result<(), Error> {
        let climbs = path.components().any(|part| part == std::path::Component::ParentDir);
        let allowed =
            |right: &Right| matches!(right, Right::Read(below) if path.starts_with(below) && !climbs);
        self.any(allowed, || format!("the file {}", path.display()), || format!("read:{}", path.display()))
    }

    /// Whether a variable of the environment may be read.
    ///
    /// # Errors
    /// [`Unsupported`](countersign::ErrorKind::Unsupported), with the way out.
    pub(crate) fn variable(&self, name: &str) -> Result<(), Error> {
        let allowed = |right: &Right| matches!(right, Right::Variable(known) if known == name);
        self.any(allowed, || format!("the environment variable {name}"), || format!("env:{name}"))
    }

    /// Whether programs may be run: never by a plugin, for they would run outside of every sandbox.
    ///
    /// # Errors
    /// [`Unsupported`](countersign::ErrorKind::Unsupported).
    pub(crate) fn program(&self) -> Result<(), Error> {
        match self {
            Self::All => Ok(()),
            Self::Rights(_) => Err(Error::unsupported("a plugin may not have programs run")),
        }
    }

    fn any(
        &self,
        allowed: impl Fn(&Right) -> bool,
        what: impl Fn() -> String,
        right: impl Fn() -> String,
    ) -> Result<(), Error> {
        match self {
            Self::Rights(rights) if !rights.iter().any(allowed) => Err(Error::unsupported(format!(
                "this plugin may not read {}; if it is to, `allow = [\"{}\"]` in its `[plugins.NAME]`",
                what(),
                right()
            ))),
            _ => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_plugin_may_read_what_it_is_allowed_and_nothing_beside() {
        let rights = vec![Right::Read("/etc/acme".into()), Right::Variable("ACME".to_owned())];
        let plugin = Grants::Rights(rights);
        for (path, allowed) in [
            ("/etc/acme", true),
            ("/etc/acme/key", true),
            ("/etc/acme2", false),
            ("/etc/acme/../shadow", false),
            ("/etc", false),
            ("acme", false),
        ] {
            assert_eq!(plugin.file(Path::new(path)).is_ok(), allowed, "{path}");
            assert!(Grants::All.file(Path::new(path)).is_ok());
        }
        assert!(plugin.variable("ACME").is_ok() && plugin.variable("ACME2").is_err());
        assert!(plugin.program().is_err() && Grants::All.program().is_ok());
        let error = plugin.variable("HOME").unwrap_err();
        assert!(error.message().contains("allow = [\"env:HOME\"]"), "{error}");
    }
}
