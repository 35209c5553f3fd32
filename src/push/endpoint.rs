//! Which URLs may be called: a deployment must not become a way into the network it stands in.
//!
//! Checked when a URL is configured and again at each call. A URL has one spelling here: a host is a
//! DNS name, a dotted IPv4 address or an IPv6 address in brackets, and whatever a parser may take
//! for an address in disguise is refused. What a name resolves to is not seen here: on workerd its
//! network configuration looks at resolved addresses, on Cloudflare no private network is in reach.

use std::net::{Ipv4Addr, Ipv6Addr};

/// Longest URL of an endpoint.
pub const URL_CHARS_MAX: usize = 2_048;
/// Longest host name (RFC 1035, 2.3.4).
const HOST_CHARS_MAX: usize = 253;
/// Ports below 1024 that speak HTTP.
const LOW_PORTS: [u16; 2] = [80, 443];
/// Names that lead into a network of one's own, and all below them.
const PRIVATE_NAMES: [&str; 11] = [
    "localhost",
    "localdomain",
    "local",
    "internal",
    "intranet",
    "lan",
    "home",
    "corp",
    "home.arpa",
    "svc",
    // Another name of Google's metadata service.
    "metadata.goog",
];

/// Checks a URL.
///
/// # Errors
/// A sentence on why it may not be called.
pub fn check(url: &str, allow_private: bool) -> Result<(), &'static str> {
    if url.len() > URL_CHARS_MAX {
        return Err("a URL has at most 2048 characters");
    }
    if !url.bytes().all(|b| b.is_ascii_graphic() && b != b'\\') {
        return Err("a URL is printable ASCII without backslashes");
    }
    let rest = match (url.strip_prefix("https://"), url.strip_prefix("http://")) {
        (Some(rest), _) => rest,
        (None, Some(rest)) if allow_private => rest,
        (None, Some(_)) => return Err("an endpoint is called by https"),
        (None, None) => return Err("a URL begins with https://"),
    };
    let end = rest.find(['/', '?', '#']).unwrap_or(rest.len());
    let (authority, tail) = rest.split_at(end);
    if tail.contains('#') {
        return Err("a URL of an endpoint has no fragment");
    }
    if authority.contains('@') {
        return Err("credentials belong into headers, not into a URL");
    }
    let (host, port) = split_port(authority)?;
    if let Some(port) = port {
        check_port(port, allow_private)?;
    }
    check_host(host, allow_private)
}

fn split_port(authority: &str) -> Result<(&str, Option<&str>), &'static str> {
    let after = authority.rfind(']').map_or(0, |at| at + 1);
    match authority[after..].split_once(':') {
        None if after > 0 && after < authority.len() => Err("after ] comes a port or nothing"),
        None => Ok((authority, None)),
        Some((between, _)) if after > 0 && !between.is_empty() => {
            Err("after ] comes a port or nothing")
        }
        Some((host, port)) => Ok((&authority[..after + host.len()], Some(port))),
    }
}

fn check_port(port: &str, allow_private: bool) -> Result<(), &'static str> {
    let digits = !port.is_empty() && port.len() <= 5 && port.bytes().all(|b| b.is_ascii_digit());
    let number = digits.then(|| port.parse::<u16>().ok()).flatten();
    match number {
        None | Some(0) => Err("a port is a number from 1 to 65535"),
        Some(n) if n < 1_024 && !LOW_PORTS.contains(&n) && !allow_private => {
            Err("no endpoint of HTTP has this port")
        }
        Some(_) => Ok(()),
    }
}

