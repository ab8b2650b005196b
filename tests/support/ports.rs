//! Ports for programs that must be told one before they start.
//!
//! A port that was free a moment ago may be somebody else's when the program binds it. These are below the range the system
//! gives out by itself, and no two tests of one program are given the same.

use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU16, Ordering};

/// Where the ports handed out begin, and how many there are before they begin again.
const FIRST: u16 = 20_000;
const COUNT: u16 = 12_000;

/// A loopback address nobody listens on and no other test of this process was given lately.
pub(crate) fn free_address() -> SocketAddr {
    static NEXT: OnceLock<AtomicU16> = OnceLock::new();
    // Test programs that run side by side begin at different places.
    let next = NEXT.get_or_init(|| AtomicU16::new(u16::try_from(std::process::id() % 1_000).unwrap_or(0) * 12));
    loop {
        let port = FIRST + next.fetch_add(1, Ordering::Relaxed) % COUNT;
        let address = SocketAddr::from((Ipv4Addr::LOCALHOST, port));
        if TcpListener::bind(address).is_ok() {
            return address;
        }
    }
}
