//! A port that a hub keeps while it is down.

use std::io;
use std::net::{Ipv4Addr, TcpListener};

/// Below are the ports of well-known servers.
const PORT_MIN: u16 = 10_000;
/// Fewer ports than this are not looked through.
const PORTS_MIN: u16 = 1_000;
/// How many are tried.
const TRIES: usize = 100;

/// A port that nobody listened on a moment ago. It is not among those that the kernel gives to outgoing connections:
/// while a hub is down, one of thousands that connect again might be given its port, and the hub could not come back.
pub(super) fn port() -> io::Result<u16> {
    let range = std::fs::read_to_string("/proc/sys/net/ipv4/ip_local_port_range")?;
    let Some(end) = first(&range).filter(|first| *first >= PORT_MIN + PORTS_MIN) else {
        return rotunda_servers::free_port();
    };
    let is_free = |port: &u16| TcpListener::bind((Ipv4Addr::LOCALHOST, *port)).is_ok();
    let mut tries = std::iter::repeat_with(|| fastrand::u16(PORT_MIN..end)).take(TRIES);
    tries.find(is_free).ok_or_else(|| io::Error::other("no free port was found"))
}

/// The first port for outgoing connections.
fn first(range: &str) -> Option<u16> {
    range.split_whitespace().next()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_port_is_free_and_not_for_outgoing_connections() {
        assert_eq!(first("32768\t60999\n"), Some(32768));
        assert_eq!(first(""), None);
        let port = port().unwrap();
        TcpListener::bind((Ipv4Addr::LOCALHOST, port)).unwrap();
    }
}
