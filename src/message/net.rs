//! IP networks in prefix notation (RFC 4632, RFC 4291 section 2.3).

use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::str::FromStr;

/// A network: its first address and the length of its prefix. An IPv4 network in its IPv6-mapped
/// form (`::ffff:192.0.2.0/120`) is the IPv4 network.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Net {
    addr: IpAddr,
    prefix: u8,
}

/// A text that is no network.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("expected a network such as 192.0.2.0/28 or 2001:db8::/32, or one address")]
pub struct NotANet;

impl Net {
    /// The network of this prefix length around an address; `None` where the length is more than
    /// the address has bits.
    pub fn new(addr: IpAddr, prefix: u8) -> Option<Self> {
        let (addr, prefix) = match (addr, addr.to_canonical()) {
            (IpAddr::V6(_), mapped @ IpAddr::V4(_)) if prefix >= 96 => (mapped, prefix - 96),
            _ => (addr, prefix),
        };
        Some(Self {
            addr: first(addr, prefix)?,
            prefix,
        })
    }

    /// The first address.
    pub fn addr(self) -> IpAddr {
        self.addr
    }

    /// How many leading bits are the network's.
    pub fn prefix(self) -> u8 {
        self.prefix
    }

    /// Whether it is one address.
    pub fn is_one(self) -> bool {
        Self::from(self.addr) == self
    }

    /// As people name it: one address without its prefix length.
    pub fn name(self) -> String {
        if self.is_one() {
            self.addr.to_string()
        } else {
            self.to_string()
        }
    }

    /// Whether an address, IPv6-mapped or not, belongs to it.
    pub fn contains(self, addr: IpAddr) -> bool {
        let addr = addr.to_canonical();
        addr.is_ipv4() == self.addr.is_ipv4() && first(addr, self.prefix) == Some(self.addr)
    }
}

/// The first address of the network around `addr`.
fn first(addr: IpAddr, prefix: u8) -> Option<IpAddr> {
    let prefix = u32::from(prefix);
    match addr {
        IpAddr::V4(addr) => {
            let host = 32u32.checked_sub(prefix)?;
            let mask = u32::MAX.checked_shl(host).unwrap_or(0);
            Some(Ipv4Addr::from_bits(addr.to_bits() & mask).into())
        }
        IpAddr::V6(addr) => {
            let host = 128u32.checked_sub(prefix)?;
            let mask = u128::MAX.checked_shl(host).unwrap_or(0);
            Some(Ipv6Addr::from_bits(addr.to_bits() & mask).into())
        }
    }
}

impl From<IpAddr> for Net {
    fn from(addr: IpAddr) -> Self {
        let addr = addr.to_canonical();
        let prefix = if addr.is_ipv4() { 32 } else { 128 };
        Self { addr, prefix }
    }
}

impl FromStr for Net {
    type Err = NotANet;

    fn from_str(text: &str) -> Result<Self, NotANet> {
        let Some((addr, prefix)) = text.split_once('/') else {
            return Ok(text.parse::<IpAddr>().map_err(|_| NotANet)?.into());
        };
        let digits = !prefix.is_empty() && prefix.bytes().all(|byte| byte.is_ascii_digit());
        let prefix = prefix.parse().ok().filter(|_| digits).ok_or(NotANet)?;
        Self::new(addr.parse().map_err(|_| NotANet)?, prefix).ok_or(NotANet)
    }
}

impl fmt::Display for Net {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.addr, self.prefix)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn net(text: &str) -> Net {
        text.parse().unwrap()
    }

    fn ip(text: &str) -> IpAddr {
        text.parse().unwrap()
    }

    #[test]
    fn a_network_is_shown_from_its_first_address() {
        assert_eq!(net("192.0.2.19/28").to_string(), "192.0.2.16/28");
        assert_eq!(net("2001:DB8:1::5/64").to_string(), "2001:db8:1::/64");
        assert_eq!(net("192.0.2.7").to_string(), "192.0.2.7/32");
        assert_eq!(net("2001:db8::1").to_string(), "2001:db8::1/128");
        assert_eq!(net("192.0.2.1/0").to_string(), "0.0.0.0/0");
    }

    #[test]
    fn one_address_is_named_without_its_prefix() {
        assert_eq!(net("192.0.2.7").name(), "192.0.2.7");
        assert_eq!(net("2001:db8::1/128").name(), "2001:db8::1");
        assert_eq!(net("192.0.2.16/28").name(), "192.0.2.16/28");
    }

    #[test]
    fn a_network_contains_its_own_addresses_and_no_other() {
        let small = net("192.0.2.16/28");
        assert!(small.contains(ip("192.0.2.16")) && small.contains(ip("192.0.2.31")));
        assert!(!small.contains(ip("192.0.2.15")) && !small.contains(ip("192.0.2.32")));
        let v6 = net("2001:db8:1::/64");
        assert!(v6.contains(ip("2001:db8:1::ffff")));
        assert!(!v6.contains(ip("2001:db8:1:1::")) && !v6.contains(ip("192.0.2.1")));
        assert!(net("::/0").contains(ip("2001:db8::1")) && !net("::/0").contains(ip("192.0.2.1")));
    }

    #[test]
    fn mapped_addresses_are_ipv4() {
        assert!(net("192.0.2.0/24").contains(ip("::ffff:192.0.2.9")));
        assert_eq!(net("::ffff:192.0.2.9/120"), net("192.0.2.0/24"));
        assert_eq!(net("::ffff:192.0.2.9"), net("192.0.2.9/32"));
    }

    #[test]
    fn what_is_no_network_is_refused() {
        for text in [
            "",
            "/",
            "192.0.2.0/33",
            "2001:db8::/129",
            "192.0.2.0/",
            "192.0.2.0/+8",
            "192.0.2/24",
            "example.org",
            "192.0.2.0/300",
            "192.0.2.0/24/8",
        ] {
            assert_eq!(text.parse::<Net>(), Err(NotANet), "{text}");
        }
    }
}
