//! A small SMTP receiver (RFC 5321): takes every recipient, keeps the mail, offers neither STARTTLS nor AUTH.

use std::sync::Arc;
use std::time::Duration;

use tokio::io::{self, AsyncBufReadExt as _, AsyncReadExt as _, AsyncWriteExt as _, BufStream};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinSet;
use tokio::time::timeout;

use super::shelf::{Answer, Shelf};
use super::{Channel, mail};

/// Largest mail taken, in bytes (the `SIZE` extension, RFC 1870).
const LARGEST_MAIL: usize = 10 * 1024 * 1024;
/// Longest command line: RFC 5321 4.5.3.1.4 asks for 512, extensions for more.
const LONGEST_LINE: u64 = 2048;
/// Most recipients of one mail (RFC 5321 4.5.3.1.8 asks for 100).
const MOST_RECIPIENTS: usize = 100;
/// How long a sender may stay silent (RFC 5321 4.5.3.2.7).
const PATIENCE: Duration = Duration::from_mins(5);

/// One sender's connection.
struct Conversation {
    stream: BufStream<TcpStream>,
    shelf: Arc<Shelf>,
    /// Between `MAIL` and the end of the data: who gets it.
    envelope: Option<Vec<String>>,
}

/// Whether the conversation goes on.
#[derive(PartialEq, Eq)]
enum Next {
    GoOn,
    Close,
}

/// What reading a mail's data came to.
enum Data {
    Whole(Vec<u8>),
    TooLong,
}

/// Receives until the task is dropped.
pub(super) async fn receive(listener: TcpListener, shelf: Arc<Shelf>) {
    let mut conversations = JoinSet::new();
    loop {
        tokio::select! {
            accepted = listener.accept() => if let Ok((stream, _)) = accepted {
                let shelf = Arc::clone(&shelf);
                conversations.spawn(Conversation { stream: BufStream::new(stream), shelf, envelope: None }.hold());
            },
            Some(_) = conversations.join_next() => {}
        }
    }
}

// === impl Conversation ===

impl Conversation {
    /// Speaks until either side ends; a broken connection ends it silently.
    async fn hold(mut self) {
        if self.say("220 inbox ready").await.is_err() {
            return;
        }
        while let Ok(Next::GoOn) = self.take_command().await {}
    }

    async fn take_command(&mut self) -> io::Result<Next> {
        let line = self.line(LONGEST_LINE).await?;
        if line.is_empty() {
            return Ok(Next::Close);
        }
        if !line.ends_with(b"\n") {
            self.say("500 5.5.2 line too long").await?;
            return Ok(Next::Close);
        }
        let line = String::from_utf8_lossy(&line);
        let line = line.trim_end();
        let (verb, rest) = line.split_once(' ').unwrap_or((line, ""));
        self.answer(&verb.to_ascii_uppercase(), rest).await
    }

    async fn answer(&mut self, verb: &str, rest: &str) -> io::Result<Next> {
        match verb {
            "EHLO" => self.greet().await?,
            "HELO" => self.begin_anew("250 inbox").await?,
            "MAIL" => self.mail(rest).await?,
            "RCPT" => self.recipient(rest).await?,
            "DATA" => self.data().await?,
            "RSET" => self.begin_anew("250 2.0.0 begin anew").await?,
            "NOOP" => self.say("250 2.0.0 fine").await?,
            "VRFY" => self.say("252 2.1.5 try it").await?,
            "QUIT" => {
                self.say("221 2.0.0 bye").await?;
                return Ok(Next::Close);
            }
            _ => self.say("502 5.5.1 not a command this server has").await?,
        }
        Ok(Next::GoOn)
    }

    async fn greet(&mut self) -> io::Result<()> {
        self.begin_anew(&format!("250-inbox\r\n250-SIZE {LARGEST_MAIL}\r\n250-8BITMIME\r\n250 SMTPUTF8")).await
    }

    async fn begin_anew(&mut self, answer: &str) -> io::Result<()> {
        self.envelope = None;
        self.say(answer).await
    }

    async fn mail(&mut self, rest: &str) -> io::Result<()> {
        if self.envelope.is_some() {
            return self.say("503 5.5.1 a mail has begun already").await;
        }
        if path(rest, "FROM:").is_none() {
            return self.say("501 5.5.4 MAIL FROM:<address>").await;
        }
        if announced_size(rest) > LARGEST_MAIL {
            return self.say("552 5.3.4 larger than SIZE allows").await;
        }
        self.envelope = Some(Vec::new());
        self.say("250 2.1.0 go on").await
    }

