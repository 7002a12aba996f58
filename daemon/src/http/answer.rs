//! What goes back to the asker.

use std::fmt::Write as _;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

/// An answer with all that its head says.
#[derive(Debug, Clone)]
pub(super) struct Answer {
    /// 200, 404 and so on.
    pub(super) status: u16,
    /// Media type.
    pub(super) kind: &'static str,
    /// The body is packed with gzip.
    pub(super) gzip: bool,
    /// The same for ever: its address changes with it.
    pub(super) lasting: bool,
    /// The body.
    pub(super) body: Body,
}

/// A body; the same bytes for everybody who gets it.
#[derive(Debug, Clone)]
pub(super) enum Body {
    /// Part of the program.
    Fixed(&'static [u8]),
    /// Made of a picture.
    Made(Arc<Bytes>),
    /// Events follow until the asker leaves.
    Events,
}

/// Bytes that count while anybody holds them.
#[derive(Debug)]
pub(super) struct Bytes {
    data: Vec<u8>,
    counted: Arc<AtomicUsize>,
}

impl Bytes {
    /// Counts `data` in `counter` until the last holder is gone.
    pub(super) fn new(data: Vec<u8>, counter: &Arc<AtomicUsize>) -> Self {
        counter.fetch_add(data.len(), Ordering::Relaxed);
        Self { data, counted: Arc::clone(counter) }
    }
}

impl Drop for Bytes {
    fn drop(&mut self) {
        self.counted.fetch_sub(self.data.len(), Ordering::Relaxed);
    }
}

impl AsRef<[u8]> for Bytes {
    fn as_ref(&self) -> &[u8] {
        &self.data
    }
}

pub(super) const JSON: &str = "application/json";
pub(super) const TEXT: &str = "text/plain; charset=utf-8";
pub(super) const HTML: &str = "text/html; charset=utf-8";

impl Answer {
    /// 200 with a body.
    pub(super) fn good(kind: &'static str, body: Body) -> Self {
        Self { status: 200, kind, gzip: false, lasting: false, body }
    }

    /// A sentence.
    pub(super) fn text(status: u16, text: &'static str) -> Self {
        Self { status, ..Self::good(TEXT, Body::Fixed(text.as_bytes())) }
    }

    /// The bytes of the body.
    pub(super) fn bytes(&self) -> &[u8] {
        match &self.body {
            Body::Fixed(bytes) => bytes,
            Body::Made(bytes) => bytes.as_ref().as_ref(),
            Body::Events => b"",
        }
    }

    /// Status line and header lines.
    pub(super) fn head(&self, keep: bool) -> String {
        let mut head = format!("HTTP/1.1 {} {}\r\nContent-Type: {}\r\n", self.status, reason(self.status), self.kind);
        // Writing to a String cannot fail.
        let events = matches!(self.body, Body::Events);
        if !events {
            let _ = write!(head, "Content-Length: {}\r\n", self.bytes().len());
        }
        let cache = if self.lasting { "public, max-age=31536000, immutable" } else { "no-store" };
        let _ = write!(head, "Cache-Control: {cache}\r\n");
        if self.gzip {
            head.push_str("Content-Encoding: gzip\r\n");
        }
        if self.status == 405 {
            head.push_str("Allow: GET, HEAD\r\n");
        }
        if self.status == 401 {
            head.push_str("WWW-Authenticate: Bearer\r\n");
        }
        if self.status == 503 {
            head.push_str("Retry-After: 2\r\n");
        }
        if !keep || events {
            head.push_str("Connection: close\r\n");
        }
        // The page needs nothing from elsewhere, and nothing here is to be guessed a script.
        head.push_str(
            "X-Content-Type-Options: nosniff\r\nReferrer-Policy: no-referrer\r\nContent-Security-Policy: default-src \
             'none'; script-src 'self'; style-src 'self' 'unsafe-inline'; connect-src 'self'; img-src 'self' data:; \
             form-action 'none'; base-uri 'none'\r\n\r\n",
        );
        head
    }
}

fn reason(status: u16) -> &'static str {
    match status {
        200 => "OK",
        400 => "Bad Request",
        401 => "Unauthorized",
        404 => "Not Found",
        405 => "Method Not Allowed",
        408 => "Request Timeout",
        421 => "Misdirected Request",
        431 => "Request Header Fields Too Large",
        _ => "Service Unavailable",
    }
}
