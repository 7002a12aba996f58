//! A request off the wire, checked.

use super::answer::Answer;

/// Longest head of a request in bytes.
pub(super) const MAX_HEAD: usize = 8192;
/// Most header lines of a request.
const MAX_LINES: usize = 48;

/// A request that can be answered.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Request<'a> {
    /// HEAD: the answer goes without its body.
    pub(super) head: bool,
    /// Path of the target, beginning with `/`.
    pub(super) path: &'a str,
    /// What follows the question mark.
    pub(super) query: &'a str,
    /// The name that the asker calls us by, without port.
    pub(super) host: Option<&'a str>,
    /// The same with its port.
    pub(super) authority: Option<&'a str>,
    /// Token of `Authorization: Bearer`.
    pub(super) token: Option<&'a str>,
    /// What formats the asker takes.
    pub(super) accept: &'a str,
    /// What languages the asker takes.
    pub(super) languages: &'a str,
    /// The connection stays open after the answer.
    pub(super) keep: bool,
}

/// What the bytes so far are.
#[derive(Debug)]
pub(super) enum Parsed<'a> {
    /// A request, and how many bytes it takes.
    Whole(Request<'a>, usize),
    /// The beginning of one.
    Part,
    /// Nothing that is answered with more than this.
    Refused(Answer),
}

/// Reads a head.
pub(super) fn parse(bytes: &[u8]) -> Parsed<'_> {
    let mut lines = [httparse::EMPTY_HEADER; MAX_LINES];
    let mut head = httparse::Request::new(&mut lines);
    let used = match head.parse(bytes) {
        Ok(httparse::Status::Complete(used)) => used,
        Ok(httparse::Status::Partial) if bytes.len() < MAX_HEAD => return Parsed::Part,
        Ok(httparse::Status::Partial) => {
            return Parsed::Refused(Answer::text(431, "the head of the request is too long"));
        }
        Err(httparse::Error::TooManyHeaders) => {
            return Parsed::Refused(Answer::text(431, "the request has too many header lines"));
        }
        Err(_) => return Parsed::Refused(Answer::text(400, "this is no HTTP request")),
    };
    let first = |name: &str| {
        let line = head.headers.iter().find(|h| h.name.eq_ignore_ascii_case(name));
        line.and_then(|h| std::str::from_utf8(h.value).ok()).map(str::trim)
    };
    let method = head.method.unwrap_or_default();
    if method != "GET" && method != "HEAD" {
        return Parsed::Refused(Answer::text(405, "only GET and HEAD are answered: nothing can be changed here"));
    }
    let body = first("content-length").is_some_and(|n| n != "0") || first("transfer-encoding").is_some();
    if body {
        return Parsed::Refused(Answer::text(400, "a request has no body here"));
    }
    let hosts = head.headers.iter().filter(|h| h.name.eq_ignore_ascii_case("host")).count();
    if hosts > 1 || (hosts == 0 && head.version == Some(1)) {
        return Parsed::Refused(Answer::text(400, "a request has one Host line"));
    }
    let target = head.path.unwrap_or_default();
    if !target.starts_with('/') {
        return Parsed::Refused(Answer::text(400, "the target of a request is a path"));
    }
    let (path, query) = target.split_once('?').unwrap_or((target, ""));
    let closes = first("connection").is_some_and(|c| c.to_ascii_lowercase().contains("close"));
    let authority = first("host");
    let token = first("authorization").and_then(|line| {
        let (scheme, token) = line.split_once(' ')?;
        scheme.eq_ignore_ascii_case("bearer").then(|| token.trim())
    });
    let request = Request {
        head: method == "HEAD",
        path,
        query,
        host: authority.map(without_port),
        authority,
        token,
        accept: first("accept").unwrap_or_default(),
        languages: first("accept-language").unwrap_or_default(),
        keep: head.version == Some(1) && !closes,
    };
    Parsed::Whole(request, used)
}

