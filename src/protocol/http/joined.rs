//! Several answers as one: what a call is answered with that publishes share.
//!
//! Each answer is its status, its header lines, an empty line and its body; between answers stands
//! a separator. One that repeats an earlier one is `=` and that one's place: refusals are alike,
//! and large with their verdicts. `host/share.js` reads the same form.

use super::Response;

/// Stands between answers. Headers hold no control characters, and JSON text has them escaped.
const SEPARATOR: u8 = 0x1e;

/// Answers on their way into one.
#[derive(Debug, Default)]
pub struct Joined {
    body: Vec<u8>,
    answers: usize,
}

impl Joined {
    /// Adds an answer; its place.
    pub fn add(&mut self, answer: &Response) -> usize {
        let place = self.next();
        let text = &mut self.body;
        text.extend_from_slice(answer.status.to_string().as_bytes());
        text.push(b'\n');
        for (name, value) in &answer.headers {
            for part in [name, ": ", value.as_str(), "\n"] {
                text.extend_from_slice(part.as_bytes());
            }
        }
        text.push(b'\n');
        text.extend_from_slice(&answer.body);
        place
    }

    /// Adds an answer that is in this form already; its place.
    pub fn add_text(&mut self, answer: &[u8]) -> usize {
        let place = self.next();
        self.body.extend_from_slice(answer);
        place
    }

    /// Adds the answer at `place` once more.
    pub fn repeat(&mut self, place: usize) {
        self.next();
        self.body.extend_from_slice(format!("={place}").as_bytes());
    }

    /// All of them.
    #[must_use]
    pub fn finish(self) -> Response {
        Response {
            status: 200,
            headers: Vec::new(),
            body: self.body,
        }
    }

    fn next(&mut self) -> usize {
        if self.answers > 0 {
            self.body.push(SEPARATOR);
        }
        self.answers += 1;
        self.answers - 1
    }
}

/// The answers of one; `None` where one repeats what is not there.
#[must_use]
pub fn split(body: &[u8]) -> Option<Vec<&[u8]>> {
    let mut answers: Vec<&[u8]> = Vec::new();
    for part in body.split(|byte| *byte == SEPARATOR) {
        let answer = match part.strip_prefix(b"=") {
            None => part,
            Some(place) => {
                let place: usize = std::str::from_utf8(place).ok()?.parse().ok()?;
                answers.get(place)?
            }
        };
        answers.push(answer);
    }
    Some(answers)
}

/// The status of an answer in this form; zero where there is none.
#[must_use]
pub fn status(answer: &[u8]) -> u16 {
    let line = answer.split(|byte| *byte == b'\n').next();
    let text = line.and_then(|line| std::str::from_utf8(line).ok());
    text.and_then(|text| text.parse().ok()).unwrap_or(0)
}

/// The value of a header of an answer in this form.
#[must_use]
pub fn header<'a>(answer: &'a [u8], name: &str) -> Option<&'a str> {
    let lines = answer.split(|byte| *byte == b'\n').skip(1);
    for line in lines.take_while(|line| !line.is_empty()) {
        let rest = line.strip_prefix(name.as_bytes());
        if let Some(value) = rest.and_then(|rest| rest.strip_prefix(b": ")) {
            return std::str::from_utf8(value).ok();
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn answers_come_apart_as_they_were_joined() {
        let answer = Response {
            status: 410,
            headers: vec![("a", "b".into()), ("ab", "c".into())],
            body: b"x\ny".to_vec(),
        };
        let mut joined = Joined::default();
        assert_eq!(joined.add(&answer), 0);
        joined.repeat(0);
        assert_eq!(joined.add_text(b"204\n\n"), 2);
        let body = joined.finish().body;
        let answers = split(&body).unwrap();
        let text: &[u8] = b"410\na: b\nab: c\n\nx\ny";
        assert_eq!(answers, [text, text, b"204\n\n"]);
        assert_eq!((status(text), status(b"")), (410, 0));
        assert_eq!(header(text, "ab"), Some("c"));
        assert_eq!(header(text, "x"), None);
        assert_eq!(split(b"=0"), None);
    }
}
