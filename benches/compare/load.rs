//! The load: a browser-like request over keep-alive connections.

use std::io::{self, BufRead as _, BufReader, Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::process::Command;
use std::time::Duration;

use crate::targets::USER;

/// Headers as a browser sends them, beside Host and Cookie.
const BROWSER: [(&str, &str); 6] = [
    ("User-Agent", "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0"),
    ("Accept", "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8"),
    ("Accept-Language", "fr,fr-FR;q=0.8,en-US;q=0.5,en;q=0.3"),
    ("Accept-Encoding", "gzip, deflate, br"),
    ("Sec-Fetch-Mode", "navigate"),
    ("Upgrade-Insecure-Requests", "1"),
];

/// Signs in at the gateway; the session cookie, `name=value`.
pub(crate) fn sign_in(address: SocketAddr) -> io::Result<String> {
    let page = exchange(
        address,
        "GET /secure/login HTTP/1.1\r\nHost: localhost\r\nSec-Fetch-Mode: navigate\r\nConnection: close\r\n\r\n",
    )?;
    let csrf = between(&page, "name=\"csrf\" value=\"", "\"").ok_or_else(|| unexpected("the login page", &page))?;
    let cookies = cookies(&page);
    let form = format!("csrf={csrf}&username={}&password={}", USER.0, USER.1.replace(' ', "+"));
    let answer = exchange(
        address,
        &format!(
            "POST /secure/login HTTP/1.1\r\nHost: localhost\r\nCookie: {cookies}\r\nSec-Fetch-Site: same-origin\r\nContent-Type: application/x-www-form-urlencoded\r\nContent-Length: {}\r\nConnection: close\r\n\r\n{form}",
            form.len()
        ),
    )?;
    cookies_of(&answer)
        .find(|cookie| cookie.starts_with("vantail="))
        .map(str::to_owned)
        .ok_or_else(|| unexpected("the answer to the sign-in", &answer))
}

/// Runs wrk on `core` for `seconds`; how many requests were answered with 200.
pub(crate) fn wrk(address: SocketAddr, path: &str, cookie: &str, seconds: u32) -> io::Result<u64> {
    let mut command = Command::new("taskset");
    command.args(["-c", "1", "wrk", "-t1", "-c64", &format!("-d{seconds}s"), "-H", &format!("Cookie: {cookie}")]);
    command.args(["-H", "Host: localhost"]);
    for (name, value) in BROWSER {
        command.args(["-H", &format!("{name}: {value}")]);
    }
    let output = command.arg(format!("http://{address}{path}")).output()?;
    let text = String::from_utf8_lossy(&output.stdout);
    if text.contains("Non-2xx") {
        return Err(io::Error::other(format!("not every answer was a 200:\n{text}")));
    }
    text.lines()
        .find_map(|line| line.trim().split_once(" requests in ").and_then(|(count, _)| count.parse().ok()))
        .ok_or_else(|| io::Error::other(format!("wrk said:\n{text}")))
}

/// A keep-alive connection that sends one request after the other.
#[derive(Debug)]
pub(crate) struct Client {
    reader: BufReader<TcpStream>,
    request: Vec<u8>,
}

impl Client {
    pub(crate) fn connect(address: SocketAddr, path: &str, cookie: &str) -> io::Result<Self> {
        let stream = TcpStream::connect(address)?;
        stream.set_read_timeout(Some(Duration::from_mins(1)))?;
        stream.set_nodelay(true)?;
        let mut request = format!("GET {path} HTTP/1.1\r\nHost: localhost\r\nCookie: {cookie}\r\n");
        for (name, value) in BROWSER {
            request.extend([name, ": ", value, "\r\n"]);
        }
        request.push_str("\r\n");
        Ok(Self { reader: BufReader::new(stream), request: request.into_bytes() })
    }

    /// One request, its answer read whole; it must be a 200.
    pub(crate) fn exchange(&mut self) -> io::Result<()> {
        self.reader.get_mut().write_all(&self.request)?;
        let mut length = 0;
        let mut line = String::new();
        for index in 0.. {
            line.clear();
            self.reader.read_line(&mut line)?;
            if index == 0 && !line.starts_with("HTTP/1.1 200") {
                return Err(unexpected("an answer", &line));
            }
            if let Some(value) = line.to_ascii_lowercase().strip_prefix("content-length:") {
                length = value.trim().parse().map_err(io::Error::other)?;
            }
            if line == "\r\n" {
                break;
            }
        }
        self.reader.read_exact(&mut vec![0; length])
    }
}

fn exchange(address: SocketAddr, request: &str) -> io::Result<String> {
    let mut stream = TcpStream::connect(address)?;
    stream.set_read_timeout(Some(Duration::from_mins(1)))?;
    stream.write_all(request.as_bytes())?;
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer)?;
    Ok(String::from_utf8_lossy(&answer).into_owned())
}

fn cookies_of(answer: &str) -> impl Iterator<Item = &str> {
    answer
        .lines()
        .take_while(|line| !line.is_empty())
        .filter_map(|line| line.split_once(": ").filter(|(name, _)| name.eq_ignore_ascii_case("set-cookie")))
        .filter_map(|(_, value)| value.split(';').next())
}

fn cookies(answer: &str) -> String {
    cookies_of(answer).collect::<Vec<_>>().join("; ")
}

fn between<'a>(text: &'a str, start: &str, end: &str) -> Option<&'a str> {
    text.split_once(start)?.1.split_once(end).map(|(inside, _)| inside)
}

fn unexpected(what: &str, text: &str) -> io::Error {
    io::Error::other(format!("{what} is not what was expected:\n{}", &text[..text.len().min(600)]))
}
