use std::cell::{Cell, RefCell};
use std::net::SocketAddr;
use std::rc::Rc;

use bytes::BytesMut;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::spawn_local;

/// A server that does to its connections what a test says.
pub(super) struct Server {
    address: SocketAddr,
    accepted: Rc<Cell<usize>>,
    heads: Rc<RefCell<Vec<String>>>,
}

/// One of its connections; dropped, it is closed.
pub(super) struct Conn {
    stream: TcpStream,
    read: BytesMut,
    heads: Rc<RefCell<Vec<String>>>,
}

impl Server {
    /// `serve` gets each connection with its number, from 1.
    pub(super) async fn start<F>(serve: impl Fn(usize, Conn) -> F + 'static) -> Self
    where
        F: Future<Output = ()> + 'static,
    {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let (accepted, heads) = (Rc::new(Cell::new(0)), Rc::new(RefCell::new(Vec::new())));
        let (count, seen) = (accepted.clone(), heads.clone());
        spawn_local(async move {
            while let Ok((stream, _)) = listener.accept().await {
                count.set(count.get() + 1);
                let conn = Conn { stream, read: BytesMut::new(), heads: seen.clone() };
                spawn_local(serve(count.get(), conn));
            }
        });
        Self { address, accepted, heads }
    }

    /// Gives every request this answer.
    pub(super) async fn answering(answer: &'static str) -> Self {
        Self::start(move |_, mut conn| async move {
            while conn.request().await.is_some() {
                conn.say(answer).await;
            }
        })
        .await
    }

    pub(super) fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// How many connections came.
    pub(super) fn accepted(&self) -> usize {
        self.accepted.get()
    }

    /// The heads of the requests that came.
    pub(super) fn heads(&self) -> Vec<String> {
        self.heads.borrow().clone()
    }
}

impl Conn {
    /// The next request's head, nothing at the end of the connection.
    pub(super) async fn head(&mut self) -> Option<String> {
        loop {
            if let Some(end) = self.read.windows(4).position(|four| four == b"\r\n\r\n") {
                let head = String::from_utf8(self.read.split_to(end + 4).to_vec()).unwrap();
                self.heads.borrow_mut().push(head.clone());
                return Some(head);
            }
            if !matches!(self.stream.read_buf(&mut self.read).await, Ok(1..)) {
                return None;
            }
        }
    }

    /// The next request's head and its body, whose length is told.
    pub(super) async fn request(&mut self) -> Option<(String, Vec<u8>)> {
        let head = self.head().await?;
        let length = head.lines().find_map(|line| line.strip_prefix("content-length: "));
        let body = self.bytes(length.map_or(0, |length| length.parse().unwrap())).await;
        Some((head, body))
    }

    pub(super) async fn bytes(&mut self, count: usize) -> Vec<u8> {
        while self.read.len() < count {
            assert!(
                self.stream.read_buf(&mut self.read).await.unwrap() > 0,
                "the request's body is cut short"
            );
        }
        self.read.split_to(count).to_vec()
    }

    pub(super) async fn say(&mut self, text: impl AsRef<[u8]>) {
        self.stream.write_all(text.as_ref()).await.unwrap();
    }

    /// Takes so many bytes while it says as much and some text before it, neither waiting for the other.
    pub(super) async fn both(&mut self, text: impl AsRef<[u8]>, count: usize) {
        let mut left = count - self.read.len();
        let (mut input, mut output) = self.stream.split();
        let hear = async {
            let mut heard = vec![0; 65536];
            while left > 0 {
                left -= input.read(&mut heard).await.unwrap();
            }
        };
        let say = async {
            output.write_all(text.as_ref()).await.unwrap();
            output.write_all(&vec![b'x'; count]).await.unwrap();
        };
        tokio::join!(hear, say);
        self.closed().await;
    }

    /// Ends what is said, and goes on listening.
    pub(super) async fn say_no_more(&mut self) {
        self.stream.shutdown().await.unwrap();
    }

    /// Waits for the other side to close, whatever it still says.
    pub(super) async fn closed(&mut self) {
        let mut rest = [0; 65536];
        while matches!(self.stream.read(&mut rest).await, Ok(1..)) {}
    }
    /// Passes everything on, in both directions.
    pub(super) async fn become_one_with(mut self, mut other: TcpStream) {
        let _ = tokio::io::copy_bidirectional(&mut self.stream, &mut other).await;
    }
}
