//! What counts as use of a session in a request that goes on.
//!
//! * What a client **sends**: a piece of an upload, a message on a WebSocket; on a connection that switched to anything
//!   else, every byte. Pings and pongs are not: browsers send those by themselves.
//! * A piece of an answer that a client **takes**, where its length was announced: somebody asked for it, and it ends. An
//!   event stream is announced by nobody, and a page left open would keep its session alive with it.

use http::StatusCode;
use http::header::{CONTENT_LENGTH, UPGRADE};
use pingora::http::ResponseHeader;

/// What is use of the request at hand.
#[derive(Debug, Default)]
pub(super) enum Usage {
    /// What is sent.
    #[default]
    Sending,
    /// What is sent, and what is taken.
    Transfer,
    /// The client's messages.
    WebSocket(Frames),
}

/// Frames as a client sends them (RFC 6455 section 5.2), read for their kind and length alone.
#[derive(Debug, Default)]
pub(super) struct Frames {
    /// The beginning of a frame: up to its length.
    head: [u8; LONGEST_HEAD],
    known: usize,
    /// What is still to come of the frame.
    rest: u64,
    is_message: bool,
}

/// Two bytes, and a length of eight.
const LONGEST_HEAD: usize = 10;
const MASK: u64 = 4;

// === impl Usage ===

impl Usage {
    /// As the answer's head says.
    pub fn of(answer: &ResponseHeader) -> Self {
        if answer.status == StatusCode::SWITCHING_PROTOCOLS {
            let upgraded = answer.headers.get(UPGRADE).map_or(&b""[..], |protocol| protocol.as_bytes());
            return if upgraded.eq_ignore_ascii_case(b"websocket") {
                Self::WebSocket(Frames::default())
            } else {
                Self::Sending
            };
        }
        if answer.headers.contains_key(CONTENT_LENGTH) { Self::Transfer } else { Self::Sending }
    }

    /// Whether a piece that the client sent is use.
    pub fn is_sending(&mut self, piece: &[u8]) -> bool {
        match self {
            Self::Sending | Self::Transfer => !piece.is_empty(),
            Self::WebSocket(frames) => frames.say_something(piece),
        }
    }

    /// Whether a piece of an answer is.
    pub fn is_taking(&self, piece: &[u8]) -> bool {
        matches!(self, Self::Transfer) && !piece.is_empty()
    }
}

// === impl Frames ===

impl Frames {
    /// Whether there is anything of a message in the next `piece`.
    fn say_something(&mut self, mut piece: &[u8]) -> bool {
        let mut something = false;
        while let Some((first, others)) = piece.split_first() {
            if self.rest == 0 {
                self.head[self.known] = *first;
                self.known += 1;
                piece = others;
                self.begin();
            } else {
                let here = usize::try_from(self.rest).unwrap_or(usize::MAX).min(piece.len());
                self.rest -= here as u64;
                piece = &piece[here..];
            }
            something |= self.is_message;
        }
        something
    }

    /// Begins with a frame once its length is known.
    fn begin(&mut self) {
        self.is_message = self.head[0] & 0x08 == 0;
        if self.known < 2 {
            return;
        }
        let length = match self.head[1] & 0x7f {
            126 if self.known < 4 => return,
            127 if self.known < LONGEST_HEAD => return,
            126 => self.number(4),
            127 => self.number(LONGEST_HEAD),
            short => u64::from(short),
        };
        let mask = if self.head[1] & 0x80 == 0 { 0 } else { MASK };
        self.rest = length.saturating_add(mask);
        self.known = 0;
    }

    /// What stands from the third byte to `end`.
    fn number(&self, end: usize) -> u64 {
        self.head[2..end].iter().fold(0, |number, byte| number << 8 | u64::from(*byte))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEXT: u8 = 0x81;
    const PING: u8 = 0x89;
    const PONG: u8 = 0x8a;
    const CLOSE: u8 = 0x88;

    fn frame(kind: u8, length: usize) -> Vec<u8> {
        let mut frame = vec![kind];
        match length {
            0..126 => frame.push(0x80 | u8::try_from(length).unwrap()),
            126..0x1_0000 => {
                frame.push(0xfe);
                frame.extend(u16::try_from(length).unwrap().to_be_bytes());
            }
            _ => {
                frame.push(0xff);
                frame.extend((length as u64).to_be_bytes());
            }
        }
        frame.extend([0x81; 4]);
        frame.extend(std::iter::repeat_n(TEXT, length));
        frame
    }

    fn web_socket() -> Usage {
        let mut head = ResponseHeader::build(101, None).unwrap();
        head.insert_header(UPGRADE, "WebSocket").unwrap();
        Usage::of(&head)
    }

    #[test]
    fn messages_are_use_of_a_web_socket_and_pings_and_pongs_are_not() {
        for length in [0, 1, 125, 126, 70_000] {
            for (kind, is_use) in
                [(TEXT, true), (0x02, true), (0x00, true), (PING, false), (PONG, false), (CLOSE, false)]
            {
                assert_eq!(web_socket().is_sending(&frame(kind, length)), is_use, "{kind:#x} {length}");
            }
        }
    }

    #[test]
    fn frames_are_told_apart_however_they_come_in() {
        let (pings, text) = ([frame(PING, 3), frame(PONG, 125)].concat(), frame(TEXT, 300));
        let mut socket = web_socket();
        assert!(pings.iter().all(|byte| !socket.is_sending(&[*byte])));
        assert!(text.iter().all(|byte| socket.is_sending(&[*byte])));
        assert!(!socket.is_sending(&pings));
        assert!(socket.is_sending(&[frame(PING, 0), frame(TEXT, 0)].concat()));
        assert!(!socket.is_sending(&pings));
        assert!(!socket.is_sending(b""));
    }

    #[test]
    fn a_frame_that_claims_any_length_is_no_panic() {
        let mut socket = web_socket();
        let mut endless = vec![PING, 0xff];
        endless.extend([0xff; 8]);
        assert!(!socket.is_sending(&endless));
        assert!(!socket.is_sending(&[TEXT; 1000]), "within the ping it claims to be");
    }

    #[test]
    fn what_is_sent_is_use_and_of_what_is_taken_only_what_has_a_length() {
        let head = |status, length| {
            ResponseHeader::build(status, None).map(|mut head| {
                if let Some(length) = length {
                    head.insert_header(CONTENT_LENGTH, length).unwrap();
                }
                Usage::of(&head)
            })
        };
        let (mut stream, mut download) = (head(200, None).unwrap(), head(200, Some("1000")).unwrap());
        assert!(stream.is_sending(b"x") && download.is_sending(b"x") && Usage::default().is_sending(b"x"));
        assert!(download.is_taking(b"x") && !stream.is_taking(b"x") && !web_socket().is_taking(b"x"));
        assert!(!download.is_taking(b"") && !download.is_sending(b""));
        let mut other_protocol = head(101, None).unwrap();
        assert!(other_protocol.is_sending(&frame(PING, 0)) && !other_protocol.is_taking(b"x"));
    }
}
