//! Where a command reads and writes: the terminal's, or a test's.

use std::fmt;
use std::io::{self, BufRead, BufReader, IsTerminal as _, Read as _, Write};

use rustix::termios::{LocalModes, OptionalActions, Termios, tcgetattr, tcsetattr};
use zeroize::Zeroizing;

use super::Failure;
use crate::secret::SecretText;

/// Standard input and output, or what stands in for them.
pub(super) struct Console<'a> {
    input: Box<dyn BufRead + 'a>,
    output: Box<dyn Write + 'a>,
    /// Somebody types: they are asked, and what they type is not shown.
    asks: bool,
}

/// The terminal shows what is typed again when this is dropped.
struct Hidden {
    before: Termios,
}

/// Longer lines are no passwords.
const LONGEST_LINE: u64 = 8192;

// === impl Console ===

impl Console<'static> {
    /// The process's own.
    pub(super) fn standard() -> Self {
        let asks = io::stdin().is_terminal();
        Self { input: Box::new(BufReader::new(io::stdin())), output: Box::new(io::stdout()), asks }
    }
}

#[cfg(test)]
impl<'a> Console<'a> {
    /// Reads from `input`, writes to `output`.
    pub(super) fn over(input: &'a [u8], output: &'a mut Vec<u8>) -> Self {
        Self { input: Box::new(input), output: Box::new(output), asks: false }
    }
}

impl Console<'_> {
    /// One line.
    pub(super) fn say(&mut self, line: impl fmt::Display) -> Result<(), Failure> {
        Ok(writeln!(self.output, "{line}")?)
    }

    /// A value as indented JSON.
    pub(super) fn json(&mut self, value: &serde_json::Value) -> Result<(), Failure> {
        self.say(format_args!("{value:#}"))
    }

    /// Rows under their headings, in columns; control characters are taken out.
    pub(super) fn table<const N: usize>(&mut self, headings: [&str; N], rows: &[[String; N]]) -> Result<(), Failure> {
        let rows: Vec<[String; N]> = rows.iter().map(|row| row.clone().map(|cell| plain(&cell))).collect();
        let mut widths = headings.map(|heading| heading.chars().count());
        for row in &rows {
            for (width, cell) in widths.iter_mut().zip(row) {
                *width = (*width).max(cell.chars().count());
            }
        }
        self.say(aligned(&headings.map(str::to_owned), &widths))?;
        rows.iter().try_for_each(|row| self.say(aligned(row, &widths)))
    }

    /// All of the input, or one byte more than `most` when there is more.
    pub(super) fn bytes(&mut self, most: usize) -> Result<Vec<u8>, Failure> {
        let mut bytes = Vec::new();
        let read = self.input.by_ref().take(most as u64 + 1).read_to_end(&mut bytes);
        read.map_err(|error| Failure::failed(format!("standard input cannot be read: {error}")))?;
        Ok(bytes)
    }

    /// One line of input, without its end.
    pub(super) fn secret(&mut self, question: &str) -> Result<SecretText, Failure> {
        let hidden = self.asks.then(|| Hidden::begin(question)).transpose()?;
        let mut line = Zeroizing::new(String::new());
        let read = self.input.by_ref().take(LONGEST_LINE).read_line(&mut line);
        drop(hidden);
        read.map_err(|error| Failure::failed(format!("the password cannot be read from standard input: {error}")))?;
        secret(&line)
    }
}

/// What was read as a password: without the line's end, not empty.
pub(super) fn secret(read: &str) -> Result<SecretText, Failure> {
    let line = read.strip_suffix('\n').unwrap_or(read);
    let line = line.strip_suffix('\r').unwrap_or(line);
    if line.is_empty() {
        return Err(Failure::wrong("the password is empty: write it as one line to standard input"));
    }
    Ok(SecretText::new(line))
}

fn aligned<const N: usize>(cells: &[String; N], widths: &[usize; N]) -> String {
    let padded = cells.iter().zip(widths).map(|(cell, width)| format!("{cell:<width$}"));
    padded.collect::<Vec<_>>().join("  ").trim_end().to_owned()
}

/// Fit for one line of a terminal: nothing in it moves the cursor.
fn plain(cell: &str) -> String {
    cell.chars().map(|letter| if letter.is_control() { ' ' } else { letter }).collect()
}

// === impl Hidden ===

impl Hidden {
    fn begin(question: &str) -> Result<Self, Failure> {
        let refused = |error| Failure::failed(format!("the terminal cannot hide what is typed: {error}"));
        let before = tcgetattr(io::stdin()).map_err(refused)?;
        let mut silent = before.clone();
        silent.local_modes.remove(LocalModes::ECHO);
        tcsetattr(io::stdin(), OptionalActions::Flush, &silent).map_err(refused)?;
        write!(io::stderr(), "{question}: ")?;
        Ok(Self { before })
    }
}

impl Drop for Hidden {
    fn drop(&mut self) {
        // A terminal that is gone has nothing to put back.
        let _ = tcsetattr(io::stdin(), OptionalActions::Now, &self.before);
        let _ = writeln!(io::stderr());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_password_is_one_line() {
        let mut output = Vec::new();
        let mut console = Console::over(b"correct horse \r\nrest", &mut output);
        assert_eq!(console.secret("password").unwrap().expose(), "correct horse ");
        assert!(Console::over(b"\n", &mut Vec::new()).secret("password").is_err());
        assert!(Console::over(b"", &mut Vec::new()).secret("password").is_err());
    }

    #[test]
    fn tables_are_aligned_and_move_no_cursor() {
        let mut output = Vec::new();
        let rows = [["élodie".to_owned(), "x\u{1b}[2J\r\ny".to_owned()], ["b".to_owned(), String::new()]];
        Console::over(b"", &mut output).table(["NAME", "AGENT"], &rows).unwrap();
        assert_eq!(String::from_utf8(output).unwrap(), "NAME    AGENT\nélodie  x [2J  y\nb\n");
    }
}
