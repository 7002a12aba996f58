//! The terminal: single keys in, a whole screen out, and everything back as it was afterwards.

use crate::sys;
use nix::sys::termios::{LocalFlags, SetArg, SpecialCharacterIndices, Termios, tcgetattr, tcsetattr};
use std::io::{self, IsTerminal, Read, Write};
use std::sync::{Mutex, Once, PoisonError};
use std::thread;
use tokio::sync::mpsc;

/// The terminal in the lab's hands. It is given back when this is dropped, and when the program
/// panics.
#[derive(Debug)]
pub(crate) struct Terminal(());

/// A key press.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Key {
    /// A printable character.
    Char(char),
    /// Return.
    Enter,
    /// Rub out.
    Backspace,
    /// Escape alone.
    Escape,
    /// Arrow up or left.
    Previous,
    /// Arrow down or right.
    Next,
}

/// Settings to restore, while they are changed.
static SAVED: Mutex<Option<Termios>> = Mutex::new(None);

impl Terminal {
    /// Takes the terminal over; `None` when input or output is not one.
    ///
    /// # Errors
    /// The terminal refuses.
    pub(crate) fn open() -> io::Result<Option<Self>> {
        let stdin = io::stdin();
        if !stdin.is_terminal() || !io::stdout().is_terminal() {
            return Ok(None);
        }
        let before = tcgetattr(&stdin)?;
        let mut settings = before.clone();
        settings.local_flags.remove(LocalFlags::ICANON | LocalFlags::ECHO);
        // Ctrl-C still ends the lab. Ctrl-Z would stop the air for the daemons, so it is just a key.
        if let Some(suspend) = settings.control_chars.get_mut(SpecialCharacterIndices::VSUSP as usize) {
            *suspend = libc::_POSIX_VDISABLE;
        }
        *SAVED.lock().unwrap_or_else(PoisonError::into_inner) = Some(before);
        restore_on_panic();
        tcsetattr(&stdin, SetArg::TCSANOW, &settings)?;
        print!("{ENTER_SCREEN}");
        io::stdout().flush()?;
        Ok(Some(Self(())))
    }

    /// Columns and rows.
    pub(crate) fn size(&self) -> (usize, usize) {
        sys::lab::terminal_size(io::stdout()).filter(|(columns, rows)| *columns > 0 && *rows > 0).unwrap_or((80, 24))
    }

    /// Columns, `None` where output is no terminal.
    pub(crate) fn width() -> Option<usize> {
        sys::lab::terminal_size(io::stdout()).map(|(columns, _)| columns).filter(|columns| *columns > 0)
    }

    /// Shows a screen: lines that fit (see [`Terminal::size`]).
    ///
    /// # Errors
    /// The terminal is gone.
    pub(crate) fn show(&self, lines: &[String]) -> io::Result<()> {
        let mut text = String::from(HOME);
        for (n, line) in lines.iter().enumerate() {
            if n > 0 {
                text.push_str("\r\n");
            }
            text.push_str(line);
            text.push_str(CLEAR_LINE);
        }
        text.push_str(CLEAR_BELOW);
        let mut out = io::stdout().lock();
        out.write_all(text.as_bytes())?;
        out.flush()
    }
}

impl Drop for Terminal {
    fn drop(&mut self) {
        restore();
    }
}

/// Reads keys in a thread of its own, because a terminal cannot be made non-blocking without
/// doing it to the shell as well. The thread ends with the program.
///
/// # Errors
/// No threads left.
pub(crate) fn read_keys() -> io::Result<mpsc::UnboundedReceiver<Key>> {
    let (sender, receiver) = mpsc::unbounded_channel();
    thread::Builder::new().name("keys".into()).spawn(move || {
        let mut bytes = [0; 64];
        while let Ok(len @ 1..) = io::stdin().read(&mut bytes) {
            for key in parse_keys(bytes.get(..len).unwrap_or_default()) {
                if sender.send(key).is_err() {
                    return;
                }
            }
        }
    })?;
    Ok(receiver)
}

/// What was pressed, from what one read returned: terminals send a sequence in one piece.
fn parse_keys(bytes: &[u8]) -> Vec<Key> {
    let mut keys = Vec::new();
    let mut rest = bytes;
    while let [first, tail @ ..] = rest {
        let (key, after) = match (first, tail) {
            (0x1b, [b'[' | b'O', b'A' | b'D', after @ ..]) => (Some(Key::Previous), after),
            (0x1b, [b'[' | b'O', b'B' | b'C', after @ ..]) => (Some(Key::Next), after),
            (0x1b, []) => (Some(Key::Escape), tail),
            // Some other special key: all of this read.
            (0x1b, _) => (None, &tail[..0]),
            (b'\r' | b'\n', _) => (Some(Key::Enter), tail),
            (0x7f | 0x08, _) => (Some(Key::Backspace), tail),
            (0x20..0x7f, _) => (Some(Key::Char(char::from(*first))), tail),
            _ => (None, tail),
        };
        keys.extend(key);
        rest = after;
    }
    keys
}

fn restore() {
    let Some(before) = SAVED.lock().unwrap_or_else(PoisonError::into_inner).take() else { return };
    // The terminal may be gone, with nobody left to see it.
    let _ = tcsetattr(io::stdin(), SetArg::TCSANOW, &before);
    // Past the lock on standard output: another thread than the panicking one may hold it.
    let _ = nix::unistd::write(io::stdout(), LEAVE_SCREEN.as_bytes());
}

/// The release build ends in a panic without running any destructor.
fn restore_on_panic() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        let usual = std::panic::take_hook();
        std::panic::set_hook(Box::new(move |panic| {
            restore();
            usual(panic);
        }));
    });
}

/// Alternate screen, cursor hidden.
const ENTER_SCREEN: &str = "\x1b[?1049h\x1b[?25l\x1b[2J";
const LEAVE_SCREEN: &str = "\x1b[?25h\x1b[?1049l";
const HOME: &str = "\x1b[H";
const CLEAR_LINE: &str = "\x1b[K";
const CLEAR_BELOW: &str = "\x1b[J";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_and_arrows() {
        assert_eq!(parse_keys(b"q\r"), [Key::Char('q'), Key::Enter]);
        assert_eq!(parse_keys(b"\x1b[A\x1bOBx"), [Key::Previous, Key::Next, Key::Char('x')]);
        assert_eq!(parse_keys(b"\x1b"), [Key::Escape]);
        assert_eq!(parse_keys(b"\x1b[15~"), []);
        assert_eq!(parse_keys(b"\x7f\x01\xc3\xa4"), [Key::Backspace]);
    }
}
