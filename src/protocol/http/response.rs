//! A finished HTTP response, ready for the host.

/// What stands in the body is what its type says, whatever it looks like: no browser takes a
/// message for a page.
pub(super) fn nosniff() -> (&'static str, String) {
    ("x-content-type-options", "nosniff".to_owned())
}

/// Status, headers and body. Header names are lower case; none occurs twice.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Response {
    /// HTTP status.
    pub status: u16,
    /// Names and values.
    pub headers: Vec<(&'static str, String)>,
    /// The body; empty where there is none.
    pub body: Vec<u8>,
}

impl Response {
    /// A JSON document.
    #[must_use]
    pub fn json(status: u16, body: Vec<u8>) -> Self {
        Self::document(status, "application/json", body)
    }

    /// A document that nobody keeps: all answers are live.
    #[must_use]
    pub fn document(status: u16, media_type: &str, body: Vec<u8>) -> Self {
        let mut headers = Vec::with_capacity(6);
        headers.push(("content-type", media_type.to_owned()));
        headers.push(nosniff());
        headers.push(("cache-control", "no-store".to_owned()));
        Self {
            status,
            headers,
            body,
        }
    }

    /// `204`: done, nothing to say.
    #[must_use]
    pub fn empty() -> Self {
        Self {
            status: 204,
            headers: vec![("cache-control", "no-store".to_owned())],
            body: Vec::new(),
        }
    }

    /// Adds a header that is not there yet.
    #[must_use]
    pub fn with(mut self, name: &'static str, value: impl Into<String>) -> Self {
        self.headers.push((name, value.into()));
        self
    }

    /// The value of a header.
    #[must_use]
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers
            .iter()
            .find_map(|(key, value)| (*key == name).then_some(value.as_str()))
    }
}
