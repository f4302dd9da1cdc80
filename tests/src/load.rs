//! Clients that call without a pause, and keep book of what came of each call.

use std::collections::BTreeMap;
use std::io::{self, BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

/// A connection of plain HTTP/1.1, without any help.
#[derive(Debug)]
pub struct Line(BufReader<TcpStream>);

/// What came back.
#[derive(Clone, Debug, Default)]
pub struct Answered {
    /// The status.
    pub status: u16,
    /// Names in lower case, and values.
    pub headers: Vec<(String, String)>,
    /// The body.
    pub body: String,
}

impl Answered {
    /// The first value of a header, whose name is given in lower case.
    pub fn header(&self, name: &str) -> &str {
        self.headers.iter().find(|(given, _)| given == name).map_or("", |(_, value)| value)
    }
}

impl Line {
    /// Connects.
    ///
    /// # Errors
    /// If nobody listens there.
    pub fn connect(address: SocketAddr) -> io::Result<Self> {
        let stream = TcpStream::connect_timeout(&address, Duration::from_secs(5))?;
        stream.set_read_timeout(Some(Duration::from_secs(30)))?;
        stream.set_nodelay(true)?;
        Ok(Self(BufReader::new(stream)))
    }

    /// Sends a request; `headers` are whole lines, each with its end.
    ///
    /// # Errors
    /// If the connection is gone.
    pub fn send(&mut self, method: &str, path: &str, headers: &str, body: &str) -> io::Result<()> {
        let stream = self.0.get_mut();
        let host = stream.peer_addr()?;
        let length = match body.len() {
            0 => String::new(),
            length => format!("Content-Length: {length}\r\n"),
        };
        stream.write_all(
            format!("{method} {path} HTTP/1.1\r\nHost: {host}\r\n{headers}{length}\r\n{body}").as_bytes(),
        )
    }

    /// Reads an answer, whole.
    ///
    /// # Errors
    /// If it does not come, or not whole.
    pub fn answer(&mut self) -> io::Result<Answered> {
        let status = self.line()?;
        let status = status.split(' ').nth(1).and_then(|status| status.parse().ok());
        let mut answer =
            Answered { status: status.ok_or(io::Error::other("no status"))?, ..Answered::default() };
        loop {
            let line = self.line()?;
            let Some((name, value)) = line.split_once(':') else { break };
            answer.headers.push((name.to_ascii_lowercase(), value.trim().to_owned()));
        }
        let mut body = Vec::new();
        if answer.header("transfer-encoding") == "chunked" {
            loop {
                let size = self.line()?;
                let size = usize::from_str_radix(&size, 16).map_err(io::Error::other)?;
                self.read(size, &mut body)?;
                self.line()?;
                if size == 0 {
                    break;
                }
            }
        } else {
            let length = answer.header("content-length").parse();
            self.read(length.map_err(|_| io::Error::other("no length"))?, &mut body)?;
        }
        answer.body = String::from_utf8_lossy(&body).into_owned();
        Ok(answer)
    }

    /// Sends a request and reads its answer.
    ///
    /// # Errors
    /// If one of the two is not possible.
    pub fn call(&mut self, method: &str, path: &str, headers: &str, body: &str) -> io::Result<Answered> {
        self.send(method, path, headers, body)?;
        self.answer()
    }

    /// Whether there is something to read that nobody asked for.
    pub fn says_more(&mut self) -> bool {
        if !self.0.buffer().is_empty() {
            return true;
        }
        let stream = self.0.get_mut();
        let _ = stream.set_nonblocking(true);
        let more = stream.peek(&mut [0]).is_ok_and(|count| count > 0);
        let _ = stream.set_nonblocking(false);
        more
    }

    /// Waits until the other side ends the connection; what it says before that is returned.
    pub fn rest(&mut self) -> String {
        let mut rest = Vec::new();
        let _ = self.0.read_to_end(&mut rest);
        String::from_utf8_lossy(&rest).into_owned()
    }

    fn line(&mut self) -> io::Result<String> {
        let mut line = String::new();
        if self.0.read_line(&mut line)? == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        Ok(line.trim_end().to_owned())
    }

    fn read(&mut self, size: usize, into: &mut Vec<u8>) -> io::Result<()> {
        let start = into.len();
        into.resize(start + size, 0);
        self.0.read_exact(&mut into[start..])
    }
}

/// How a client treats its connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Habit {
    /// One for all of its calls, as long as it lasts.
    Keeps,
    /// One for each call.
    Fresh,
}

