//! Networks of internet addresses, versions 4 and 6.

use std::net::IpAddr;

/// A network: the addresses that share its first bits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Network {
    address: IpAddr,
    prefix_bits: u32,
}

impl Network {
    /// Reads `address/bits`. Bits of the address after the prefix do not count.
    pub fn parse(text: &str) -> Option<Self> {
        let (address, bits) = text.split_once('/')?;
        let address: IpAddr = address.parse().ok()?;
        let prefix_bits = Some(bits).filter(|bits| bits.bytes().all(|byte| byte.is_ascii_digit()));
        let prefix_bits: u32 = prefix_bits?.parse().ok()?;
        let bits_max = if address.is_ipv4() { 32 } else { 128 };
        (prefix_bits <= bits_max).then_some(Self {
            address,
            prefix_bits,
        })
    }

    /// Whether the text is an address of this network. The versions do not mix.
    pub fn contains(&self, text: &str) -> bool {
        match (self.address, text.parse()) {
            (IpAddr::V4(own), Ok(IpAddr::V4(other))) => {
                let differing = u32::from(own) ^ u32::from(other);
                differing.leading_zeros() >= self.prefix_bits
            }
            (IpAddr::V6(own), Ok(IpAddr::V6(other))) => {
                let differing = u128::from(own) ^ u128::from(other);
                differing.leading_zeros() >= self.prefix_bits
            }
            _ => false,
        }
    }
}