    async fn recipient(&mut self, rest: &str) -> io::Result<()> {
        let answer = match (&mut self.envelope, path(rest, "TO:")) {
            (None, _) => "503 5.5.1 MAIL comes first",
            (_, None | Some("")) => "501 5.5.4 RCPT TO:<address>",
            (Some(recipients), _) if recipients.len() >= MOST_RECIPIENTS => "452 4.5.3 enough recipients",
            (Some(recipients), Some(address)) => {
                recipients.push(address.to_owned());
                "250 2.1.5 go on"
            }
        };
        self.say(answer).await
    }

    async fn data(&mut self) -> io::Result<()> {
        let Some(recipients) = self.envelope.take().filter(|recipients| !recipients.is_empty()) else {
            return self.say("503 5.5.1 MAIL and RCPT come first").await;
        };
        self.say("354 end with a line that is a dot").await?;
        match self.read_data().await? {
            Data::TooLong => self.say("552 5.3.4 larger than SIZE allows").await,
            Data::Whole(mail) => self.deliver(&recipients, &mail).await,
        }
    }

    async fn deliver(&mut self, recipients: &[String], raw: &[u8]) -> io::Result<()> {
        let arrivals = recipients.iter().map(|recipient| mail::read(recipient, raw)).collect();
        match self.shelf.offer(Channel::Mail, arrivals).await {
            Answer::Kept => self.say("250 2.0.0 kept").await,
            Answer::Refused => self.say("451 4.3.0 not now").await,
        }
    }

    /// Reads up to CRLF dot CRLF (only that ends a mail: RFC 5321 4.1.1.4), taking the stuffed dots out again (4.5.2).
    async fn read_data(&mut self) -> io::Result<Data> {
        let mut mail = Vec::new();
        let mut too_long = false;
        let mut at_line_start = true;
        loop {
            let line = self.line(LARGEST_MAIL as u64).await?;
            if line.is_empty() {
                return Err(io::ErrorKind::UnexpectedEof.into());
            }
            if at_line_start && line == b".\r\n" {
                return Ok(if too_long { Data::TooLong } else { Data::Whole(mail) });
            }
            let unstuffed = if at_line_start { line.strip_prefix(b".").unwrap_or(&line) } else { &line };
            too_long |= mail.len() + unstuffed.len() > LARGEST_MAIL;
            if !too_long {
                mail.extend_from_slice(unstuffed);
            }
            at_line_start = line.ends_with(b"\r\n");
        }
    }

    /// Up to and with the next line feed, or `limit` bytes, or what was left when the sender closed.
    async fn line(&mut self, limit: u64) -> io::Result<Vec<u8>> {
        let mut line = Vec::new();
        timeout(PATIENCE, (&mut self.stream).take(limit).read_until(b'\n', &mut line)).await??;
        Ok(line)
    }

    async fn say(&mut self, answer: &str) -> io::Result<()> {
        self.stream.write_all(answer.as_bytes()).await?;
        self.stream.write_all(b"\r\n").await?;
        self.stream.flush().await
    }
}

/// The address in `FROM:<address> SIZE=…` or `TO:<address>`; the empty one is a bounce's sender.
fn path<'a>(rest: &'a str, keyword: &str) -> Option<&'a str> {
    let found = rest.get(..keyword.len()).filter(|begin| begin.eq_ignore_ascii_case(keyword))?;
    let (address, _) = rest[found.len()..].trim_start().strip_prefix('<')?.split_once('>')?;
    Some(address)
}

/// What `SIZE=` says, zero when it is not there.
fn announced_size(rest: &str) -> usize {
    let sizes = rest.split(' ').filter_map(|word| word.split_once('='));
    sizes.filter(|(key, _)| key.eq_ignore_ascii_case("SIZE")).find_map(|(_, size)| size.parse().ok()).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_is_read_with_its_parameters_left_aside() {
        assert_eq!(path("FROM:<gate@example.org> SIZE=100", "FROM:"), Some("gate@example.org"));
        assert_eq!(path("from: <>", "FROM:"), Some(""));
        assert_eq!(path("TO:alice@example.org", "TO:"), None);
        assert_eq!(path("é", "TO:"), None);
    }

    #[test]
    fn an_announced_size_is_read() {
        assert_eq!(announced_size("FROM:<a@b> BODY=8BITMIME SIZE=4096"), 4096);
        assert_eq!(announced_size("FROM:<a@b>"), 0);
    }
}