/// Clients that call until they are told to [`finish`](Load::finish), by `GET` and `POST` in turn, each call with an
/// `X-Id` of its own, which a [`Ledger`](crate::ledger::Ledger) gives back.
#[derive(Debug)]
pub struct Load {
    stop: Arc<AtomicBool>,
    well: Arc<AtomicUsize>,
    clients: Vec<JoinHandle<Outcome>>,
}

/// What came of all calls.
#[derive(Debug, Default)]
pub struct Outcome {
    /// How many had the answer that was meant for them.
    pub well: usize,
    /// How many had an answer of another status.
    pub statuses: BTreeMap<u16, usize>,
    /// How many had none.
    pub broken: BTreeMap<String, usize>,
    /// Answers to another call, and answers that nobody asked for.
    pub astray: Vec<String>,
}

impl Load {
    /// Starts a client for each habit, which calls below `path`.
    pub fn start(address: SocketAddr, path: &'static str, habits: &[Habit]) -> Self {
        let (stop, well) = (Arc::<AtomicBool>::default(), Arc::<AtomicUsize>::default());
        let clients = habits.iter().enumerate().map(|(client, habit)| {
            let (stop, well, habit) = (Arc::clone(&stop), Arc::clone(&well), *habit);
            std::thread::spawn(move || {
                let mut outcome = Outcome::default();
                let mut kept = None;
                let mut number = 0;
                while !stop.load(Ordering::Relaxed) {
                    let id = format!("{client}-{number}");
                    number += 1;
                    match one(address, path, &id, number, &mut kept) {
                        Ok(None) => {
                            outcome.well += 1;
                            well.fetch_add(1, Ordering::Relaxed);
                        }
                        Ok(Some(Wrong::Status(status))) => *outcome.statuses.entry(status).or_default() += 1,
                        Ok(Some(Wrong::Astray(words))) => outcome.astray.push(words),
                        Err(error) => {
                            kept = None;
                            *outcome.broken.entry(error.kind().to_string()).or_default() += 1;
                            // Nobody listens for a while: not to be knocked at in a busy loop.
                            std::thread::sleep(Duration::from_millis(2));
                        }
                    }
                    if habit == Habit::Fresh {
                        kept = None;
                    }
                }
                outcome
            })
        });
        let clients = clients.collect();
        Self { stop, well, clients }
    }

    /// Returns when so many more calls went well.
    ///
    /// # Panics
    /// If they do not in time.
    pub fn wait_for(&self, more: usize) {
        let until = Instant::now() + Duration::from_secs(30);
        let target = self.well.load(Ordering::Relaxed) + more;
        while self.well.load(Ordering::Relaxed) < target {
            assert!(Instant::now() < until, "calls do not go well any more");
            std::thread::sleep(Duration::from_millis(1));
        }
    }

    /// Has them finish the calls that are under way.
    pub fn finish(self) -> Outcome {
        self.stop.store(true, Ordering::Relaxed);
        let mut all = Outcome::default();
        for client in self.clients {
            let one = client.join().unwrap();
            all.well += one.well;
            all.astray.extend(one.astray);
            for (status, count) in one.statuses {
                *all.statuses.entry(status).or_default() += count;
            }
            for (kind, count) in one.broken {
                *all.broken.entry(kind).or_default() += count;
            }
        }
        all
    }
}

enum Wrong {
    Status(u16),
    Astray(String),
}

fn one(
    address: SocketAddr,
    path: &str,
    id: &str,
    number: usize,
    kept: &mut Option<Line>,
) -> io::Result<Option<Wrong>> {
    if kept.is_none() {
        *kept = Some(Line::connect(address)?);
    }
    let Some(line) = kept else { return Ok(None) };
    let (method, body) = if number.is_multiple_of(2) { ("GET", "") } else { ("POST", "{}") };
    let answer = line.call(method, &format!("{path}/{id}"), &format!("X-Id: {id}\r\n"), body)?;
    let more = line.says_more();
    let gave = answer.header("x-id");
    if more || (!gave.is_empty() && gave != id) || (answer.status == 200 && answer.body != id) {
        return Ok(Some(Wrong::Astray(format!("{id} was answered {answer:?}, and more: {more}"))));
    }
    if answer.header("connection") == "close" {
        *kept = None;
    }
    Ok((answer.status != 200).then_some(Wrong::Status(answer.status)))
}
