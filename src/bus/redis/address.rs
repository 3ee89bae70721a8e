//! Where Redis is, read from a URL. Nothing that is said about it, not even an error, shows the password.

use std::fs;
use std::io;
use std::path::Path;

use redis::{Client, ConnectionAddr, ConnectionInfo, IntoConnectionInfo, ProtocolVersion, TlsCertificates};
use redis::{RedisResult, io::tcp::TcpSettings};

/// Why there can be no bus.
#[derive(Debug, thiserror::Error)]
pub enum BusError {
    /// It is no URL of a bus.
    #[error("the bus's URL begins with redis://, rediss://, redis+cluster:// or rediss+cluster://")]
    Scheme,
    /// It begins like one.
    #[error(
        "the bus's URL cannot be read: it is like redis://user:password@host:6379/0, and that of a cluster like \
         redis+cluster://user:password@host:6379,host:6379/0; what is special in a password is percent-encoded"
    )]
    Url,
    /// The authority cannot be what a server's certificate is checked against.
    #[error("the certificates of the bus's authority cannot be used")]
    Authority(#[source] io::Error),
    /// There is no certificate to check.
    #[error("the bus has an authority, but its URL does not ask for TLS: rediss:// and rediss+cluster:// do")]
    NoTls,
}

/// How to reach Redis.
pub(super) struct Address {
    /// Where to ask: the one server, or some members of a cluster.
    pub(super) seeds: Vec<Client>,
    /// It is a Redis Cluster.
    pub(super) cluster: bool,
    /// The database's number. Channels are not in a database, so it goes into their names instead.
    pub(super) number: i64,
}

impl Address {
    /// Reads a URL. With the certificates of an authority in a file, in PEM, it alone is trusted; otherwise those
    /// that browsers trust are.
    pub(super) fn read(url: &str, authority: Option<&Path>) -> Result<Self, BusError> {
        let (scheme, rest) = url.split_once("://").ok_or(BusError::Scheme)?;
        let (tls, cluster) = match scheme {
            "redis" => (false, false),
            "rediss" => (true, false),
            "redis+cluster" => (false, true),
            "rediss+cluster" => (true, true),
            _ => return Err(BusError::Scheme),
        };
        let certificates = match authority {
            Some(_) if !tls => return Err(BusError::NoTls),
            Some(file) => Some(read_authority(file)?),
            None => None,
        };
        let urls = if cluster { one_for_each_host(rest) } else { vec![rest.to_owned()] };
        let mut infos = urls.iter().map(|rest| read_one(tls, rest)).collect::<Result<Vec<_>, _>>()?;
        let number = infos.first().map_or(0, |info| info.redis_settings().db());
        for info in &mut infos {
            // Selecting it changes nothing for channels, and a cluster has none to select.
            *info = info.clone().set_redis_settings(info.redis_settings().clone().set_db(0));
        }
        let seeds =
            infos.into_iter().map(|info| client(info, certificates.as_ref())).collect::<Result<_, _>>()?;
        Ok(Self { seeds, cluster, number })
    }

    /// How to reach another member of a cluster: like the first one.
    pub(super) fn member(&self, host: &str, port: u16) -> RedisResult<Client> {
        let like = self.seeds[0].get_connection_info();
        let host = host.to_owned();
        let addr = if let ConnectionAddr::TcpTls { insecure, tls_params, .. } = like.addr().clone() {
            ConnectionAddr::TcpTls { host, port, insecure, tls_params }
        } else {
            ConnectionAddr::Tcp(host, port)
        };
        Client::open(like.clone().set_addr(addr))
    }
}

/// The host that a client asks.
pub(super) fn host(client: &Client) -> &str {
    let addr = client.get_connection_info().addr();
    if let ConnectionAddr::Tcp(host, _) | ConnectionAddr::TcpTls { host, .. } = addr { host } else { "" }
}

/// `user:password@a:1,b:2/0` as `user:password@a:1/0` and `user:password@b:2/0`.
fn one_for_each_host(rest: &str) -> Vec<String> {
    let (authority, path) = rest.split_at(rest.find('/').unwrap_or(rest.len()));
    let (user, hosts) = authority.split_at(authority.rfind('@').map_or(0, |at| at + 1));
    hosts.split(',').map(|host| format!("{user}{host}{path}")).collect()
}