fn check_host(host: &str, allow_private: bool) -> Result<(), &'static str> {
    if let Some(inner) = host.strip_prefix('[') {
        let address: Option<Ipv6Addr> = inner.strip_suffix(']').and_then(|it| it.parse().ok());
        let address = address.ok_or("this is no IPv6 address, or has a zone")?;
        return if allow_private || is_public_6(address) {
            Ok(())
        } else {
            Err("the address is not a public one")
        };
    }
    let name = host.strip_suffix('.').unwrap_or(host);
    let last = name.rsplit('.').next().unwrap_or_default();
    // WHATWG URL, 3.5: a host whose last label is a number is an IPv4 address.
    let is_number = last.bytes().all(|b| b.is_ascii_digit())
        || last
            .get(..2)
            .is_some_and(|it| it.eq_ignore_ascii_case("0x"));
    if is_number && !last.is_empty() {
        let address: Ipv4Addr = name
            .parse()
            .map_err(|_| "an IPv4 address is written as four decimal numbers")?;
        return if allow_private || is_public_4(address) {
            Ok(())
        } else {
            Err("the address is not a public one")
        };
    }
    check_name(name)?;
    if allow_private {
        return Ok(());
    }
    let lower = name.to_ascii_lowercase();
    let is_private = |zone: &&str| {
        lower
            .strip_suffix(*zone)
            .is_some_and(|rest| rest.is_empty() || rest.ends_with('.'))
    };
    if !lower.contains('.') || PRIVATE_NAMES.iter().any(is_private) {
        return Err("the name is one of a private network");
    }
    Ok(())
}

fn check_name(name: &str) -> Result<(), &'static str> {
    let is_label = |label: &str| {
        !label.is_empty()
            && label.len() <= 63
            && !label.starts_with('-')
            && !label.ends_with('-')
            && label
                .bytes()
                .all(|b| b.is_ascii_alphanumeric() || b == b'-' || b == b'_')
    };
    // No registry has a zone that begins with a digit: what does may be an address to somebody.
    let last = name.rsplit('.').next().unwrap_or_default();
    let is_zone = !last.starts_with(|c: char| c.is_ascii_digit());
    if name.len() <= HOST_CHARS_MAX && name.split('.').all(is_label) && is_zone {
        Ok(())
    } else {
        Err("a host is a DNS name in ASCII (punycode where it is another), or an address")
    }
}

/// The registries of special addresses: RFC 6890 and its successors.
fn is_public_4(address: Ipv4Addr) -> bool {
    let [a, b, c, _] = address.octets();
    !(matches!(a, 0 | 10 | 127 | 224..)
        || a == 100 && (64..128).contains(&b)
        || a == 169 && b == 254
        || a == 172 && (16..32).contains(&b)
        || a == 192 && (b == 168 || b == 0 && (c == 0 || c == 2) || (b, c) == (88, 99))
        || a == 198 && (b == 18 || b == 19 || (b, c) == (51, 100))
        || (a, b, c) == (203, 0, 113)
        // The metadata service of Alibaba Cloud and the platform service of Azure.
        || address == Ipv4Addr::new(100, 100, 100, 200)
        || address == Ipv4Addr::new(168, 63, 129, 16))
}

