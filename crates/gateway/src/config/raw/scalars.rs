//! Single values as they are written: addresses, paths, URLs, quantities. Each says what it
//! expects; none quotes what it got, because that may come from the environment.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use http::{HeaderName, Method, Uri};
use ipnet::IpNet;
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use secrecy::SecretString;

use crate::config::reader::{Read, Reader, TEXT_BYTES_MAX};
use crate::config::tree::Node;
use crate::config::units::{self, PerPeriod};

/// The longest host name, in bytes (RFC 1035 2.3.4).
const HOST_BYTES_MAX: usize = 253;
/// The longest name in a certificate, in bytes: longer ones are not kept of any.
const NAME_BYTES_MAX: usize = 200;
/// The longest Kafka topic prefix, in bytes; Kafka allows 249 for the whole name.
const TOPIC_BYTES_MAX: usize = 200;

/// Declares a value that is written as one text.
macro_rules! scalar {
    ($(#[$doc:meta])* $name:ident($type:ty), $parse:expr, $schema:tt) => {
        $(#[$doc])*
        #[derive(Debug)]
        pub(in crate::config) struct $name(pub(in crate::config) $type);

        impl Read for $name {
            fn read(node: &Node, reader: &mut Reader<'_>) -> Option<Self> {
                let parse: fn(&str) -> Result<$type, String> = $parse;
                let text = reader.text(node)?;
                parse(&text).map_err(|what| reader.wrong(node, what)).ok().map(Self)
            }
        }

        impl JsonSchema for $name {
            fn inline_schema() -> bool {
                true
            }
            fn schema_name() -> std::borrow::Cow<'static, str> {
                stringify!($name).into()
            }
            fn json_schema(_: &mut SchemaGenerator) -> Schema {
                json_schema!($schema)
            }
        }
    };
}

scalar!(
    /// Any text.
    Text(String), |text| Ok(text.to_owned()), { "type": "string", "minLength": 1, "maxLength": TEXT_BYTES_MAX }
);
scalar!(
    /// A path, still relative.
    FilePath(PathBuf), |text| Ok(PathBuf::from(text)), { "type": "string", "minLength": 1, "maxLength": TEXT_BYTES_MAX }
);
scalar!(
    /// `address:port`.
    SocketAddress(SocketAddr),
    |text| text.parse().map_err(|_| {
        "expected an IP address and a port, such as `0.0.0.0:8443` or `[::]:8443`".to_owned()
    }),
    { "type": "string", "minLength": 1, "maxLength": TEXT_BYTES_MAX }
);
scalar!(
    /// Where the admin surface listens; the path of a socket is still relative.
    RawAdmin(AdminText), admin, { "type": "string", "minLength": 1, "maxLength": TEXT_BYTES_MAX }
);
scalar!(
    /// A host without port, lower case.
    Host(String), host, { "type": "string", "minLength": 1, "maxLength": HOST_BYTES_MAX }
);
scalar!(
    /// An `http:` or `https:` URL without user, query and fragment.
    WebUrl(String), web_url, { "type": "string", "format": "uri", "maxLength": TEXT_BYTES_MAX }
);
scalar!(
    /// A `redis:` or `rediss:` URL.
    RedisUrl(SecretString), redis_url, { "type": "string", "minLength": 1, "maxLength": TEXT_BYTES_MAX }
);
scalar!(
    /// Requests per period.
    RateText(PerPeriod), |text| units::rate(text).map_err(|error| error.to_string()),
    {
        "type": "string",
        "pattern": "^([0-9]{1,10}/(s|m|h|day)|.*\\$\\{.*)$",
        "maxLength": TEXT_BYTES_MAX,
    }
);
scalar!(
    /// A method the gateway serves.
    MethodText(Method), method,
    { "type": "string", "enum": ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"] }
);
scalar!(
    /// A header name, lower case.
    HeaderText(String), header, { "type": "string", "minLength": 1, "maxLength": TEXT_BYTES_MAX }
);
scalar!(
    /// A network, such as 10.0.0.0/8.
    Network(IpNet), network, { "type": "string", "minLength": 1, "maxLength": TEXT_BYTES_MAX }
);
scalar!(
    /// A name in a certificate, with its kind in front.
    CertificateName(String), certificate_name,
    { "type": "string", "pattern": "^((dns|uri|email|ip):.+|.*\\$\\{.*)$", "maxLength": NAME_BYTES_MAX }
);
scalar!(
    /// A path that begins and ends with `/`.
    Prefix(String), prefix, { "type": "string", "pattern": "^(/|/.*/|.*\\$\\{.*)$", "maxLength": TEXT_BYTES_MAX }
);
scalar!(
    /// `host:port`.
    Authority(String), authority, { "type": "string", "minLength": 1, "maxLength": TEXT_BYTES_MAX }
);
scalar!(
    /// The beginning of Kafka topic names.
    Topic(String), topic, { "type": "string", "minLength": 1, "maxLength": TOPIC_BYTES_MAX }
);
scalar!(
    /// A scope (RFC 6749 3.3).
    Scope(String), scope, { "type": "string", "minLength": 1, "maxLength": TEXT_BYTES_MAX }
);

/// A duration from `MIN` to `MAX` milliseconds.
#[derive(Debug, Clone, Copy)]
pub(in crate::config) struct Length<const MIN: u64, const MAX: u64>(pub(in crate::config) Duration);

impl<const MIN: u64, const MAX: u64> Read for Length<MIN, MAX> {
    fn read(node: &Node, reader: &mut Reader<'_>) -> Option<Self> {
        let text = reader.text(node)?;
        let (least, most) = (Duration::from_millis(MIN), Duration::from_millis(MAX));
        match units::duration(&text) {
            Ok(length) if (least..=most).contains(&length) => return Some(Self(length)),
            Ok(_) => reader.wrong(
                node,
                format!("must be from {} to {}", units::written(least), units::written(most)),
            ),
            Err(error) => reader.wrong(node, error.to_string()),
        }
        None
    }
}

impl<const MIN: u64, const MAX: u64> JsonSchema for Length<MIN, MAX> {
    fn inline_schema() -> bool {
        true
    }
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "Duration".into()
    }
    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({
            "type": "string",
            "pattern": "^([0-9]+(ms|s|m|h)|.*\\$\\{.*)$",
            "maxLength": TEXT_BYTES_MAX,
        })
    }
}

