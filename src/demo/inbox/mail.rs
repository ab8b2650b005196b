//! From a mail's bytes to what a person would read.

use mail_parser::{Address, MessageParser};

use super::Channel;
use super::shelf::Arrival;

/// Reads `raw` as it came for `recipient`. What is not a mail at all is shown as text.
pub(super) fn read(recipient: &str, raw: &[u8]) -> Arrival {
    let mail = MessageParser::default().parse(raw);
    let text = mail.as_ref().and_then(|mail| mail.body_text(0));
    Arrival {
        channel: Channel::Mail,
        to: recipient.to_owned(),
        from: mail.as_ref().and_then(|mail| mail.from()).and_then(shown),
        subject: mail.as_ref().and_then(|mail| mail.subject()).map(ToOwned::to_owned),
        text: text.map_or_else(|| String::from_utf8_lossy(raw).into_owned(), |text| text.replace("\r\n", "\n")),
    }
}

/// `Gate <gate@example.org>`.
fn shown(address: &Address<'_>) -> Option<String> {
    let first = address.first()?;
    let email = first.address()?;
    Some(first.name().map_or_else(|| email.to_owned(), |name| format!("{name} <{email}>")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn encoded_words_and_bodies_are_read_as_a_person_would() {
        let raw = b"From: Gate <gate@example.org>\r\nSubject: =?utf-8?q?Op=C3=A9ration_refus=C3=A9e?=\r\n\
            MIME-Version: 1.0\r\nContent-Type: text/plain; charset=utf-8\r\n\
            Content-Transfer-Encoding: quoted-printable\r\n\r\nRefus=C3=A9e par=20bob.\r\n";
        let read = read("alice@example.org", raw);
        assert_eq!(read.from.as_deref(), Some("Gate <gate@example.org>"));
        assert_eq!(read.subject.as_deref(), Some("Opération refusée"));
        assert_eq!(read.text.trim(), "Refusée par bob.");
    }

    #[test]
    fn of_two_alternatives_the_text_is_shown() {
        let raw = b"Subject: Both\r\nMIME-Version: 1.0\r\nContent-Type: multipart/alternative; boundary=b\r\n\r\n\
            --b\r\nContent-Type: text/plain\r\n\r\nplain\r\n--b\r\nContent-Type: text/html\r\n\r\n<p>html</p>\r\n--b--\r\n";
        assert_eq!(read("alice@example.org", raw).text.trim(), "plain");
    }
}
