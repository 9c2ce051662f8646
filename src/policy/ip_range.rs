//! Ranges of IP addresses, such as `10.0.0.0/8`: whether an address is in one.
//!
//! It never guesses what an address could mean: `010.0.0.1`, `10.1` and `0x0a000001` are none here, though some servers read them.

use std::net::IpAddr;

use super::truth::{Sense, Truth};

/// An address and how many of its leading bits count (RFC 4632, RFC 4291).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct IpRange {
    first: IpAddr,
    bits: u8,
}

impl IpRange {
    /// Reads `10.0.0.0/8`, `2001:db8::/32` or one address; an error says what is wrong.
    pub(super) fn parse(text: &str) -> Result<IpRange, String> {
        let (address, bits) = match text.split_once('/') {
            Some((address, bits)) => (address, Some(bits)),
            None => (text, None),
        };
        let first: IpAddr = address
            .parse()
            .map_err(|_| format!("{address:?} is no IP address"))?;
        let width = if first.is_ipv4() { 32 } else { 128 };
        let bits = match bits {
            None => width,
            Some(bits) => bits
                .parse()
                .ok()
                .filter(|found| *found <= width && bits.bytes().all(|byte| byte.is_ascii_digit()))
                .ok_or_else(|| format!("/{bits} is no prefix length from 0 to {width}"))?,
        };
        let range = IpRange { first, bits };
        if range.leading(first) != number(first) {
            return Err(format!("{text:?} has bits set behind its prefix"));
        }
        Ok(range)
    }

    /// Whether one of the ranges has the address that `text` spells; unknown if it spells none.
    pub(super) fn judge(ranges: &[IpRange], text: &str, sense: Sense) -> Truth {
        let Ok(address) = text.parse::<IpAddr>() else {
            return Truth::Unknown;
        };
        let among = |address| ranges.iter().any(|range| range.has(address));
        // An IPv4 address written as an IPv6 one reaches the same machine.
        sense
            .stricter([among(address), among(address.to_canonical())])
            .into()
    }

    fn has(&self, address: IpAddr) -> bool {
        address.is_ipv4() == self.first.is_ipv4() && self.leading(address) == number(self.first)
    }

    /// An address with only the bits of the prefix.
    fn leading(&self, address: IpAddr) -> u128 {
        let width = if address.is_ipv4() { 32 } else { 128 };
        let cut = width - u32::from(self.bits);
        let number = number(address);
        number
            .checked_shr(cut)
            .map_or(0, |kept| kept.checked_shl(cut).unwrap_or(0))
    }
}

fn number(address: IpAddr) -> u128 {
    match address {
        IpAddr::V4(address) => address.to_bits().into(),
        IpAddr::V6(address) => address.to_bits(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_is_in_a_range_or_not_or_is_no_address() {
        use Truth::{False, True, Unknown};
        for (range, text, require, forbid) in [
            ("10.0.0.0/8", "10.255.1.2", True, True),
            ("10.0.0.0/8", "11.0.0.0", False, False),
            ("0.0.0.0/0", "1.2.3.4", True, True),
            ("0.0.0.0/0", "::1", False, False),
            ("192.168.1.1", "192.168.1.1", True, True),
            ("192.168.1.1", "192.168.1.2", False, False),
            ("192.168.1.0/31", "192.168.1.1", True, True),
            ("2001:db8::/32", "2001:DB8:1::", True, True),
            ("2001:db8::/32", "2001:db9::", False, False),
            ("::/0", "::1", True, True),
            ("10.0.0.0/8", "::ffff:10.0.0.1", False, True),
            ("::ffff:0:0/96", "::ffff:10.0.0.1", False, True),
            ("10.0.0.0/8", "010.0.0.1", Unknown, Unknown),
            ("10.0.0.0/8", "10.1", Unknown, Unknown),
            ("10.0.0.0/8", "167772161", Unknown, Unknown),
            ("10.0.0.0/8", "0x0a.0.0.1", Unknown, Unknown),
            ("10.0.0.0/8", " 10.0.0.1", Unknown, Unknown),
            ("10.0.0.0/8", "10.0.0.1:80", Unknown, Unknown),
            ("10.0.0.0/8", "localhost", Unknown, Unknown),
            ("fe80::/10", "fe80::1%eth0", Unknown, Unknown),
        ] {
            let ranges = [IpRange::parse(range).expect("a range")];
            for (sense, expected) in [(Sense::Require, require), (Sense::Forbid, forbid)] {
                let found = IpRange::judge(&ranges, text, sense);
                assert_eq!(found, expected, "{text} in {range}, {sense:?}");
            }
        }
    }

    #[test]
    fn a_broken_range_is_refused() {
        for text in [
            "",
            "10",
            "10.0.0.0/",
            "10.0.0.0/33",
            "10.0.0.1/8",
            "::1/129",
            "::1/64",
            "10.0.0.0/+8",
            "10.0.0.0/8/8",
            "x/8",
        ] {
            assert!(IpRange::parse(text).is_err(), "{text:?} was read");
        }
    }
}
