//! What can be known without serving of the files that `serve` needs: the token's, and those of unix sockets. Nothing is
//! made, nothing is opened for writing, and nobody is connected to. The proxy itself looks again when it opens them.

use std::fs::{self, Metadata};
use std::io;
use std::os::unix::fs::FileTypeExt;
use std::path::Path;

use rustix::fs::Access as Right;

use crate::config::{Access, ConnectorConfig, Finding, Findings, Listen, ServeConfig, Site};
use crate::proxy::token::{Token, Unusable};

/// What would keep `serve` from its token file and from its unix sockets, were this user to start it now.
///
/// What `serve` would make is not missed, and a socket that is there is not: a proxy may be running. A folder below `/run`
/// that is not there is a warning, for service managers make those when they start a service.
pub(crate) fn faults(serve: &ServeConfig, connectors: &[ConnectorConfig]) -> Findings {
    let mut findings = Findings::new();
    let mut look = |site: &Site, field: &str, fault: Result<(), Fault>| {
        if let Err(fault) = fault {
            findings.push(fault.at(site, field));
        }
    };
    let own = connectors.iter().filter_map(|connector| Some((connector, connector.serve.listen.as_ref()?)));
    // Whoever asks for a token on an inherited socket expects TCP of it.
    let may_be_tcp = |listen: &Listen| !matches!(listen, Listen::Unix(_));
    let over_tcp = serve.listen.iter().any(may_be_tcp) || own.clone().any(|(_, listen)| may_be_tcp(listen));
    if over_tcp && serve.access == Some(Access::Token) {
        look(&serve.site, "token_file", token(&serve.token_file));
    }
    for (index, listen) in serve.listen.iter().enumerate() {
        let field = format!("listen[{index}]");
        // One address may stand there without an array around it.
        let field = if serve.site.node(&field).is_ok() { &field } else { "listen" };
        look(&serve.site, field, socket(listen));
    }
    if let Some(admin) = &serve.admin {
        look(&serve.site, "admin", socket(admin));
    }
    for (connector, listen) in own {
        look(&connector.site, "listen", socket(listen));
    }
    findings
}

/// What is wrong, and the way out.
struct Fault {
    what: String,
    help: Option<&'static str>,
    /// Whether it need not be so for whoever starts the proxy.
    may_pass: bool,
}

impl Fault {
    fn new(what: impl Into<String>) -> Self {
        Self { what: what.into(), help: None, may_pass: false }
    }

    fn help(mut self, help: &'static str) -> Self {
        self.help = Some(help);
        self
    }

    fn may_pass(mut self) -> Self {
        self.may_pass = true;
        self
    }

    fn at(self, site: &Site, field: &str) -> Finding {
        let finding = site.finding_at(field, self.what);
        let finding = if self.may_pass { finding.as_warning() } else { finding };
        match self.help {
            Some(help) => finding.with_help(help),
            None => finding,
        }
    }
}

fn token(path: &Path) -> Result<(), Fault> {
    match Token::read(path) {
        Ok(Some(_)) => Ok(()),
        Ok(None) => folder_of(path).map_err(|fault| Fault {
            what: format!("the token file {} cannot be made: {}", path.display(), fault.what),
            ..fault
        }),
        Err(why) => {
            let fault = Fault::new(format!("the token file {} {why}", path.display())).help(why.help());
            // Whoever checks may be another than whoever serves.
            Err(if matches!(why, Unusable::Anothers) { fault.may_pass() } else { fault })
        }
    }
}

fn socket(listen: &Listen) -> Result<(), Fault> {
    let Listen::Unix(path) = listen else { return Ok(()) };
    let wrong = |what: &str| format!("cannot listen on {listen}: {what}");
    if fs::symlink_metadata(path).is_ok_and(|found| !found.file_type().is_socket()) {
        let what = wrong("there is a file that is no socket");
        return Err(Fault::new(what).help("move it away, or choose another path"));
    }
    folder_of(path).map_err(|fault| Fault { what: wrong(&fault.what), ..fault })
}

