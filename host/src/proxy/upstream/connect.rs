use std::io;
use std::net::SocketAddr;
use std::sync::Arc;

use countersign::Origin;
use rustls::ClientConfig;
use rustls::pki_types::ServerName;
use tokio::net::{TcpStream, lookup_host};
use tokio::time::{Instant, timeout, timeout_at};
use tokio_rustls::TlsConnector;

use super::io::Stream;
use super::{Target, UpstreamError, UpstreamErrorKind};

/// A connection to a target, and whether HTTP/2 was agreed upon.
pub(super) async fn connect(target: &Target, purpose: Purpose) -> Result<(Stream, bool), UpstreamError> {
    let origin = &target.origin;
    let connecting = async {
        let deadline = Instant::now() + target.connect_timeout;
        let tcp = match &target.proxy {
            None => tcp(origin, deadline).await?,
            Some(proxy) => proxy.lead_to(origin, tcp(proxy.origin(), deadline).await).await?,
        };
        tcp.set_nodelay(true)?;
        if origin.is_https() {
            tls(origin, tls_config(target, purpose)?, tcp).await
        } else {
            Ok((Stream::Plain(tcp), false))
        }
    };
    match timeout(target.connect_timeout, connecting).await {
        Ok(Ok(connected)) => Ok(connected),
        Ok(Err(error)) if error.kind() == io::ErrorKind::TimedOut => Err(too_long(target)),
        Ok(Err(error)) => Err(UpstreamError::connecting(origin, &error)),
        Err(_) => Err(too_long(target)),
    }
}

/// What a connection is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Purpose {
    /// Requests and answers, over whatever the upstream speaks.
    Exchange,
    /// An upgrade, which only HTTP/1.1 has.
    Upgrade,
}

fn too_long(target: &Target) -> UpstreamError {
    let seconds = target.connect_timeout.as_secs_f32();
    UpstreamError::new(
        UpstreamErrorKind::Timeout,
        &target.origin,
        format_args!("no connection within {seconds} s"),
    )
}

/// Tries all addresses in turn; each has an equal share of the time that is left.
async fn tcp(origin: &Origin, deadline: Instant) -> io::Result<TcpStream> {
    let addresses: Vec<SocketAddr> = lookup_host((bare_host(origin), origin.port())).await?.collect();
    let mut failed = io::Error::new(io::ErrorKind::NotFound, "the name has no address");
    for (tried, address) in addresses.iter().enumerate() {
        let left = u32::try_from(addresses.len() - tried).unwrap_or(u32::MAX);
        let share = deadline.saturating_duration_since(Instant::now()) / left;
        match timeout_at(Instant::now() + share, TcpStream::connect(address)).await {
            Ok(Ok(stream)) => return Ok(stream),
            Ok(Err(error)) => failed = error,
            Err(_) => failed = io::ErrorKind::TimedOut.into(),
        }
    }
    Err(failed)
}

fn tls_config(target: &Target, purpose: Purpose) -> io::Result<Arc<ClientConfig>> {
    let tls = target.tls.as_ref().ok_or_else(|| io::Error::other("TLS is not set up"))?;
    Ok(match purpose {
        Purpose::Exchange => tls.any.clone(),
        Purpose::Upgrade => tls.http1.clone(),
    })
}

async fn tls(origin: &Origin, config: Arc<ClientConfig>, tcp: TcpStream) -> io::Result<(Stream, bool)> {
    let name = ServerName::try_from(bare_host(origin).to_owned()).map_err(io::Error::other)?;
    let stream = TlsConnector::from(config).connect(name, tcp).await?;
    let http2 = stream.get_ref().1.alpn_protocol() == Some(b"h2");
    Ok((Stream::Tls(Box::new(stream)), http2))
}

/// The host without the brackets of an IPv6 address.
fn bare_host(origin: &Origin) -> &str {
    origin.host().trim_start_matches('[').trim_end_matches(']')
}