/// Global unicast (2000::/3) without what stands for other networks: 6to4 and Teredo, whose
/// addresses carry IPv4 ones, documentation, benchmarks, and the like.
fn is_public_6(address: Ipv6Addr) -> bool {
    let [a, b, ..] = address.segments();
    a & 0xe000 == 0x2000
        && !(a == 0x2001 && (b < 0x0200 || b == 0x0db8) || a == 0x2002 || a == 0x3fff)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn public_endpoints_are_called() {
        for url in [
            "https://example.com/hook?x=1",
            "https://example.com:8443",
            "https://a_b.example.co.uk./x",
            "https://xn--bcher-kva.example/",
            "https://93.184.216.34/",
            "https://[2606:4700::1111]:443/",
        ] {
            assert_eq!(check(url, false), Ok(()), "{url}");
        }
    }

    #[test]
    fn what_leads_inside_is_refused_by_name() {
        for url in [
            "http://example.com/",
            "ftp://example.com/",
            "https://",
            "https:///x",
            "https://user:secret@example.com/",
            "https://example.com@127.0.0.1/",
            "https://example.com\\@127.0.0.1/",
            "https://example.com:22/",
            "https://example.com:0/",
            "https://example.com:99999/",
            "https://example.com:/",
            "https://localhost/",
            "https://LOCALHOST./",
            "https://a.localhost/",
            "https://printer.local/",
            "https://metadata.google.internal/",
            "https://metadata/",
            "https://metadata.goog/",
            "https://kubernetes.default.svc/",
            "https://router.home.arpa/",
            "https://127.0.0.1/",
            "https://127.1/",
            "https://2130706433/",
            "https://0x7f000001/",
            "https://0x7f.0.0.1/",
            "https://0177.0.0.1/",
            "https://127.0.0.1./",
            "https://0.0.0.0/",
            "https://10.1.2.3/",
            "https://100.64.0.1/",
            "https://169.254.169.254/latest/meta-data/",
            "https://172.16.0.1/",
            "https://192.168.1.1/",
            "https://192.0.2.1/",
            "https://198.18.0.1/",
            "https://224.0.0.1/",
            "https://255.255.255.255/",
            "https://100.100.100.200/",
            "https://168.63.129.16/",
            "https://[::1]/",
            "https://[::]/",
            "https://[::ffff:127.0.0.1]/",
            "https://[::ffff:7f00:1]/",
            "https://[::127.0.0.1]/",
            "https://[64:ff9b::7f00:1]/",
            "https://[2002:7f00:1::]/",
            "https://[2001::1]/",
            "https://[fe80::1]/",
            "https://[fe80::1%25eth0]/",
            "https://[fc00::1]/",
            "https://[fd00:ec2::254]/",
            "https://[ff02::1]/",
            "https://[2001:db8::1]/",
            "https://[::1]x/",
            "https://[::1/",
            "https://%6c%6f%63alhost/",
            "https://ⓛocalhost/",
            "https://exa mple.com/",
            "https://example..com/",
            "https://example.com/#x",
        ] {
            assert!(check(url, false).is_err(), "{url}");
        }
    }

    /// As parsers of URLs and of C libraries read them, and within IPv6.
    #[test]
    fn every_spelling_of_a_private_address_is_refused() {
        for address in [
            [10, 0, 0, 1],
            [127, 0, 0, 1],
            [169, 254, 169, 254],
            [192, 168, 0, 1],
        ] {
            let number = u32::from_be_bytes(address);
            let [a, b, c, d] = address;
            for host in [
                format!("{a}.{b}.{c}.{d}"),
                format!("{a}.{b}.{}", number & 0xffff),
                format!("{a}.{}", number & 0x00ff_ffff),
                format!("{number}"),
                format!("{number:#x}"),
                format!("0{number:o}"),
                format!("0{a:o}.0{b:o}.0{c:o}.0{d:o}"),
                format!("{a:#x}.{b:#x}.{c:#x}.{d:#x}"),
                format!("[::{a}.{b}.{c}.{d}]"),
                format!("[::ffff:{a}.{b}.{c}.{d}]"),
                format!("[64:ff9b::{a}.{b}.{c}.{d}]"),
                format!("[2002:{:x}:{:x}::1]", number >> 16, number & 0xffff),
            ] {
                for tail in ["", ".", ":443"] {
                    let url = format!("https://{host}{tail}/");
                    assert!(check(&url, false).is_err(), "{url}");
                }
            }
        }
    }

    #[test]
    fn private_targets_are_called_where_they_are_allowed() {
        for url in [
            "http://127.0.0.1:21000/hook",
            "http://localhost:8080",
            "http://[::1]:9/",
        ] {
            assert_eq!(check(url, true), Ok(()), "{url}");
        }
        for url in [
            "http://user@127.0.0.1/",
            "http://127.1/",
            "file:///etc/passwd",
        ] {
            assert!(check(url, true).is_err(), "{url}");
        }
    }
}
