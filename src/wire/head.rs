//! A request's head as the host hands it over: `METHOD\nURL\nname: value\n…`.
//!
//! Read in place: nothing is copied, and no map is built. The host guarantees what the Fetch API
//! does: names are lower case and occur once, neither names nor values hold a line break, and the
//! URL is absolute.

/// A head, split but not copied.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Head<'a> {
    /// The method, as sent.
    pub method: &'a str,
    /// Scheme and authority of the URL: `https://example.com:8443`.
    pub origin: &'a str,
    /// The path, still percent-encoded; at least `/`.
    pub path: &'a str,
    /// What follows the `?`, without it.
    pub query: &'a str,
    lines: &'a str,
}

impl<'a> Head<'a> {
    /// `None` when there is no method or no absolute URL.
    #[must_use]
    pub fn parse(text: &'a str) -> Option<Self> {
        let (method, rest) = text.split_once('\n')?;
        let (url, lines) = rest.split_once('\n').unwrap_or((rest, ""));
        let authority = url.find("://")? + 3;
        let tail = url.get(authority..)?;
        let end = tail.find(['/', '?', '#']).unwrap_or(tail.len());
        let (origin, target) = url.split_at(authority + end);
        let target = target.split_once('#').map_or(target, |(before, _)| before);
        let (path, query) = target.split_once('?').unwrap_or((target, ""));
        let path = if path.is_empty() { "/" } else { path };
        (!method.is_empty() && end > 0).then_some(Self {
            method,
            origin,
            path,
            query,
            lines,
        })
    }

    /// Names and values, in the order given, values without the blanks around them.
    pub fn headers(&self) -> impl Iterator<Item = (&'a str, &'a str)> + use<'a> {
        self.lines.split('\n').filter_map(|line| {
            let (name, value) = line.split_once(':')?;
            Some((name, value.trim_matches([' ', '\t'])))
        })
    }

    /// The value of one header.
    #[must_use]
    pub fn header(&self, name: &str) -> Option<&'a str> {
        self.headers()
            .find_map(|(key, value)| (key == name).then_some(value))
    }

    /// The host of the URL, without its port.
    #[must_use]
    pub fn host(&self) -> &'a str {
        let authority = self
            .origin
            .split_once("://")
            .map_or(self.origin, |(_, authority)| authority);
        let host = authority
            .rsplit_once('@')
            .map_or(authority, |(_, host)| host);
        match host.rsplit_once(':') {
            // The colon of an IPv6 address is inside brackets.
            Some((name, port)) if !port.contains(']') => name,
            _ => host,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const HEAD: &str =
        "POST\nhttp://127.0.0.1:8787/v1/queues/a%2Fb?x=1&y=2#z\ncontent-type: text/plain\nx:y\n";

    #[test]
    fn splits_what_it_is_given() {
        let head = Head::parse(HEAD).unwrap();
        assert_eq!(
            (head.method, head.origin),
            ("POST", "http://127.0.0.1:8787")
        );
        assert_eq!((head.path, head.query), ("/v1/queues/a%2Fb", "x=1&y=2"));
        assert_eq!(head.host(), "127.0.0.1");
        assert_eq!(head.header("content-type"), Some("text/plain"));
        assert_eq!(
            head.headers().collect::<Vec<_>>(),
            [("content-type", "text/plain"), ("x", "y")]
        );
        assert_eq!(head.header("accept"), None);
    }

    #[test]
    fn urls_without_a_path_have_the_root() {
        for (url, path, query) in [
            ("http://h", "/", ""),
            ("http://h?q", "/", "q"),
            ("http://h/", "/", ""),
            ("http://h#f", "/", ""),
        ] {
            let text = format!("GET\n{url}");
            let head = Head::parse(&text).unwrap();
            assert_eq!(
                (head.origin, head.path, head.query),
                ("http://h", path, query),
                "{url}"
            );
        }
    }

    #[test]
    fn hosts_lose_their_port_only() {
        for (origin, host) in [
            ("http://[::1]:8787", "[::1]"),
            ("http://[::1]", "[::1]"),
            ("https://example.com", "example.com"),
            ("https://u:p@example.com:1", "example.com"),
        ] {
            assert_eq!(
                Head::parse(&format!("GET\n{origin}/")).unwrap().host(),
                host
            );
        }
    }

    #[test]
    fn every_prefix_is_a_smaller_head_or_none() {
        for end in 0..HEAD.len() {
            if let Some(head) = Head::parse(&HEAD[..end]) {
                assert!(head.path.starts_with('/') && head.headers().count() <= 2);
                let _ = head.host();
            }
        }
        for bad in [
            "",
            "GET",
            "GET\n",
            "GET\n/v1",
            "\nhttp://h/",
            "GET\nhttp://",
            "GET\nhttp:///v1",
        ] {
            assert_eq!(Head::parse(bad), None, "{bad:?}");
        }
    }
}
