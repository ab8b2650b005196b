//! The PROXY protocol, versions 1 and 2 (haproxy.org, `proxy-protocol.txt`): a line or block before everything else, by
//! which a load balancer says who its client is.
//!
//! Exactly the header is read from the socket, never a byte more, so that what follows (TLS or HTTP) is untouched.

use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

use tokio::io::{AsyncRead, AsyncReadExt as _};

const V2_SIGNATURE: &[u8; 12] = b"\r\n\r\n\0\r\nQUIT\n";
/// The longest version 1 line, final CR LF included.
const V1_LONGEST: usize = 107;
/// The longest version 2 payload taken: addresses and a few extensions.
const V2_LONGEST: usize = 2048;

/// Reads the header. The client's address; none when the balancer speaks for itself (`UNKNOWN`, `LOCAL`).
pub(super) async fn read(stream: &mut (impl AsyncRead + Unpin)) -> io::Result<Option<SocketAddr>> {
    let mut start = [0; 12];
    stream.read_exact(&mut start).await?;
    if &start == V2_SIGNATURE { read_v2(stream).await } else { read_v1(stream, &start).await }
}

async fn read_v1(stream: &mut (impl AsyncRead + Unpin), start: &[u8]) -> io::Result<Option<SocketAddr>> {
    if !start.starts_with(b"PROXY ") {
        return Err(malformed("no PROXY protocol header"));
    }
    let mut line = start.to_vec();
    while !line.ends_with(b"\r\n") {
        if line.len() >= V1_LONGEST {
            return Err(malformed("a PROXY line without an end"));
        }
        line.push(stream.read_u8().await?);
    }
    let text = std::str::from_utf8(&line).map_err(|_| malformed("a PROXY line that is not text"))?;
    parse_v1(text.trim_end_matches("\r\n"))
}

fn parse_v1(line: &str) -> io::Result<Option<SocketAddr>> {
    let mut words = line.split(' ').skip(1);
    let family = words.next();
    if family == Some("UNKNOWN") {
        return Ok(None);
    }
    let (source, _destination, port) = (words.next(), words.next(), words.next());
    let _destination_port = words.next();
    let address: IpAddr = source.and_then(|text| text.parse().ok()).ok_or_else(|| malformed("no source address"))?;
    let port: u16 = port.and_then(|text| text.parse().ok()).ok_or_else(|| malformed("no source port"))?;
    let agrees = match family {
        Some("TCP4") => address.is_ipv4(),
        Some("TCP6") => address.is_ipv6(),
        _ => false,
    };
    if !agrees || words.next().is_some() {
        return Err(malformed("a PROXY line that says two things"));
    }
    Ok(Some(SocketAddr::new(address, port)))
}

async fn read_v2(stream: &mut (impl AsyncRead + Unpin)) -> io::Result<Option<SocketAddr>> {
    let version_and_command = stream.read_u8().await?;
    let family = stream.read_u8().await?;
    let length = usize::from(stream.read_u16().await?);
    if length > V2_LONGEST {
        return Err(malformed("a PROXY header that is too long"));
    }
    let mut payload = vec![0; length];
    stream.read_exact(&mut payload).await?;
    match version_and_command {
        0x20 => Ok(None),
        0x21 => parse_v2(family, &payload),
        _ => Err(malformed("an unknown PROXY version or command")),
    }
}

fn parse_v2(family: u8, payload: &[u8]) -> io::Result<Option<SocketAddr>> {
    let port_at = |at: usize| -> Option<u16> { Some(u16::from_be_bytes(payload.get(at..at + 2)?.try_into().ok()?)) };
    let address = match family {
        0x11 => payload
            .get(..4)
            .and_then(|bytes| <[u8; 4]>::try_from(bytes).ok())
            .zip(port_at(8))
            .map(|(ip, port)| SocketAddr::new(Ipv4Addr::from(ip).into(), port)),
        0x21 => payload
            .get(..16)
            .and_then(|bytes| <[u8; 16]>::try_from(bytes).ok())
            .zip(port_at(32))
            .map(|(ip, port)| SocketAddr::new(Ipv6Addr::from(ip).into(), port)),
        _ => None,
    };
    address.map(Some).ok_or_else(|| malformed("a PROXY header without a TCP address"))
}

fn malformed(what: &'static str) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, what)
}

#[cfg(test)]
mod tests {
    use super::*;

    async fn source(mut bytes: &[u8]) -> Result<(Option<String>, Vec<u8>), String> {
        let address = read(&mut bytes).await.map_err(|error| error.to_string())?;
        Ok((address.map(|address| address.to_string()), bytes.to_vec()))
    }

    #[tokio::test]
    async fn a_version_1_line_names_the_client_and_leaves_the_request_untouched() {
        let (client, rest) = source(b"PROXY TCP4 192.0.2.7 198.51.100.1 4711 443\r\nGET / HTTP/1.1\r\n").await.unwrap();
        assert_eq!(client.as_deref(), Some("192.0.2.7:4711"));
        assert_eq!(rest, b"GET / HTTP/1.1\r\n");
    }

    #[tokio::test]
    async fn a_version_1_line_for_ipv6_and_one_of_the_balancer_itself() {
        assert_eq!(
            source(b"PROXY TCP6 2001:db8::7 2001:db8::1 4711 443\r\n").await.unwrap().0.as_deref(),
            Some("[2001:db8::7]:4711")
        );
        assert_eq!(source(b"PROXY UNKNOWN\r\n").await.unwrap().0, None);
    }

    #[tokio::test]
    async fn a_version_2_block_names_the_client_and_its_extensions_are_skipped() {
        let mut block = V2_SIGNATURE.to_vec();
        block.extend([0x21, 0x11, 0, 15]);
        block.extend([192, 0, 2, 7, 198, 51, 100, 1]);
        block.extend(4711_u16.to_be_bytes());
        block.extend(443_u16.to_be_bytes());
        block.extend([4, 0, 0]);
        block.extend(b"GET");
        let (client, rest) = source(&block).await.unwrap();
        assert_eq!(client.as_deref(), Some("192.0.2.7:4711"));
        assert_eq!(rest, b"GET");
    }

    #[tokio::test]
    async fn anything_else_is_refused() {
        let endless = [b"PROXY TCP4 ".as_slice(), &[b'1'; 200]].concat();
        for bad in [
            b"GET / HTTP/1.1\r\nHost: x\r\n\r\n".as_slice(),
            b"PROXY TCP4 2001:db8::7 2001:db8::1 1 2\r\n",
            b"PROXY TCP4 192.0.2.7 198.51.100.1 70000 2\r\n",
            b"PROXY TCP4 192.0.2.7 198.51.100.1 1 2 3\r\n",
            b"PROXY TCP4 \r\n....",
            b"\r\n\r\n\0\r\nQUIT\n\x31\x11\0\0",
            b"\r\n\r\n\0\r\nQUIT\n\x21\x11\0\x02ab",
            b"\r\n\r\n\0\r\nQUIT\n\x21\x11\xff\xff",
            &endless,
        ] {
            assert!(source(bad).await.is_err(), "{:?}", String::from_utf8_lossy(bad));
        }
    }
}