/// A size in the largest unit that fits.
fn shown(bytes: u64) -> String {
    let units = [(40, "TiB"), (30, "GiB"), (20, "MiB")];
    let fits = |(shift, _): &(u32, &str)| bytes >> shift > 0 && bytes.trailing_zeros() >= *shift;
    let (shift, unit) = units.into_iter().find(fits).unwrap_or((10, "KiB"));
    format!("{}{unit}", bytes >> shift)
}

/// A size from `MIN` to `MAX` bytes.
#[derive(Debug, Clone, Copy)]
pub(in crate::config) struct Size<const MIN: u64, const MAX: u64>(pub(in crate::config) u64);

impl<const MIN: u64, const MAX: u64> Read for Size<MIN, MAX> {
    fn read(node: &Node, reader: &mut Reader<'_>) -> Option<Self> {
        let text = reader.text(node)?;
        match units::size(&text) {
            Ok(size) if (MIN..=MAX).contains(&size) => return Some(Self(size)),
            Ok(_) => reader.wrong(node, format!("must be from {} to {}", shown(MIN), shown(MAX))),
            Err(error) => reader.wrong(node, error.to_string()),
        }
        None
    }
}

impl<const MIN: u64, const MAX: u64> JsonSchema for Size<MIN, MAX> {
    fn inline_schema() -> bool {
        true
    }
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "Size".into()
    }
    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({
            "type": "string",
            "pattern": "^([0-9]+(KiB|MiB|GiB|TiB)|.*\\$\\{.*)$",
            "maxLength": TEXT_BYTES_MAX,
        })
    }
}

/// Where the admin surface listens, as it is written.
#[derive(Debug, PartialEq, Eq)]
pub(in crate::config) enum AdminText {
    /// A loopback address.
    Loopback(SocketAddr),
    /// The path of a Unix socket.
    Unix(PathBuf),
}

fn admin(text: &str) -> Result<AdminText, String> {
    if let Some(path) = text.strip_prefix("unix:").filter(|path| !path.is_empty()) {
        return Ok(AdminText::Unix(PathBuf::from(path)));
    }
    match text.parse::<SocketAddr>() {
        Ok(address) if address.ip().is_loopback() => Ok(AdminText::Loopback(address)),
        Ok(_) | Err(_) => Err("the admin surface listens only on a loopback address, such as \
             `127.0.0.1:9900`, or on `unix:PATH`"
            .to_owned()),
    }
}

fn host(text: &str) -> Result<String, String> {
    if text.contains('*') {
        return Err("a host has no wildcard: write out the names".to_owned());
    }
    let authority: Option<http::uri::Authority> = text.parse().ok();
    let plain = authority.is_some_and(|authority| {
        authority.host() == text && !text.contains('@') && !text.ends_with('.')
    });
    if !plain || text.len() > HOST_BYTES_MAX {
        return Err("expected a host name without port, such as `api.example.com`".to_owned());
    }
    Ok(text.to_ascii_lowercase())
}

