//! Where a hub is, from its URL.

use std::net::SocketAddr;

use anyhow::{Context, bail};
use hyper::Uri;

/// The port of a URL without one.
const PORT: u16 = 80;

/// The host and port of a hub's URL.
pub(super) fn host_and_port(url: &str) -> anyhow::Result<(String, u16)> {
    let uri: Uri = url.trim().parse().with_context(|| no_url(url))?;
    match uri.scheme_str() {
        Some("http" | "ws") => {}
        Some("https" | "wss") => bail!(
            "{url} is behind TLS, and the harness speaks plain TCP: give it the URL of a node, behind its TLS proxy"
        ),
        _ => bail!("{}", no_url(url)),
    }
    if uri.path() != "/" || uri.query().is_some() {
        bail!("{url} has a path: leave out what comes after the port");
    }
    let host = uri.host().filter(|host| !host.is_empty()).with_context(|| no_url(url))?;
    Ok((host.trim_matches(['[', ']']).into(), uri.port_u16().unwrap_or(PORT)))
}

/// The addresses that a URL's host has.
pub(super) async fn resolve(url: &str) -> anyhow::Result<Vec<SocketAddr>> {
    let (host, port) = host_and_port(url)?;
    let found = tokio::net::lookup_host((host.as_str(), port)).await;
    let found = found.with_context(|| format!("the host of {url} is not known: is it spelled right?"))?;
    Ok(found.collect())
}

fn no_url(text: &str) -> String {
    format!("`{text}` is no URL of a hub: it looks like http://127.0.0.1:4400")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_url_names_a_host_and_a_port() {
        for (url, host, port) in [
            ("http://127.0.0.1:4400", "127.0.0.1", 4400),
            ("ws://hub.example.org/", "hub.example.org", 80),
            ("http://[::1]:4400/", "::1", 4400),
        ] {
            assert_eq!(host_and_port(url).unwrap(), (host.into(), port), "{url}");
        }
    }

    #[test]
    fn what_cannot_be_used_is_told_with_what_to_do() {
        for (url, told) in [
            ("", "is no URL"),
            ("127.0.0.1:4400", "looks like http://"),
            ("localhost", "looks like http://"),
            ("redis://127.0.0.1:6379", "is no URL of a hub"),
            ("https://hub.example.org", "behind its TLS proxy"),
            ("wss://hub.example.org", "behind its TLS proxy"),
            ("http://127.0.0.1:4400/v1/socket", "leave out what comes after the port"),
        ] {
            let error = format!("{:#}", host_and_port(url).unwrap_err());
            assert!(error.contains(told), "{url}: {error}");
        }
    }
}
