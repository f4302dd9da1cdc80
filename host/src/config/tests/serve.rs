//! `[serve]`, and what connectors say of calls through the proxy.

use super::*;
use crate::config::{Access, CallerSource, ConnectorServe, Listen, ServeConfig, ServeLimits};
use std::time::Duration;

const BEGINNING: &str = "[profiles.p]\ntype = 'token'\nissuer = 'i'\n";

/// A connector `c`, from line 4 on; what is said of it begins in line 7.
fn connector(name: &str, more: &str) -> String {
    format!("[connectors.{name}]\nbase_url = 'https://{name}.example'\nprofile = 'p'\n{more}")
}

fn read(text: &str) -> (Option<ServeConfig>, Vec<ConnectorServe>) {
    let (config, _) = examine_in(Path::new("/etc/countersign"), &format!("{BEGINNING}{text}")).unwrap();
    (
        config.serve,
        config.connectors.into_iter().map(|connector| ConnectorServe::clone(&connector.serve)).collect(),
    )
}

fn assert_findings(text: &str, expected: &[&str]) {
    let document = Document::parse(Path::new("c.toml"), &format!("{BEGINNING}{text}")).unwrap();
    let said = document.examine(&Known::new()).1.to_string();
    assert_eq!(said.lines().collect::<Vec<_>>(), expected, "\n{text}\n---\n{said}");
}

fn tcp(text: &str) -> Listen {
    Listen::Tcp(text.parse().unwrap())
}

#[test]
fn without_the_table_nothing_is_served() {
    let (serve, connectors) = read(&connector("c", ""));
    assert!(serve.is_none());
    let of = &connectors[0];
    assert!(of.caller.is_empty() && of.listen.is_none() && of.hosts.is_empty() && of.pass_headers.is_empty());
    assert_eq!(of.max_concurrent, 1024);
    assert_eq!((of.connect_timeout, of.idle_timeout), (Duration::from_secs(10), Duration::from_secs(300)));
}

#[test]
fn what_is_not_said_has_a_default() {
    let (serve, _) = read("[serve]\nlisten = 'unix:proxy.sock'\n");
    let serve = serve.unwrap();
    assert_eq!(serve.listen, [Listen::Unix("/etc/countersign/proxy.sock".into())]);
    assert_eq!(serve.token_file, Path::new("/etc/countersign/countersign.token"));
    assert_eq!((serve.access, serve.admin, serve.threads), (None, None, None));
    assert!(serve.hosts.is_empty() && serve.allow_uids.is_empty());
    assert_eq!(serve.drain, Duration::from_secs(30));
    assert_eq!(serve.limits, ServeLimits::default());
}

#[test]
fn everything_that_is_said_arrives() {
    let (serve, connectors) = read(&format!(
        "[serve]\nlisten = ['127.0.0.1:7070', '[::1]:7070', 'systemd', 'systemd:web']\naccess = 'token'\n\
         token_file = '/run/token'\nadmin = 'unix:/run/admin.sock'\nhosts = ['Proxy.internal:7070', 'b:80']\n\
         allow_uids = [0, 1000]\nthreads = 2\ndrain = '1m'\n\
         [serve.limits]\nmax_connections = 1\nmax_header_bytes = 1024\nmax_headers = 2\nheader_timeout = '1s'\n\
         keep_alive = '2s'\nmax_buffered_body = 0\n{}",
        connector(
            "c",
            "caller = { user = { header = 'X-User' }, tenant = { header = 'X-User', required = false }, channel = { value = 'erp' } }\n\
             listen = '127.0.0.1:7072'\nhosts = ['Orders.local']\npass_headers = ['Cookie', 'x-forwarded-for']\n\
             max_concurrent = 3\nconnect_timeout = '4s'\nidle_timeout = '5s'\n"
        ),
    ));
    let serve = serve.unwrap();
    assert_eq!(
        serve.listen,
        [
            tcp("127.0.0.1:7070"),
            tcp("[::1]:7070"),
            Listen::Inherited(None),
            Listen::Inherited(Some("web".into()))
        ]
    );
    assert_eq!((serve.access, serve.threads), (Some(Access::Token), Some(2)));
    assert_eq!(serve.token_file, Path::new("/run/token"));
    assert_eq!(serve.admin, Some(Listen::Unix("/run/admin.sock".into())));
    assert_eq!(serve.hosts, ["proxy.internal:7070", "b"]);
    assert_eq!(serve.allow_uids, [0, 1000]);
    assert_eq!(serve.drain, Duration::from_secs(60));
    assert_eq!(
        serve.limits,
        ServeLimits {
            max_connections: 1,
            max_header_bytes: 1024,
            max_headers: 2,
            header_timeout: Duration::from_secs(1),
            keep_alive: Duration::from_secs(2),
            max_buffered_body: 0,
        }
    );
    let of = &connectors[0];
    let user = |required| CallerSource::Header { name: "x-user".parse().unwrap(), required };
    assert_eq!(
        of.caller,
        [
            ("user".to_owned(), user(true)),
            ("tenant".to_owned(), user(false)),
            ("channel".to_owned(), CallerSource::Value("erp".into()))
        ]
    );
    assert_eq!(of.listen, Some(tcp("127.0.0.1:7072")));
    assert_eq!(of.hosts, ["orders.local"]);
    assert_eq!(of.pass_headers, ["cookie", "x-forwarded-for"]);
    assert_eq!(of.max_concurrent, 3);
    assert_eq!((of.connect_timeout, of.idle_timeout), (Duration::from_secs(4), Duration::from_secs(5)));
}

