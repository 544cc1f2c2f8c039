//! Where a URL leads: the host of a value that is one, in every notation that resolvers take, and whether it is inside.
//! It knows no names but those that mean the own machine or its cloud.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// Schemes that no caller has a reason to hand over.
const SCHEMES: [&str; 12] = [
    "gopher", "dict", "ldap", "ldaps", "ldapi", "tftp", "sftp", "netdoc", "rmi", "iiop", "smb",
    "telnet",
];
/// Names of the own machine, and of what clouds answer to.
const NAMES: [&str; 17] = [
    "localhost.localdomain",
    "localhost4.localdomain4",
    "metadata.packet.net",
    "localhost",
    "metadata.google.internal",
    "metadata",
    "instance-data",
    "host.docker.internal",
    "kubernetes.default",
    "kubernetes.default.svc",
    "kubernetes",
    "localtest.me",
    "lvh.me",
    "vcap.me",
    "ip6-localhost",
    "broadcasthost",
    "0",
];
/// Names below which every address has a name.
const BELOW: [&str; 10] = [
    ".localhost",
    ".localtest.me",
    ".nip.io",
    ".sslip.io",
    ".xip.io",
    ".lvh.me",
    ".svc.cluster.local",
    ".burpcollaborator.net",
    ".oastify.com",
    ".internal",
];
/// Bytes of a value that is looked at as a URL.
const URL_BYTES_MAX: usize = 2048;

/// Whether a value is a URL that leads inside.
pub(super) fn leads_inside(text: &str) -> bool {
    let text = text.trim().trim_start_matches(['"', '\'', '<', '(']);
    if text.len() > URL_BYTES_MAX || text.contains([' ', '\n']) {
        return false;
    }
    let lower = text.to_ascii_lowercase().replace('\\', "/");
    let lower = lower.strip_prefix("url:").unwrap_or(&lower);
    let Some((scheme, rest)) = lower.split_once(':') else { return false };
    if SCHEMES.contains(&scheme) {
        return rest.starts_with("//");
    }
    let web = matches!(scheme, "http" | "https" | "ftp" | "ws" | "wss");
    let word = scheme.len() <= 12
        && scheme.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'+');
    if !(web || word && rest.starts_with("//")) {
        return false;
    }
    let rest = rest.trim_start_matches('/');
    // What follows `#` or `?` may be the host of a reader that stops elsewhere.
    let authority = rest.split(['/', '?', '#']).next().unwrap_or_default();
    let host = authority.rsplit_once('@').map_or(authority, |(_, host)| host);
    is_inside(host) || authority.split('@').any(|part| part != host && is_inside(part))
}

fn is_inside(host: &str) -> bool {
    let name = match host.strip_prefix('[').and_then(|host| host.split_once(']')) {
        Some((inner, _)) => {
            return inner.split('%').next().and_then(|ip| ip.parse().ok()).is_some_and(is_inner_v6);
        }
        None => host.split(':').next().unwrap_or_default().trim_end_matches('.'),
    };
    if NAMES.contains(&name) || BELOW.iter().any(|end| name.ends_with(end)) {
        return !name.is_empty();
    }
    number_v4(name).is_some_and(is_inner_v4)
}

fn is_inner_v4(ip: Ipv4Addr) -> bool {
    let [first, second, third, fourth] = ip.octets();
    let cloud = matches!(
        (first, second, third, fourth),
        (100, 100, 100, 200) | (192, 0, 0, 192) | (168, 63, 129, 16)
    );
    ip.is_loopback() || ip.is_private() || ip.is_link_local() || first == 0 || cloud
}

fn is_inner_v6(ip: Ipv6Addr) -> bool {
    let mapped = ip.to_ipv4_mapped().or_else(|| ip.to_ipv4()).is_some_and(is_inner_v4);
    let first = ip.segments().first().copied().unwrap_or_default();
    IpAddr::V6(ip).is_loopback()
        || ip.is_unspecified()
        || mapped
        || matches!(first & 0xFE00, 0xFC00)
        || first & 0xFFC0 == 0xFE80
}

/// `127.1`, `0x7f.1`, `017700000001` and `2130706433`, as `inet_aton` reads them.
fn number_v4(name: &str) -> Option<Ipv4Addr> {
    let parts: Vec<&str> = name.split('.').collect();
    if parts.len() > 4 {
        return None;
    }
    let mut value = 0_u64;
    let (last, firsts) = parts.split_last()?;
    if firsts.is_empty() {
        // Some readers keep the last 32 bits of a number that is too large.
        let whole = number(last)?;
        return Some(Ipv4Addr::from((whole & 0xFFFF_FFFF) as u32));
    }
    for part in firsts {
        let part = number(part).filter(|part| *part < 256)?;
        value = value * 256 + part;
    }
    let left = 4 - firsts.len();
    let last = number(last).filter(|last| *last < 1 << (8 * left))?;
    let whole = (value << (8 * left)) + last;
    u32::try_from(whole).ok().map(Ipv4Addr::from)
}

fn number(text: &str) -> Option<u64> {
    let (digits, radix) = match text.strip_prefix("0x") {
        Some(digits) => (digits, 16),
        None if text.len() > 1 && text.starts_with('0') => (text, 8),
        None => (text, 10),
    };
    u64::from_str_radix(digits, radix).ok()
}

#[cfg(test)]
mod tests {
    use super::leads_inside;

    #[test]
    fn every_notation_of_an_inner_address_is_known() {
        for inside in [
            "http://127.0.0.1/",
            "http://127.1",
            "http://2130706433/",
            "http://0x7f000001",
            "http://0177.0.0.1:80/x",
            "http://[::1]/",
            "http://[::ffff:169.254.169.254]/",
            "https://user@localhost:8443/",
            "http:\\\\10.0.0.1",
            "http://169.254.169.254/latest",
            "gopher://example.com/_x",
            "http://a.127.0.0.1.nip.io",
        ] {
            assert!(leads_inside(inside), "{inside}");
        }
        for outside in [
            "http://example.com/",
            "https://93.184.216.34/",
            "localhost",
            "see http://localhost:8080 for more",
            "http://localhost.example.com/",
            "http://127.example/",
            "mailto:me@example.com",
            "https://1.1.1.1.example.org",
            "dict:word",
        ] {
            assert!(!leads_inside(outside), "{outside}");
        }
    }
}