fn certificate_name(text: &str) -> Result<String, String> {
    let wrong = || {
        "expected an alternative name with its kind, such as `dns:lb.internal` or \
         `uri:spiffe://example/lb`"
            .to_owned()
    };
    let (kind, name) = text.split_once(':').ok_or_else(wrong)?;
    let fits = match kind {
        // A wildcard is compared as it is written, and so would match nothing that is meant.
        "dns" => host(name).is_ok(),
        "uri" | "email" => !name.is_empty() && name.bytes().all(|byte| byte.is_ascii_graphic()),
        "ip" => name.parse::<std::net::IpAddr>().is_ok_and(|ip| ip.to_string() == name),
        _ => false,
    };
    if fits && text.len() <= NAME_BYTES_MAX { Ok(text.to_owned()) } else { Err(wrong()) }
}

/// Checks a URL.
pub(in crate::config) fn web_url(text: &str) -> Result<String, String> {
    let wrong = || {
        "expected a URL such as `https://host:port`, without user, query and fragment".to_owned()
    };
    let uri: Uri = text.parse().map_err(|_| wrong())?;
    let authority = uri.authority().ok_or_else(wrong)?;
    let scheme = uri.scheme_str().unwrap_or_default();
    let plain = !authority.host().is_empty()
        && !authority.as_str().contains('@')
        && uri.query().is_none()
        && !text.contains('#');
    if plain && matches!(scheme, "http" | "https") { Ok(text.to_owned()) } else { Err(wrong()) }
}

fn redis_url(text: &str) -> Result<SecretString, String> {
    let uri: Option<Uri> = text.parse().ok();
    let known = uri.is_some_and(|uri| {
        matches!(uri.scheme_str(), Some("redis" | "rediss"))
            && uri.host().is_some_and(|host| !host.is_empty())
    });
    if known {
        Ok(SecretString::from(text.to_owned()))
    } else {
        Err("expected a URL such as `rediss://host:6379`".to_owned())
    }
}

fn method(text: &str) -> Result<Method, String> {
    match text {
        "GET" => Ok(Method::GET),
        "HEAD" => Ok(Method::HEAD),
        "POST" => Ok(Method::POST),
        "PUT" => Ok(Method::PUT),
        "PATCH" => Ok(Method::PATCH),
        "DELETE" => Ok(Method::DELETE),
        "OPTIONS" => Ok(Method::OPTIONS),
        _ => Err("expected GET, HEAD, POST, PUT, PATCH, DELETE or OPTIONS".to_owned()),
    }
}

fn header(text: &str) -> Result<String, String> {
    let name: HeaderName = text.parse().map_err(|_| "expected a header name".to_owned())?;
    if upstream::is_gateway_owned(name.as_str()) {
        return Err(
            "never passes: it belongs to the connection, or says what only the gateway may \
             say"
            .to_owned(),
        );
    }
    Ok(name.as_str().to_owned())
}

fn network(text: &str) -> Result<IpNet, String> {
    let network: IpNet = text.parse().map_err(|_| {
        "expected a network such as `10.0.0.0/8`, `192.0.2.7/32` or `2001:db8::/32`".to_owned()
    })?;
    if network.trunc() == network {
        Ok(network)
    } else {
        Err("bits are set after the prefix: write the first address of the network".to_owned())
    }
}

fn prefix(text: &str) -> Result<String, String> {
    let segments_fit = text.split('/').all(|segment| {
        !matches!(segment, "." | "..")
            && segment.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-._~".contains(&byte))
    });
    if text.starts_with('/') && text.ends_with('/') && !text.contains("//") && segments_fit {
        Ok(text.to_owned())
    } else {
        Err("expected a path such as `/legacy/`: begins and ends with `/`, of letters, digits \
             and - . _ ~"
            .to_owned())
    }
}

fn authority(text: &str) -> Result<String, String> {
    let authority: Option<http::uri::Authority> = text.parse().ok();
    let complete = authority.is_some_and(|authority| {
        !authority.host().is_empty()
            && authority.port_u16().is_some_and(|port| port > 0)
            && !text.contains('@')
    });
    if complete { Ok(text.to_owned()) } else { Err("expected `host:port`".to_owned()) }
}

fn topic(text: &str) -> Result<String, String> {
    let plain = text.len() <= TOPIC_BYTES_MAX
        && !matches!(text, "." | "..")
        && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"._-".contains(&byte));
    if plain {
        Ok(text.to_owned())
    } else {
        Err("a topic name consists of letters, digits and . _ -".to_owned())
    }
}

fn scope(text: &str) -> Result<String, String> {
    let plain = text.bytes().all(|byte| matches!(byte, 0x21 | 0x23..=0x5b | 0x5d..=0x7e));
    if plain {
        Ok(text.to_owned())
    } else {
        Err("a scope has no spaces, quotes or backslashes (RFC 6749 3.3)".to_owned())
    }
}
