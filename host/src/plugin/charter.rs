//! What a host hands to a process that it started for a plugin: the judged bytes, and what it may do.
//!
//! It crosses the stream before the first line of the protocol: its length (four bytes, big-endian) together with two
//! descriptors, of the bytes and of a pipe whose other end is closed when the process is to end, then as many bytes of
//! JSON.

use std::io::{self, IoSlice, IoSliceMut};
use std::mem::MaybeUninit;
use std::os::fd::{AsFd, OwnedFd};
use std::path::PathBuf;

use rustix::net::{
    RecvAncillaryBuffer, RecvAncillaryMessage, RecvFlags, SendAncillaryBuffer, SendAncillaryMessage,
    SendFlags,
};
use serde::{Deserialize, Serialize};

use super::settings::Right;

/// The longest charter, in bytes.
const MAX: usize = 64 << 10;

/// What a plugin's process is to be.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Charter {
    /// The version of the host: the worker program must have the same.
    pub(super) host_version: String,
    /// The process that starts it, with which it dies.
    pub(super) host: i32,
    /// What the bytes are.
    pub(super) work: Work,
    /// What the plugin is called, for the list of processes.
    pub(super) name: String,
    /// What it may do beyond computing.
    pub(super) rights: Rights,
    /// The most memory that it may take, in bytes.
    pub(super) memory: u64,
    /// Whether Landlock is there.
    pub(super) landlock: bool,
    /// Whether filters of system calls are there.
    pub(super) filter: bool,
    /// For how long it looks for the next line before it sleeps, in microseconds.
    pub(super) spin: u64,
}

/// What the bytes are.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(super) enum Work {
    /// A library to load, and what its note says.
    Library {
        version: String,
        description: String,
        /// The system's own libraries that it needs: those are not the plugin's code, and are loaded before the sandbox
        /// closes.
        system_libraries: Vec<String>,
        /// It needs others too.
        more_libraries: bool,
    },
    /// A program to become.
    Program,
}

/// What a process may do beyond computing.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Rights {
    pub(super) read: Vec<PathBuf>,
    pub(super) connect: bool,
    pub(super) threads: bool,
}

impl Rights {
    pub(super) fn of(allow: &[Right]) -> Self {
        let mut rights = Self::default();
        for right in allow {
            match right {
                Right::Read(path) => rights.read.push(path.clone()),
                Right::Connect => rights.connect = true,
                Right::Threads => rights.threads = true,
                // The host tells it, when it is asked.
                Right::Variable(_) => {}
            }
        }
        rights
    }
}

impl Charter {
    /// Hands it over, with the judged bytes and the lifeline.
    pub(super) fn send(&self, stream: impl AsFd, judged: impl AsFd, lifeline: impl AsFd) -> io::Result<()> {
        let stream = stream.as_fd();
        let json = serde_json::to_vec(self)?;
        let length = u32::try_from(json.len()).unwrap_or(u32::MAX).to_be_bytes();
        let descriptors = [judged.as_fd(), lifeline.as_fd()];
        let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(2))];
        let mut control = SendAncillaryBuffer::new(&mut space);
        control.push(SendAncillaryMessage::ScmRights(&descriptors));
        // The stream is empty: it takes this much at once.
        let sent = rustix::net::sendmsg(stream, &[IoSlice::new(&length)], &mut control, SendFlags::NOSIGNAL)?;
        if sent == length.len() && rustix::net::send(stream, &json, SendFlags::NOSIGNAL)? == json.len() {
            return Ok(());
        }
        Err(io::ErrorKind::WriteZero.into())
    }

    /// Takes it, on the other side; `None` if the descriptor is not such a stream.
    pub(super) fn receive(stream: impl AsFd) -> Option<(Self, OwnedFd, OwnedFd)> {
        let stream = stream.as_fd();
        let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(2))];
        let mut control = RecvAncillaryBuffer::new(&mut space);
        let mut length = [0; 4];
        let flags = RecvFlags::CMSG_CLOEXEC;
        let got =
            rustix::net::recvmsg(stream, &mut [IoSliceMut::new(&mut length)], &mut control, flags).ok()?;
        let (judged, lifeline) = control.drain().find_map(|message| match message {
            RecvAncillaryMessage::ScmRights(mut descriptors) => descriptors.next().zip(descriptors.next()),
            _ => None,
        })?;
        let length = usize::try_from(u32::from_be_bytes(length)).ok()?;
        if got.bytes != 4 || length > MAX {
            return None;
        }
        let mut json = vec![0; length];
        let mut filled = 0;
        while let Some(rest) = json.get_mut(filled..).filter(|rest| !rest.is_empty()) {
            let (got, _) = rustix::net::recv(stream, rest, RecvFlags::empty()).ok()?;
            if got == 0 {
                return None;
            }
            filled += got;
        }
        Some((serde_json::from_slice(&json).ok()?, judged, lifeline))
    }
}

#[cfg(test)]
mod tests {
    use std::io::Read;

    use rustix::net::{AddressFamily, SocketFlags, SocketType, socketpair};

    use super::*;
    use crate::plugin::sealed::{Use, sealed};

    #[test]
    fn a_charter_crosses_with_its_descriptor_and_takes_nothing_of_what_follows() {
        let (host, worker) =
            socketpair(AddressFamily::UNIX, SocketType::STREAM, SocketFlags::CLOEXEC, None).unwrap();
        let charter = Charter {
            host_version: "1".into(),
            host: 7,
            work: Work::Program,
            name: "acme".into(),
            rights: Rights::of(&[Right::Read("/etc/krb5.conf".into()), Right::Connect]),
            memory: 1 << 20,
            landlock: true,
            filter: true,
            spin: 50,
        };
        let judged = sealed(b"judged", Use::Library).unwrap();
        charter.send(&host, judged, std::io::stderr()).unwrap();
        rustix::io::write(&host, b"{}\n").unwrap();
        let (taken, judged, _) = Charter::receive(&worker).unwrap();
        assert_eq!(taken, charter);
        let mut bytes = vec![0; 6];
        rustix::io::pread(&judged, &mut bytes, 0).unwrap();
        assert_eq!(bytes, b"judged");
        let mut rest = [0; 10];
        let mut worker = std::fs::File::from(worker);
        assert_eq!(worker.read(&mut rest).unwrap(), 3);
    }

    #[test]
    fn what_is_no_such_stream_brings_no_charter() {
        assert_eq!(Charter::receive(std::io::stdin()).map(|_| ()), None);
    }
}