#[test]
fn every_fault_of_the_table_is_told() {
    assert_findings(
        "[serve]\nlisten = ['localhost:7070', ':7070', '127.0.0.1', '/run/x', 'unix:', 'systemd:', 'x', 3]\naccess = 'nobody'\n\
         token_file = ''\nadmin = '0.0.0.0:7071'\nhosts = ['http://a', 'a@b', 'a:0', 'a b', '[::x]', 'a:']\nallow_uids = [-1, 4294967295]\n\
         threads = 0\ndrain = '2h'\nport = 1\n[serve.limits]\nmax_connections = 0\nmax_header_bytes = 100\nmax_headers = 0\n\
         header_timeout = '11m'\nkeep_alive = '0s'\nmax_buffered_body = -1\nbodies = 1\n",
        &[
            "c.toml:5:11: serve.listen[0]: names a host; an address has numbers: `127.0.0.1:7070` or `[::1]:7070`",
            "c.toml:5:29: serve.listen[1]: lacks an address before the port; write `127.0.0.1:7070`, or `0.0.0.0:7070` for every interface",
            "c.toml:5:38: serve.listen[2]: lacks a port; write `127.0.0.1:7070` or `[::1]:7070`",
            "c.toml:5:51: serve.listen[3]: is a path; write `unix:` before it",
            "c.toml:5:61: serve.listen[4]: names no socket after `unix:`; write `unix:/run/countersign/proxy.sock`",
            "c.toml:5:70: serve.listen[5]: names no socket after `systemd:`; write the unit's FileDescriptorName=, or just `systemd`",
            "c.toml:5:82: serve.listen[6]: is no address; write `127.0.0.1:7070`, `[::1]:7070`, `unix:/path/of.sock`, `systemd` or `systemd:NAME`",
            "c.toml:5:87: serve.listen[7]: expected string, found integer",
            "c.toml:6:10: serve.access: must be `token` or `any-local-process`",
            "c.toml:7:14: serve.token_file: is empty",
            "c.toml:8:9: serve.admin: can be reached from other machines, and nobody there is asked who they are",
            "  help: listen on `127.0.0.1:…` or `unix:…`",
            "c.toml:9:10: serve.hosts[0]: is a URL; write only host and port: `orders.local` or `orders.local:7070`",
            "c.toml:9:22: serve.hosts[1]: is no host; write it as clients send it: `orders.local` or `orders.local:7070`",
            "c.toml:9:29: serve.hosts[2]: has a port beyond 1 to 65535",
            "c.toml:9:36: serve.hosts[3]: is no host; write it as clients send it: `orders.local` or `orders.local:7070`",
            "c.toml:9:43: serve.hosts[4]: is no host; write it as clients send it: `orders.local` or `orders.local:7070`",
            "c.toml:9:52: serve.hosts[5]: has a port beyond 1 to 65535",
            "c.toml:10:15: serve.allow_uids[0]: is no user's number",
            "  help: `id -u NAME` tells it",
            "c.toml:10:19: serve.allow_uids[1]: is no user's number",
            "  help: `id -u NAME` tells it",
            "c.toml:11:11: serve.threads: must be from 1 to 1024",
            "c.toml:12:9: serve.drain: must be at most 3600 s",
            "c.toml:13:1: serve.port: is not known here",
            "  help: known here: `listen`, `access`, `token_file`, `admin`, `hosts`, `allow_uids`, `threads`, `drain`, `limits`",
            "c.toml:15:19: serve.limits.max_connections: must be from 1 to 1000000",
            "c.toml:16:20: serve.limits.max_header_bytes: must be from 1024 to 1048576",
            "c.toml:17:15: serve.limits.max_headers: must be from 1 to 1000",
            "c.toml:18:18: serve.limits.header_timeout: must be at most 600 s",
            "c.toml:19:14: serve.limits.keep_alive: must be longer than nothing",
            "c.toml:20:21: serve.limits.max_buffered_body: must be from 0 to 67108864",
            "c.toml:21:1: serve.limits.bodies: is not known here",
            "  help: known here: `max_connections`, `max_header_bytes`, `max_headers`, `header_timeout`, `keep_alive`, `max_buffered_body`",
        ],
    );
}