fn read_one(tls: bool, rest: &str) -> Result<ConnectionInfo, BusError> {
    // What follows a `#` could switch off the checking of certificates.
    if rest.contains('#') {
        return Err(BusError::Url);
    }
    let scheme = if tls { "rediss" } else { "redis" };
    // What the library says of it is dropped: it might quote the URL.
    let info = format!("{scheme}://{rest}").into_connection_info().or(Err(BusError::Url))?;
    // Messages and answers come in one connection only with the third version, of Redis 6.
    let settings = info.redis_settings().clone().set_protocol(ProtocolVersion::RESP3).set_skip_set_lib_name();
    // Small messages must not wait for the acknowledgement of those before.
    let tcp = TcpSettings::default().set_nodelay(true);
    Ok(info.set_redis_settings(settings).set_tcp_settings(tcp))
}

fn read_authority(file: &Path) -> Result<TlsCertificates, BusError> {
    let pem = fs::read(file).map_err(BusError::Authority)?;
    if !pem.windows(BEGIN.len()).any(|window| window == BEGIN) {
        return Err(BusError::Authority(io::Error::other("there is no certificate in the file")));
    }
    Ok(TlsCertificates { client_tls: None, root_cert: Some(pem) })
}

/// How a certificate begins.
const BEGIN: &[u8] = b"-----BEGIN CERTIFICATE-----";

fn client(info: ConnectionInfo, certificates: Option<&TlsCertificates>) -> Result<Client, BusError> {
    match certificates {
        Some(certificates) => Client::build_with_tls(info, certificates.clone())
            .map_err(|error| BusError::Authority(io::Error::other(error))),
        None => Client::open(info).or(Err(BusError::Url)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn hosts(url: &str) -> Vec<String> {
        let address = Address::read(url, None).unwrap();
        address.seeds.iter().map(|seed| seed.get_connection_info().addr().to_string()).collect()
    }

    #[test]
    fn a_url_names_one_server_or_some_of_a_cluster() {
        assert_eq!(hosts("redis://h"), ["h:6379"]);
        assert_eq!(hosts("rediss://:p%40@h:1/3"), ["h:1"]);
        assert_eq!(hosts("redis+cluster://a:1,b:2"), ["a:1", "b:2"]);
        assert_eq!(hosts("rediss+cluster://u:p@a:1,b:2,c:3"), ["a:1", "b:2", "c:3"]);
    }

    #[test]
    fn everybody_is_told_the_same_password_and_no_database() {
        let address = Address::read("redis+cluster://u:p%40w@a:1,b:2/7", None).unwrap();
        assert_eq!(address.number, 7);
        let member = address.member("c", 3).unwrap();
        for client in address.seeds.iter().chain([&member]) {
            let settings = client.get_connection_info().redis_settings();
            assert_eq!(
                (settings.username(), settings.password(), settings.db()),
                (Some("u"), Some("p@w"), 0)
            );
            assert!(client.get_connection_info().tcp_settings().nodelay());
        }
    }

    #[test]
    fn a_member_is_asked_over_tls_like_the_first() {
        let member = Address::read("rediss+cluster://a:1", None).unwrap().member("b", 2).unwrap();
        assert!(matches!(
            member.get_connection_info().addr(),
            ConnectionAddr::TcpTls { host, port: 2, insecure: false, .. } if host == "b"
        ));
    }

    #[test]
    fn what_is_no_url_is_refused_without_quoting_it() {
        let wrong = [
            "",
            "host:6379",
            "http://u:sesame@h",
            "redis+unix:///sesame",
            "redis://",
            "redis://u:sesame@h:port",
            "redis://u:sesame@h/db",
            "rediss://u:sesame@h/#insecure",
            "redis+cluster://u:sesame@a:1,b:port",
            "redis+cluster://u:sesame@",
        ];
        for url in wrong {
            let error = Address::read(url, None).err().unwrap_or_else(|| panic!("{url} is refused"));
            assert!(!format!("{error} {error:?}").contains("sesame"), "{error}");
        }
    }

    #[test]
    fn an_authority_is_read_and_needs_tls() {
        let file = tempfile::NamedTempFile::new().unwrap();
        let read = |url, path| Address::read(url, Some(path)).err();
        assert!(matches!(read("redis://h", file.path()), Some(BusError::NoTls)));
        assert!(matches!(read("rediss://h", file.path()), Some(BusError::Authority(_))), "it is empty");
        fs::write(file.path(), "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n").unwrap();
        assert!(matches!(read("rediss://h", file.path()), Some(BusError::Authority(_))), "it is nonsense");
        assert!(matches!(read("rediss://h", Path::new("/nowhere")), Some(BusError::Authority(_))));
    }
}
