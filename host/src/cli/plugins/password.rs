use std::fs::{File, OpenOptions};
use std::io::{Read, Write as _};
use std::path::Path;

use rustix::termios::{LocalModes, OptionalActions, Termios, tcgetattr, tcsetattr};
use zeroize::Zeroizing;

use crate::cli::Failure;

/// For those who cannot be asked.
const VARIABLE: &str = "COUNTERSIGN_KEY_PASSWORD";
const MOST: usize = 1024;

/// The password of a key that is there: from a file, the environment, or the terminal.
pub(super) fn known(file: Option<&Path>) -> Result<Zeroizing<Vec<u8>>, Failure> {
    match given(file)? {
        Some(password) => Ok(password),
        None => Terminal::open()?.ask("Password of the key: "),
    }
}

/// A password for a new key; one that is typed is typed twice.
pub(super) fn new(file: Option<&Path>) -> Result<Zeroizing<Vec<u8>>, Failure> {
    let password = match given(file)? {
        Some(password) => password,
        None => {
            let mut terminal = Terminal::open()?;
            let password = terminal.ask("Password for the new key: ")?;
            if terminal.ask("The same again: ")? != password {
                return Err(Failure::Words(
                    "the two passwords are not the same; nothing was written".to_owned(),
                ));
            }
            password
        }
    };
    if password.is_empty() {
        let words = "the password is empty; for a key without one, give `--no-password`";
        return Err(Failure::Words(words.to_owned()));
    }
    Ok(password)
}

fn given(file: Option<&Path>) -> Result<Option<Zeroizing<Vec<u8>>>, Failure> {
    if let Some(path) = file {
        let opened = File::open(path);
        let words =
            |error: std::io::Error| Failure::Words(format!("cannot read {}: {error}", path.display()));
        return line(&mut opened.map_err(words)?).map_err(words).map(Some);
    }
    let value = std::env::var_os(VARIABLE).map(std::os::unix::ffi::OsStringExt::into_vec);
    Ok(value.map(Zeroizing::new))
}

/// The terminal of this process, whatever its standard input is.
struct Terminal {
    device: File,
    before: Termios,
}

impl Terminal {
    fn open() -> Result<Self, Failure> {
        let device = OpenOptions::new().read(true).write(true).open("/dev/tty");
        let terminal = device.and_then(|device| {
            let before = tcgetattr(&device)?;
            let mut quiet = before.clone();
            quiet.local_modes -= LocalModes::ECHO;
            quiet.local_modes |= LocalModes::ECHONL | LocalModes::ICANON | LocalModes::ISIG;
            tcsetattr(&device, OptionalActions::Flush, &quiet)?;
            Ok(Self { device, before })
        });
        terminal.map_err(|_| {
            Failure::Words(format!(
                "there is no terminal to ask for the password; give `--password-file FILE` or {VARIABLE}"
            ))
        })
    }

    fn ask(&mut self, question: &str) -> Result<Zeroizing<Vec<u8>>, Failure> {
        let asked = self.device.write_all(question.as_bytes()).and_then(|()| line(&mut self.device));
        asked.map_err(|error| Failure::Words(format!("cannot ask for the password: {error}")))
    }
}

impl Drop for Terminal {
    fn drop(&mut self) {
        // The terminal may be gone; then there is nothing to set right.
        let _ = tcsetattr(&self.device, OptionalActions::Flush, &self.before);
    }
}

/// The first line, without its end.
fn line(source: &mut impl Read) -> std::io::Result<Zeroizing<Vec<u8>>> {
    let (mut line, mut byte) = (Zeroizing::new(Vec::with_capacity(MOST)), Zeroizing::new([0]));
    while source.read(&mut *byte)? == 1 && byte[0] != b'\n' {
        if line.len() == MOST {
            return Err(std::io::Error::other("a password has at most 1024 bytes"));
        }
        line.push(byte[0]);
    }
    if line.last() == Some(&b'\r') {
        line.pop();
    }
    Ok(line)
}
