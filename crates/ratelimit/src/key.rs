//! What is counted: a network of addresses, or a client named by a list of words. It knows no limits.

use std::net::{IpAddr, Ipv6Addr};

use aws_lc_rs::digest;

/// The bits of an IPv6 address that name one customer (RFC 6177: an end site gets at least a /64).
const IPV6_SITE_BITS: u32 = 64;

/// The network that an address is counted under: IPv4 by address, IPv6 by /64. An IPv4-mapped IPv6 address
/// (RFC 4291 2.5.5.2) is counted as the IPv4 address it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Network(IpAddr);

impl Network {
    pub(crate) fn of(address: IpAddr) -> Self {
        match address.to_canonical() {
            IpAddr::V4(v4) => Self(IpAddr::V4(v4)),
            IpAddr::V6(v6) => {
                let host_bits = u128::BITS - IPV6_SITE_BITS;
                let site = (v6.to_bits() >> host_bits) << host_bits;
                Self(IpAddr::V6(Ipv6Addr::from_bits(site)))
            }
        }
    }
}

/// A client, as SHA-256 over its parts: fixed in size however long an issuer's names are, and the same on every
/// instance that shares a store.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct ClientKey([u8; 32]);

impl ClientKey {
    /// Each part is preceded by its length, so that `["ab", "c"]` and `["a", "bc"]` are two clients.
    pub(crate) fn of(tier: &str, parts: &[&str]) -> Self {
        let mut context = digest::Context::new(&digest::SHA256);
        for part in std::iter::once(&tier).chain(parts) {
            let length = u64::try_from(part.len()).unwrap_or(u64::MAX);
            context.update(&length.to_be_bytes());
            context.update(part.as_bytes());
        }
        let mut key = [0; 32];
        for (to, from) in key.iter_mut().zip(context.finish().as_ref()) {
            *to = *from;
        }
        Self(key)
    }

    /// Lower-case hexadecimal, 64 characters.
    #[cfg(feature = "redis")]
    pub(crate) fn hex(&self) -> String {
        use std::fmt::Write as _;
        self.0.iter().fold(String::with_capacity(64), |mut text, byte| {
            // Writing to a string cannot fail.
            if write!(text, "{byte:02x}").is_err() {
                text.clear();
            }
            text
        })
    }
}

#[cfg(test)]
mod tests {
    use super::{ClientKey, Network};

    fn network(address: &str) -> Network {
        Network::of(address.parse().unwrap())
    }

    #[test]
    fn addresses_of_one_site_count_together() {
        assert_eq!(network("2001:db8:1:2::1"), network("2001:db8:1:2:ffff::9"));
        assert_ne!(network("2001:db8:1:2::1"), network("2001:db8:1:3::1"));
        assert_ne!(network("192.0.2.1"), network("192.0.2.2"));
        assert_eq!(network("192.0.2.1"), network("::ffff:192.0.2.1"));
    }

    #[test]
    fn parts_do_not_run_together() {
        let key = ClientKey::of("gold", &["ab", "c"]);
        assert_eq!(key, ClientKey::of("gold", &["ab", "c"]));
        assert_ne!(key, ClientKey::of("gold", &["a", "bc"]));
        assert_ne!(key, ClientKey::of("gold", &["abc"]));
        assert_ne!(key, ClientKey::of("gold", &["ab", "c", ""]));
        assert_ne!(key, ClientKey::of("free", &["ab", "c"]));
        assert_ne!(ClientKey::of("a", &["b"]), ClientKey::of("", &["a", "b"]));
    }
}