#[test]
fn every_fault_of_a_connector_is_told() {
    assert_findings(
        &connector(
            "c",
            "listen = ['unix:x']\nhosts = 'c.local'\npass_headers = ['Transfer-Encoding', 'a b', 'Host', 'Proxy-Authorization']\n\
             max_concurrent = 0\nconnect_timeout = '1d'\nidle_timeout = 5\n\
             [connectors.c.caller]\na-b = { header = 'X' }\n1a = { header = 'X' }\nuser = 'X-User'\nb = { header = 'Authorization' }\n\
             c = { header = 'cookie' }\nd = { header = 'Host' }\ne = { header = 'Content-Length' }\nf = { header = 'TE' }\ng = {}\n\
             h = { header = 'X', value = 'x' }\ni = { value = '' }\nj = { value = '${env:SECRET}' }\nk = { value = 'x', required = true }\n\
             l = { haeder = 'X' }\n",
        ),
        &[
            "c.toml:7:10: connectors.c.listen: expected string, found array",
            "c.toml:8:9: connectors.c.hosts: expected array of strings, found string",
            "c.toml:9:17: connectors.c.pass_headers[0]: is `transfer-encoding`, which belongs to the connection and is never handed on",
            "c.toml:9:38: connectors.c.pass_headers[1]: is not a header's name",
            "c.toml:9:45: connectors.c.pass_headers[2]: is `host`, which belongs to the connection and is never handed on",
            "c.toml:9:53: connectors.c.pass_headers[3]: is `proxy-authorization`, which belongs to the connection and is never handed on",
            "c.toml:10:18: connectors.c.max_concurrent: must be from 1 to 1000000",
            "c.toml:11:19: connectors.c.connect_timeout: must be at most 600 s",
            "c.toml:12:16: connectors.c.idle_timeout: expected string, found integer",
            "c.toml:14:1: connectors.c.caller.a-b: is not an attribute's name: letters, digits and `_`, not beginning with a digit, at most 64 characters",
            "c.toml:15:1: connectors.c.caller.1a: is not an attribute's name: letters, digits and `_`, not beginning with a digit, at most 64 characters",
            "c.toml:16:8: connectors.c.caller.user: expected table, found string",
            "  help: write `user = { header = \"X-…\" }` or `user = { value = \"…\" }`",
            "c.toml:17:16: connectors.c.caller.b.header: is `authorization`, which is a credential of the client and not who it is",
            "  help: let clients name the caller in a header like `X-User`",
            "c.toml:18:16: connectors.c.caller.c.header: is `cookie`, which is a credential of the client and not who it is",
            "  help: let clients name the caller in a header like `X-User`",
            "c.toml:19:16: connectors.c.caller.d.header: is `host`, which belongs to the connection and is never handed on",
            "c.toml:20:16: connectors.c.caller.e.header: is `content-length`, which belongs to the connection and is never handed on",
            "c.toml:21:16: connectors.c.caller.f.header: is `te`, which belongs to the connection and is never handed on",
            "c.toml:22:5: connectors.c.caller.g: names no source",
            "  help: write `{ header = \"X-…\" }` or `{ value = \"…\" }`",
            "c.toml:23:29: connectors.c.caller.h.value: stands beside `header`",
            "  help: keep one of the two",
            "c.toml:24:15: connectors.c.caller.i.value: is empty, or holds a control character",
            "c.toml:25:15: connectors.c.caller.j.value: holds a `${…}`, which only the settings of profiles may",
            "  help: write the value itself",
            "c.toml:26:31: connectors.c.caller.k.required: stands beside `value`, which is always there",
            "c.toml:27:5: connectors.c.caller.l: names no source",
            "  help: write `{ header = \"X-…\" }` or `{ value = \"…\" }`",
            "c.toml:27:7: connectors.c.caller.l.haeder: is not known here",
            "  help: did you mean `header`?",
        ],
    );
}

