use std::net::{IpAddr, SocketAddr};

use http::header::{HOST, ORIGIN};
use http::uri::Authority;
use http::{HeaderMap, Request};

/// Keeps web pages out: a browser on this machine reaches loopback addresses for any page that it shows.
///
/// A page of another origin is known by `Origin` or `Sec-Fetch-Site`; one whose name was made to lead here (DNS
/// rebinding) by its name in `Host`. Unix sockets are beyond a browser's reach and know no names.
#[derive(Debug, Clone, Copy)]
pub(super) enum Guard {
    /// Of a TCP listener, by its address.
    Tcp(SocketAddr),
    /// Of a unix socket.
    Unix,
}

impl Guard {
    /// Why a request is not answered, if that is so.
    pub(super) fn refusal<B>(self, request: &Request<B>) -> Option<&'static str> {
        if is_from_another_page(request.headers()) {
            return Some("requests of web pages are not answered");
        }
        let Self::Tcp(own) = self else { return None };
        let named = request.uri().authority().is_none_or(|authority| is_ours(authority, own));
        let mut hosts = request.headers().get_all(HOST).iter();
        let host = match (hosts.next(), hosts.next()) {
            (Some(host), None) => host.to_str().ok().and_then(|host| host.parse::<Authority>().ok()),
            _ => None,
        };
        let ours = named && host.is_some_and(|host| is_ours(&host, own));
        (!ours).then_some("`Host` is not this listener; call it by its address, or as `localhost`")
    }
}

fn is_from_another_page(headers: &HeaderMap) -> bool {
    let site = headers.get("sec-fetch-site");
    // `none` is the address bar; `same-origin` our own answer, reloaded.
    headers.contains_key(ORIGIN) || site.is_some_and(|site| site != "none" && site != "same-origin")
}

fn is_ours(authority: &Authority, own: SocketAddr) -> bool {
    let host = authority.host();
    let port_is_one = authority.as_str().len() == host.len() || authority.port_u16().is_some();
    let plain = port_is_one && !authority.as_str().contains('@');
    let address = host.strip_prefix('[').and_then(|host| host.strip_suffix(']')).unwrap_or(host);
    let is_own = |address: IpAddr| address.to_canonical().is_loopback() || address == own.ip();
    plain && (host.eq_ignore_ascii_case("localhost") || address.parse().is_ok_and(is_own))
}
