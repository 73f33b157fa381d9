//! From a name to a stream of bytes: TCP with the options that matter, and TLS on it.

use std::io;
use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use connector::{Error, Retry};
use model::{Cause, Scope};
use socket2::{SockRef, TcpKeepalive};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;

/// After this long without a byte the system asks whether the other side is still there: firewalls forget quiet
/// connections after 5 minutes at the earliest.
const KEEPALIVE_AFTER: Duration = Duration::from_mins(2);

/// How long between such questions, and how many without an answer end the connection.
const KEEPALIVE_EVERY: Duration = Duration::from_secs(20);
const KEEPALIVE_QUESTIONS: u32 = 4;

/// A stream of bytes in both directions, of whatever layers.
pub trait Io: AsyncRead + AsyncWrite + Send + Unpin {}

impl<T: AsyncRead + AsyncWrite + Send + Unpin> Io for T {}

/// A TCP connection to a server of this name; the addresses of the name are tried one after the other. Bytes that stay
/// unacknowledged for longer than `unacknowledged_max`, if given, end it.
pub async fn connect(
    host: &str,
    port: u16,
    wait_max: Duration,
    unacknowledged_max: Option<Duration>,
) -> Result<(TcpStream, SocketAddr), Error> {
    let place = format!("{host}:{port}");
    let found = tokio::time::timeout(wait_max, tokio::net::lookup_host((host, port))).await;
    let addresses: Vec<SocketAddr> = match found {
        Ok(Ok(addresses)) => addresses.collect(),
        Ok(Err(error)) => {
            let what = format!(
                "cannot reach {place}: the name {host} was not found ({error}); check its spelling and the DNS"
            );
            return Err(unreachable(what));
        }
        Err(_) => {
            let what =
                format!("cannot reach {place}: the DNS did not answer for {host} within {} s", wait_max.as_secs());
            return Err(unreachable(what));
        }
    };
    let mut last = format!("the name {host} has no address");
    for address in addresses {
        match tokio::time::timeout(wait_max, TcpStream::connect(address)).await {
            Ok(Ok(stream)) => {
                let set = set_options(&stream, unacknowledged_max);
                set.map_err(|error| unreachable(format!("cannot set up the connection to {place}: {error}")))?;
                return Ok((stream, address));
            }
            Ok(Err(error)) => last = refusal(&error, address.ip()),
            Err(_) => last = format!("{} did not answer within {} s", address.ip(), wait_max.as_secs()),
        }
    }
    Err(unreachable(format!("cannot reach {place}: {last}")))
}

fn unreachable(what: String) -> Error {
    Error::new(Cause::Connection, Scope::Connection, what).retry(Retry::Later(None))
}

fn refusal(error: &io::Error, address: IpAddr) -> String {
    match error.kind() {
        io::ErrorKind::ConnectionRefused => {
            format!("{address} refused the connection: is the server running, on this port?")
        }
        io::ErrorKind::NetworkUnreachable | io::ErrorKind::HostUnreachable => {
            format!("there is no way to {address} from here: check the network and the firewalls")
        }
        _ => format!("{address}: {error}"),
    }
}

fn set_options(stream: &TcpStream, unacknowledged_max: Option<Duration>) -> io::Result<()> {
    // Commands are small and wait for answers: nothing is gained by holding them back.
    stream.set_nodelay(true)?;
    let socket = SockRef::from(stream);
    let keepalive = TcpKeepalive::new().with_time(KEEPALIVE_AFTER).with_interval(KEEPALIVE_EVERY);
    #[cfg(target_os = "linux")]
    {
        socket.set_tcp_keepalive(&keepalive.with_retries(KEEPALIVE_QUESTIONS))?;
        socket.set_tcp_user_timeout(unacknowledged_max)?;
    }
    #[cfg(not(target_os = "linux"))]
    {
        let _ = (KEEPALIVE_QUESTIONS, unacknowledged_max);
        socket.set_tcp_keepalive(&keepalive)?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_port_where_nobody_listens_is_said_to_refuse() {
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        drop(listener);
        let error = connect("127.0.0.1", port, Duration::from_secs(5), None).await.unwrap_err();
        assert_eq!((error.cause, error.scope), (Cause::Connection, Scope::Connection));
        assert!(error.what.contains("refused the connection"), "{error}");
    }

    #[tokio::test]
    async fn a_name_that_does_not_exist_is_said_not_to() {
        let error = connect("no-such-host.invalid", 143, Duration::from_secs(20), None).await.unwrap_err();
        assert!(error.what.contains("no-such-host.invalid"), "{error}");
        assert_eq!(error.cause, Cause::Connection);
    }

    #[tokio::test]
    async fn unacknowledged_bytes_end_a_writing_connection() {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let max = Duration::from_secs(7);
        let (stream, _) = connect("127.0.0.1", port, Duration::from_secs(5), Some(max)).await.unwrap();
        assert!(stream.nodelay().unwrap());
        #[cfg(target_os = "linux")]
        assert_eq!(SockRef::from(&stream).tcp_user_timeout().unwrap(), Some(max));
    }
}