#[test]
fn who_may_come_over_tcp_must_be_said() {
    let own = connector("c", "listen = '127.0.0.1:7072'\n");
    assert_findings(
        &format!("[serve]\nlisten = ['127.0.0.1:7070', 'unix:x']\n{own}"),
        &[
            "c.toml:5:11: serve.listen[0]: is a TCP address, where every process of this machine could borrow credentials",
            "  help: say in `[serve]` who may come: `access = \"token\"`, or listen on `unix:…`",
            "c.toml:9:10: connectors.c.listen: is a TCP address, where every process of this machine could borrow credentials",
            "  help: say in `[serve]` who may come: `access = \"token\"`, or listen on `unix:…`",
        ],
    );
    assert_findings(&format!("[serve]\nlisten = '127.0.0.1:7070'\naccess = 'any-local-process'\n{own}"), &[]);
    assert_findings("[serve]\nlisten = ['unix:x', 'systemd']\n", &[]);
}

#[test]
fn other_machines_may_never_come_without_a_token() {
    assert_findings(
        "[serve]\nlisten = ['0.0.0.0:7070', '192.0.2.1:7070', '[::]:7070', '[::ffff:127.0.0.1]:7071', '127.0.0.2:7072', '[::1]:7073']\n\
         access = 'any-local-process'\n",
        &[
            "c.toml:5:11: serve.listen[0]: can be reached from other machines, but `access` is `any-local-process`",
            "  help: listen on `127.0.0.1:…`, or `access = \"token\"`",
            "c.toml:5:27: serve.listen[1]: can be reached from other machines, but `access` is `any-local-process`",
            "  help: listen on `127.0.0.1:…`, or `access = \"token\"`",
            "c.toml:5:27: serve.listen[1]: is the address of `serve.listen[0]`, too",
            "c.toml:5:45: serve.listen[2]: can be reached from other machines, but `access` is `any-local-process`",
            "  help: listen on `127.0.0.1:…`, or `access = \"token\"`",
        ],
    );
    assert_findings(
        "[serve]\nlisten = '0.0.0.0:7070'\naccess = 'token'\n",
        &[
            "c.toml:5:10: warning: serve.listen: can be reached from other machines, and the token crosses the network in clear",
            "  help: listen on `127.0.0.1:…` or `unix:…`",
        ],
    );
}

#[test]
fn no_address_is_listened_on_twice() {
    assert_findings(
        &format!(
            "[serve]\nlisten = ['127.0.0.1:7070', '127.0.0.1:0', '127.0.0.1:0', 'unix:x']\naccess = 'token'\nadmin = '127.0.0.1:7070'\n{}{}",
            connector("a", "listen = 'unix:x'\n"),
            connector("b", "listen = '127.0.0.2:7070'\n"),
        ),
        &[
            "c.toml:7:9: serve.admin: is the address of `serve.listen[0]`, too",
            "c.toml:11:10: connectors.a.listen: is the address of `serve.listen[3]`, too",
        ],
    );
}

#[test]
fn no_host_means_two_things() {
    assert_findings(
        &format!(
            "[serve]\nlisten = ['127.0.0.1:7070', 'unix:x']\naccess = 'token'\nhosts = ['p.local', 'localhost:7070', 'p.local', '@']\n{}{}",
            connector("a", "hosts = ['', 'A.local:80', 'p.local', 'localhost:7070']\n"),
            connector("b", "listen = '127.0.0.1:7071'\nhosts = ['a.local', 'localhost:7071', 'b.local']\n"),
        ),
        &[
            "c.toml:7:50: serve.hosts[3]: is no host; write it as clients send it: `orders.local` or `orders.local:7070`",
            "c.toml:11:10: connectors.a.hosts[0]: is no host; write it as clients send it: `orders.local` or `orders.local:7070`",
            "c.toml:11:28: connectors.a.hosts[2]: is a host of `serve.hosts[0]`, too",
            "c.toml:11:39: connectors.a.hosts[3]: is a host of `serve.listen[0]`, too",
            "c.toml:16:10: connectors.b.hosts[0]: is a host of `connectors.a.hosts[1]`, too",
        ],
    );
}

#[test]
fn somewhere_must_be_listened() {
    for nothing in ["[serve]\n", "[serve]\nlisten = []\n"] {
        assert_findings(
            nothing,
            &[
                "c.toml:4:1: serve: lacks `listen`, and no connector has one of its own",
                "  help: say where to listen: `listen = \"127.0.0.1:7070\"`",
            ],
        );
    }
    assert_findings(&format!("[serve]\n{}", connector("c", "listen = 'unix:x'\n")), &[]);
    // Without [serve], nothing of it is used, and nothing is wrong with it.
    assert_findings(&connector("c", "listen = '127.0.0.1:7070'\nhosts = ['x']\n"), &[]);
}