/// Whether files can be made in the folder of a path.
fn folder_of(path: &Path) -> Result<(), Fault> {
    let folder = match path.parent() {
        Some(folder) if folder != Path::new("") => folder,
        _ => Path::new("."),
    };
    let shown = folder.display();
    match fs::metadata(folder).as_ref().map(Metadata::is_dir) {
        Ok(true) => {}
        Ok(false) => return Err(Fault::new(format!("{shown} is no folder")).help("choose another path")),
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            let fault = Fault::new(format!("there is no folder {shown}"));
            let transient = ["/run", "/var/run"].iter().any(|run| folder.starts_with(run));
            return Err(if transient {
                fault
                    .help("have the service manager make it (`RuntimeDirectory=`), or make it, for this user alone")
                    .may_pass()
            } else {
                fault.help("make it, for this user alone, or choose another path")
            });
        }
        Err(error) => return Err(Fault::new(format!("the folder {shown} cannot be looked at: {error}"))),
    }
    // As the effective user, whom files are made by.
    let rights = (Right::WRITE_OK | Right::EXEC_OK, rustix::fs::AtFlags::EACCESS);
    rustix::fs::accessat(rustix::fs::CWD, folder, rights.0, rights.1).map_err(|error| {
        Fault::new(format!("this user may not make files in {shown}: {}", io::Error::from(error)))
            .help("let the user who runs `serve` write there, or choose another path")
    })
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;
    use std::os::unix::net::UnixListener;

    use super::*;
    use crate::Setup;

    fn said(folder: &Path, config: &str) -> String {
        let path = folder.join("countersign.toml");
        fs::write(&path, config).unwrap();
        let before = names(folder);
        let said = Setup::read(&path).unwrap().serve_faults().to_string();
        assert_eq!(names(folder), before, "looking makes nothing");
        said.replace(&format!("{}/", folder.display()), "").replace(&*folder.to_string_lossy(), "HERE")
    }

    fn names(folder: &Path) -> Vec<std::ffi::OsString> {
        let mut names: Vec<_> =
            fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().file_name()).collect();
        names.sort();
        names
    }

    const TOKEN: &str = "[serve]\nlisten = '127.0.0.1:0'\naccess = 'token'\n";

    #[test]
    fn what_serve_would_make_is_not_missed() {
        let folder = tempfile::tempdir().unwrap();
        assert_eq!(said(folder.path(), TOKEN), "");
        assert_eq!(said(folder.path(), "[serve]\nlisten = ['unix:a.sock', 'unix:b.sock']\n"), "");
        assert_eq!(said(folder.path(), ""), "", "nothing is served");
        let unused = "[serve]\nlisten = 'unix:a.sock'\ntoken_file = 'none/token'\n";
        assert_eq!(said(folder.path(), unused), "", "nobody comes over TCP");
    }

    #[test]
    fn a_folder_that_is_not_there_is_told() {
        let folder = tempfile::tempdir().unwrap();
        assert_eq!(
            said(folder.path(), &format!("{TOKEN}token_file = 'none/token'\n")),
            "countersign.toml:4:14: serve.token_file: the token file none/token cannot be made: there is no folder none\n  \
             help: make it, for this user alone, or choose another path"
        );
        assert_eq!(
            said(folder.path(), "[serve]\nlisten = ['unix:a.sock', 'unix:none/b.sock']\n"),
            "countersign.toml:2:26: serve.listen[1]: cannot listen on unix:none/b.sock: there is no folder none\n  \
             help: make it, for this user alone, or choose another path"
        );
        let of_its_own = "[serve]\nlisten = 'unix:a.sock'\nadmin = 'unix:none/admin.sock'\n\
                          [connectors.a]\nbase_url = 'https://a.example'\nprofiles = ['p']\n\
                          listen = 'unix:none/a.sock'\n\
                          [profiles.p]\ntype = 'api-key'\nheaders = { X-N = 'none' }\n";
        let said = said(folder.path(), of_its_own);
        assert!(said.contains("countersign.toml:3:9: serve.admin: "), "{said}");
        assert!(said.contains("countersign.toml:7:10: connectors.a.listen: "), "{said}");
    }

    #[test]
    fn a_folder_that_service_managers_make_is_a_warning() {
        let folder = tempfile::tempdir().unwrap();
        let said = said(folder.path(), "[serve]\nlisten = 'unix:/run/countersign-of-nobody/a.sock'\n");
        assert!(
            said.starts_with("countersign.toml:2:10: warning: serve.listen: cannot listen on "),
            "{said}"
        );
        assert!(said.contains("RuntimeDirectory="), "{said}");
    }

    #[test]
    fn a_file_in_the_way_is_told_and_a_socket_is_not() {
        let folder = tempfile::tempdir().unwrap();
        let config = "[serve]\nlisten = 'unix:a.sock'\n";
        let _proxy = UnixListener::bind(folder.path().join("a.sock")).unwrap();
        assert_eq!(said(folder.path(), config), "");
        fs::remove_file(folder.path().join("a.sock")).unwrap();
        fs::write(folder.path().join("a.sock"), "precious").unwrap();
        let said = said(folder.path(), config);
        assert!(
            said.contains("serve.listen: cannot listen on unix:a.sock: there is a file that is no socket"),
            "{said}"
        );
    }

    #[test]
    fn a_token_file_that_serve_would_refuse_is_told_without_what_it_holds() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("countersign.token");
        let good = "0123456789abcdef0123456789abcdef\n";
        for (text, mode, what) in [
            (good, 0o640, "can be read or written by others"),
            ("", 0o600, "holds no token"),
            ("canary\n", 0o600, "holds no token"),
            ("two lines of a length\nthat would do for a token\n", 0o600, "holds no token"),
        ] {
            fs::write(&path, text).unwrap();
            fs::set_permissions(&path, fs::Permissions::from_mode(mode)).unwrap();
            let said = said(folder.path(), TOKEN);
            let start =
                format!("countersign.toml:1:1: serve.token_file: the token file countersign.token {what}");
            assert!(said.starts_with(&start), "{said}");
            assert!(!said.contains("canary"), "{said}");
        }
        fs::write(&path, good).unwrap();
        assert_eq!(said(folder.path(), TOKEN), "");
        fs::remove_file(&path).unwrap();
        fs::create_dir(&path).unwrap();
        assert!(said(folder.path(), TOKEN).contains("is not a file"));
    }

    #[test]
    fn a_folder_that_this_user_may_not_write_to_is_told() {
        let folder = tempfile::tempdir().unwrap();
        let locked = folder.path().join("locked");
        fs::create_dir(&locked).unwrap();
        fs::set_permissions(&locked, fs::Permissions::from_mode(0o500)).unwrap();
        let said = said(folder.path(), &format!("{TOKEN}token_file = 'locked/token'\n"));
        // Root may write everywhere.
        if !rustix::process::geteuid().is_root() {
            assert!(said.contains("this user may not make files in locked"), "{said}");
        }
    }
}
