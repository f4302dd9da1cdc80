use std::env;

use countersign::Error;
use listenfd::ListenFd;
use socket2::SockRef;

use super::{Bound, Socket};

/// Listening sockets that whoever started the process has opened: the protocol of sd_listen_fds(3), by which systemd
/// and others hand them over.
///
/// They stay open as long as this lives, so that a reload can ask for them again.
#[derive(Debug, Default)]
pub(crate) struct Inherited(Vec<Named>);

#[derive(Debug)]
struct Named {
    name: String,
    socket: Socket,
}

impl Inherited {
    /// None at all.
    pub(crate) const fn none() -> Self {
        Self(Vec::new())
    }

    /// Takes over what the environment (`LISTEN_PID`, `LISTEN_FDS`, `LISTEN_FDNAMES`) says, and takes it out of the
    /// environment.
    ///
    /// Call it once, before the process has a second thread: others may read the environment meanwhile.
    ///
    /// # Errors
    /// [`Config`](countersign::ErrorKind::Config) when one of them is no stream socket that listens.
    pub(crate) fn from_env() -> Result<Self, Error> {
        // Without a process id, or with another's, they are not meant for us, and may be anything.
        let ours = env::var("LISTEN_PID").is_ok_and(|pid| pid.parse() == Ok(std::process::id()));
        let names = env::var("LISTEN_FDNAMES").unwrap_or_default();
        if !ours {
            return Ok(Self::none());
        }
        let mut passed = ListenFd::from_env();
        let mut names = names.split(':');
        let sockets = (0..passed.len()).map(|index| {
            let name = names.next().unwrap_or_default().to_owned();
            let socket = take(&mut passed, index).ok_or_else(|| {
                Error::config(format!(
                    "inherited socket {index} `{name}` is no stream socket that listens; in its unit, use ListenStream="
                ))
            })?;
            Ok(Named { name, socket })
        });
        Ok(Self(sockets.collect::<Result<_, Error>>()?))
    }

    /// Those of a name (`FileDescriptorName=` of the socket's unit).
    pub(super) fn of_name(&self, name: &str) -> Result<Vec<Bound>, Error> {
        self.those(|known| known == name, &format!("no socket of the name `{name}` was inherited"))
    }

    /// Those whose name nobody asks for.
    pub(super) fn of_no_name(&self, named: &[&str]) -> Result<Vec<Bound>, Error> {
        self.those(|known| !named.contains(&known), "no socket was inherited")
    }

    fn those(&self, wanted: impl Fn(&str) -> bool, none: &str) -> Result<Vec<Bound>, Error> {
        let wanted = self.0.iter().filter(|known| wanted(&known.name));
        let bound = wanted.map(|known| known.socket.try_clone().map(|socket| Bound { socket, file: None }));
        let bound: Vec<Bound> = bound
            .collect::<Result<_, _>>()
            .map_err(|error| Error::config(format!("cannot take an inherited socket once more: {error}")))?;
        if !bound.is_empty() {
            return Ok(bound);
        }
        let known: Vec<String> = self.0.iter().map(|known| format!("`{}`", known.name)).collect();
        let known = match known.as_slice() {
            [] => "start the program by its systemd socket unit, or write an address".to_owned(),
            known => format!("there are {}", known.join(", ")),
        };
        Err(Error::config(format!("{none}; {known}")))
    }
}

fn take(passed: &mut ListenFd, index: usize) -> Option<Socket> {
    let tcp = passed.take_tcp_listener(index).ok().flatten();
    let socket = match tcp {
        Some(listener) => Socket::Tcp(listener),
        None => Socket::Unix(passed.take_unix_listener(index).ok().flatten()?),
    };
    let (listens, non_blocking) = match &socket {
        Socket::Tcp(listener) => (SockRef::from(listener).is_listener(), listener.set_nonblocking(true)),
        Socket::Unix(listener) => (SockRef::from(listener).is_listener(), listener.set_nonblocking(true)),
    };
    (listens.ok()? && non_blocking.is_ok()).then_some(socket)
}

#[cfg(test)]
mod tests {
    use std::net::TcpListener;
    use std::os::fd::OwnedFd;
    use std::os::unix::net::UnixStream;
    use std::process::{Command, Output, Stdio};

