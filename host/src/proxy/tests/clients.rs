use std::io::Write;

use super::{Running, head, say, taken, until, upstream};

#[test]
fn a_client_that_takes_nothing_of_its_answer_is_let_go() {
    let upstream = upstream();
    let running = Running::new(&upstream, "", "idle_timeout = '1s'");
    let mut client = running.connect();
    say(&mut client, &running.head(""));
    let (mut server, _) = taken(&upstream);
    say(&mut server, "HTTP/1.1 200 OK\r\ncontent-length: 1000000000\r\n\r\n");
    server.set_write_timeout(Some(std::time::Duration::from_secs(8))).unwrap();
    // Until nobody takes any more of it.
    let block = vec![b'x'; 1 << 20];
    while server.write_all(&block).is_ok() {}
    until("the call goes on", || running.connections() == 0);
}

#[test]
fn a_tunnel_is_a_connection_of_the_client() {
    let upstream = upstream();
    let limits = "limits = { max_connections = 1 }";
    let running = Running::new(&upstream, limits, "");
    let mut client = running.connect();
    say(&mut client, &running.head("Connection: upgrade\r\nUpgrade: websocket\r\n"));
    let (mut server, _) = taken(&upstream);
    say(&mut server, "HTTP/1.1 101 Switching Protocols\r\nconnection: upgrade\r\nupgrade: websocket\r\n\r\n");
    assert!(head(&mut client).starts_with("HTTP/1.1 101 "));
    say(&mut client, "ping\r\n\r\n");
    assert_eq!(head(&mut server), "ping\r\n\r\n");
    std::thread::sleep(std::time::Duration::from_millis(100));
    assert_eq!(running.connections(), 1);
    drop((server, client));
    until("the tunnel stays", || running.connections() == 0);
}
