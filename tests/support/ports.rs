//! Addresses for programs that must be told one before they start.
//!
//! A port that was free a moment ago may be somebody else's when the program binds it. Every test program therefore has
//! a loopback address of its own, picked at random, and gives no two of its tests the same port on it. The ports are below
//! the range the system gives out by itself.

use std::hash::{BuildHasher as _, RandomState};
use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU16, Ordering};

/// Where the ports handed out begin, and how many there are before they begin again.
const FIRST: u16 = 20_000;
const COUNT: u16 = 12_000;

/// A loopback address nobody listens on and no other test was given lately.
pub(crate) fn free_address() -> SocketAddr {
    static OWN: OnceLock<Ipv4Addr> = OnceLock::new();
    static NEXT: AtomicU16 = AtomicU16::new(0);
    let own = *OWN.get_or_init(|| {
        let [a, b, c, ..] = RandomState::new().hash_one(()).to_be_bytes();
        Ipv4Addr::new(127, a, b, c.clamp(1, 254))
    });
    loop {
        let port = FIRST + NEXT.fetch_add(1, Ordering::Relaxed) % COUNT;
        let address = SocketAddr::from((own, port));
        if TcpListener::bind(address).is_ok() {
            return address;
        }
    }
}