/// `[fe80::1]:80` without `:80`, and without brackets.
fn without_port(authority: &str) -> &str {
    if let Some(rest) = authority.strip_prefix('[') {
        return rest.split(']').next().unwrap_or_default();
    }
    authority.split(':').next().unwrap_or_default()
}

impl Request<'_> {
    /// A value of the query, percent-decoded; `None` if it is not there or no text.
    pub(super) fn value(&self, key: &str) -> Option<String> {
        let pair = self.query.split('&').filter_map(|pair| pair.split_once('=')).find(|(k, _)| *k == key)?;
        decode(pair.1)
    }
}

/// Takes percent signs out.
fn decode(text: &str) -> Option<String> {
    let mut out = Vec::new();
    let mut bytes = text.bytes();
    while let Some(b) = bytes.next() {
        out.push(match b {
            b'%' => {
                let mut digit = || char::from(bytes.next()?).to_digit(16);
                u8::try_from(digit()? * 16 + digit()?).ok()?
            }
            b'+' => b' ',
            other => other,
        });
    }
    String::from_utf8(out).ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn status(text: &str) -> u16 {
        match parse(text.as_bytes()) {
            Parsed::Whole(..) => 200,
            Parsed::Part => 0,
            Parsed::Refused(answer) => answer.status,
        }
    }

    #[test]
    fn a_usual_request() {
        let text = b"GET /api/v1/explain?dest=02%3A00&x=1+2 HTTP/1.1\r\nHost: [fe80::1]:4305\r\n\
            authorization: bearer  abc\r\n\r\nrest";
        let Parsed::Whole(r, used) = parse(text) else { panic!("{:?}", parse(text)) };
        assert_eq!(used, text.len() - 4);
        assert_eq!(
            (r.path, r.host, r.token, r.keep, r.head),
            ("/api/v1/explain", Some("fe80::1"), Some("abc"), true, false)
        );
        assert_eq!(
            (r.value("dest").as_deref(), r.value("x").as_deref(), r.value("y")),
            (Some("02:00"), Some("1 2"), None)
        );
    }

    #[test]
    fn what_is_refused() {
        assert_eq!(status("GET / HTTP/1.1\r\nHost: a\r\n\r\n"), 200);
        assert_eq!(status("GET / HTTP/1.0\r\n\r\n"), 200);
        assert_eq!(status("GET / HTTP/1.1\r\nHos"), 0);
        assert_eq!(status("GET / HTTP/1.1\r\n\r\n"), 400, "no host");
        assert_eq!(status("GET / HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n"), 400);
        assert_eq!(status("GET http://a/ HTTP/1.1\r\nHost: a\r\n\r\n"), 400);
        for method in ["POST", "PUT", "DELETE", "PATCH", "OPTIONS", "CONNECT", "TRACE", "get"] {
            assert_eq!(status(&format!("{method} / HTTP/1.1\r\nHost: a\r\n\r\n")), 405, "{method}");
        }
        assert_eq!(status("GET / HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\nhello"), 400);
        assert_eq!(status("GET / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n"), 400);
        assert_eq!(status(&format!("GET / HTTP/1.1\r\n{}\r\n", "A: b\r\n".repeat(60))), 431);
        assert_eq!(status(&format!("GET /{}", "a".repeat(MAX_HEAD))), 431);
        assert_eq!(status("\u{1}\u{2}\u{3}"), 400);
    }

    proptest! {
        #[test]
        fn any_bytes_are_survived(bytes in proptest::collection::vec(any::<u8>(), 0..300)) {
            let _ = parse(&bytes);
        }

        #[test]
        fn any_lines_are_survived(lines in "(GET|HEAD|POST) [ -~]{0,40} HTTP/1.[01]\r\n([ -~]{0,20}: ?[ -~]{0,30}\r\n){0,4}\r\n") {
            if let Parsed::Whole(r, used) = parse(lines.as_bytes()) {
                prop_assert!(used <= lines.len());
                let _ = r.value("dest");
            }
        }
    }
}