    use super::super::{Listen, bind};
    use super::*;

    /// Runs one of the tests below in a process of its own that inherits a socket as descriptor 3, and its double as 4.
    fn inheriting(test: &str, socket: OwnedFd, environment: &str) -> Output {
        let script = format!("exec 3<&0 4<&0 </dev/null; export {environment}; exec \"$0\" \"$@\"");
        Command::new("sh")
            .args(["-c", &script])
            .arg(env::current_exe().unwrap())
            .args(["--exact", &format!("{}::{test}", module_path!().split_once("::").unwrap().1)])
            .args(["--nocapture", "--test-threads=1"])
            .env("COUNTERSIGN_TEST_INHERITS", test)
            .stdin(Stdio::from(socket))
            .output()
            .unwrap()
    }

    fn is_heir(test: &str) -> bool {
        env::var("COUNTERSIGN_TEST_INHERITS").is_ok_and(|heir| heir == test)
    }

    fn assert_ran(output: &Output) {
        let text = format!("{output:?}");
        assert!(output.status.success() && text.contains("1 passed"), "{text}");
    }

    fn listener() -> (OwnedFd, std::net::SocketAddr) {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        (listener.into(), address)
    }

    #[test]
    fn sockets_are_inherited_by_name_and_the_others_without() {
        const TEST: &str = "sockets_are_inherited_by_name_and_the_others_without";
        if !is_heir(TEST) {
            let (socket, address) = listener();
            let environment =
                format!("LISTEN_PID=$$ LISTEN_FDS=2 LISTEN_FDNAMES=proxy:orders TEST_ADDRESS={address}");
            assert_ran(&inheriting(TEST, socket, &environment));
            return;
        }
        let inherited = Inherited::from_env().unwrap();
        assert_eq!(env::var("LISTEN_FDS"), Err(env::VarError::NotPresent));
        let address = env::var("TEST_ADDRESS").unwrap();
        for _ in 0..2 {
            let orders = bind(&Listen::Inherited(Some("orders".into())), &inherited, &["orders"]).unwrap();
            assert_eq!(orders.iter().map(ToString::to_string).collect::<Vec<_>>(), [&*address]);
            assert_eq!(bind(&Listen::Inherited(None), &inherited, &["orders"]).unwrap().len(), 1);
            assert_eq!(bind(&Listen::Inherited(None), &inherited, &[]).unwrap().len(), 2);
        }
        let missing = bind(&Listen::Inherited(Some("crm".into())), &inherited, &["crm"]).unwrap_err();
        let said = "no socket of the name `crm` was inherited; there are `proxy`, `orders`";
        assert_eq!(missing.to_string(), said);
        assert_eq!(Inherited::from_env().unwrap().0.len(), 0);
    }

    #[test]
    fn sockets_that_are_meant_for_another_process_are_left_alone() {
        const TEST: &str = "sockets_that_are_meant_for_another_process_are_left_alone";
        if !is_heir(TEST) {
            assert_ran(&inheriting(TEST, listener().0, "LISTEN_PID=1 LISTEN_FDS=1"));
            assert_ran(&inheriting(TEST, listener().0, "LISTEN_FDS=1"));
            return;
        }
        assert_eq!(Inherited::from_env().unwrap().0.len(), 0);
    }

    #[test]
    fn a_descriptor_that_does_not_listen_is_said_to_be_wrong() {
        const TEST: &str = "a_descriptor_that_does_not_listen_is_said_to_be_wrong";
        if !is_heir(TEST) {
            let (connected, _other) = UnixStream::pair().unwrap();
            assert_ran(&inheriting(TEST, connected.into(), "LISTEN_PID=$$ LISTEN_FDS=1 LISTEN_FDNAMES=a"));
            return;
        }
        let said = Inherited::from_env().unwrap_err().to_string();
        assert!(said.contains("inherited socket 0 `a` is no stream socket that listens"), "{said}");
    }

    #[test]
    fn without_inheritance_the_way_out_is_told() {
        let said = bind(&Listen::Inherited(None), &Inherited::none(), &[]).unwrap_err().to_string();
        assert!(said.contains("start the program by its systemd socket unit"), "{said}");
    }
}
