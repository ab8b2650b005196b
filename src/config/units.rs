//! Durations, sizes and addresses as the files write them.

use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use ipnet::IpNet;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// A duration (`"90s"`, `"15m"`, `"12h"`, `"30d"`) or a size (`"64KiB"`), or a bare number where the key has no unit.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(untagged)]
pub enum Quantity {
    /// `0`, or bytes.
    Number(u64),
    /// With its unit.
    Text(String),
}

/// What a value should have looked like.
pub type Expected = &'static str;

const DURATION: Expected = "write a duration like \"90s\", \"15m\", \"12h\" or \"30d\"";
const SIZE: Expected = "write a size like \"64KiB\" or \"1MiB\", or a number of bytes";
const ADDRESS: Expected = "write an address and a port, like \"0.0.0.0:8080\" or \"[::]:8080\"";

// === impl Quantity ===

impl Quantity {
    /// As a duration. A bare number is only `0`.
    pub fn duration(&self) -> Result<Duration, Expected> {
        match self {
            Self::Number(0) => Ok(Duration::ZERO),
            Self::Number(_) => Err(DURATION),
            Self::Text(text) => duration(text),
        }
    }

    /// As a size in bytes.
    pub fn size(&self) -> Result<usize, Expected> {
        match self {
            Self::Number(bytes) => usize::try_from(*bytes).map_err(|_| SIZE),
            Self::Text(text) => size(text),
        }
    }
}

/// `"90s"`, `"15m"`, `"12h"`, `"30d"`, `"0"`.
pub fn duration(text: &str) -> Result<Duration, Expected> {
    let (number, unit) = number_and_unit(text).ok_or(DURATION)?;
    let seconds = match unit {
        "s" => 1,
        "m" => 60,
        "h" => 3600,
        "d" => 86_400,
        "" if number == 0 => 0,
        _ => return Err(DURATION),
    };
    // A century is more than anybody means, and keeps every sum of moments in range.
    let total = number.checked_mul(seconds).filter(|total| *total <= 100 * 366 * 86_400).ok_or(DURATION)?;
    Ok(Duration::from_secs(total))
}

/// `"64KiB"`, `"1MiB"`, `"2GiB"`, `"512"`: bytes.
pub fn size(text: &str) -> Result<usize, Expected> {
    let (number, unit) = number_and_unit(text).ok_or(SIZE)?;
    let bytes = match unit {
        "" | "B" => 1,
        "KiB" => 1 << 10,
        "MiB" => 1 << 20,
        "GiB" => 1 << 30,
        _ => return Err(SIZE),
    };
    number.checked_mul(bytes).and_then(|total| usize::try_from(total).ok()).ok_or(SIZE)
}

/// An address and a port to listen on.
pub fn socket_address(text: &str) -> Result<SocketAddr, Expected> {
    text.parse().map_err(|_| ADDRESS)
}

/// As it would be written: the largest unit that divides it.
pub fn show_duration(duration: Duration) -> String {
    let seconds = duration.as_secs();
    match [(86_400, 'd'), (3600, 'h'), (60, 'm')]
        .into_iter()
        .find(|(unit, _)| seconds > 0 && seconds.is_multiple_of(*unit))
    {
        Some((unit, letter)) => format!("{}{letter}", seconds / unit),
        None => format!("{seconds}s"),
    }
}

/// A network: a prefix, or a lone address as the prefix that holds it alone. What could be meant in two ways is refused; the
/// error says what is wrong, and the remedy.
pub fn network(text: &str) -> Result<IpNet, (String, String)> {
    let malformed = || {
        (format!("`{text}` is not a network"), "write a prefix like \"192.0.2.0/24\" or \"2001:db8::/32\"".to_owned())
    };
    let prefix = match text.parse::<IpNet>() {
        Ok(prefix) => prefix,
        Err(_) => IpNet::from(text.parse::<IpAddr>().map_err(|_| malformed())?),
    };
    if let IpAddr::V6(address) = prefix.addr()
        && let Some(v4) = address.to_ipv4_mapped()
    {
        let remedy = format!("write the IPv4 network, like \"{v4}/{}\"", prefix.prefix_len().saturating_sub(96).max(8));
        return Err((format!("`{text}` is an IPv4 network written as IPv6, and would match nothing"), remedy));
    }
    if prefix.trunc() != prefix {
        let what = format!("`{text}` has bits beyond its prefix: is one address meant, or the whole network?");
        return Err((what, format!("write \"{}\" or \"{}\"", prefix.trunc(), IpNet::from(prefix.addr()))));
    }
    Ok(prefix)
}

fn number_and_unit(text: &str) -> Option<(u64, &str)> {
    let text = text.trim();
    let digits = text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len());
    let (number, unit) = text.split_at(digits);
    Some((number.parse().ok()?, unit.trim_start()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_are_read_and_shown() {
        for (text, seconds) in [("90s", 90), ("15m", 900), ("12h", 43_200), ("30d", 2_592_000), ("0", 0), ("0s", 0)] {
            assert_eq!(duration(text), Ok(Duration::from_secs(seconds)), "{text}");
        }
        assert_eq!(show_duration(Duration::from_mins(15)), "15m");
        assert_eq!(show_duration(Duration::from_secs(90)), "90s");
        assert_eq!(show_duration(Duration::ZERO), "0s");
    }

    #[test]
    fn a_duration_without_or_with_a_wrong_unit_is_refused() {
        for text in ["15", "15 minutes", "-1m", "1.5h", "m", "", "99999999999d", "36601d"] {
            assert!(duration(text).is_err(), "{text}");
        }
        assert!(Quantity::Number(15).duration().is_err());
        assert_eq!(Quantity::Number(0).duration(), Ok(Duration::ZERO));
    }

    #[test]
    fn sizes_are_read() {
        assert_eq!(size("64KiB"), Ok(65_536));
        assert_eq!(size("1 MiB"), Ok(1_048_576));
        assert_eq!(Quantity::Number(512).size(), Ok(512));
        for text in ["64KB", "1.5MiB", "x", "99999999999999GiB"] {
            assert!(size(text).is_err(), "{text}");
        }
    }

    #[test]
    fn an_address_needs_its_port() {
        assert!(socket_address("0.0.0.0:8080").is_ok() && socket_address("[::1]:0").is_ok());
        assert!(socket_address("0.0.0.0").is_err() && socket_address("localhost:80").is_err());
    }

    #[test]
    fn hdr_7_networks_that_do_not_mean_what_they_say_are_refused() {
        for text in
            ["::ffff:10.0.0.0/8", "::ffff:10.0.0.0/104", "10.9.0.1/8", "2001:db8::1/32", "10.0.0.0/33", "office", ""]
        {
            assert!(network(text).is_err(), "{text}");
        }
        assert_eq!(network("10.9.0.1/8").unwrap_err().1, "write \"10.0.0.0/8\" or \"10.9.0.1/32\"");
    }

    #[test]
    fn prefixes_and_lone_addresses_are_networks() {
        for (text, prefix) in
            [("10.0.0.0/8", "10.0.0.0/8"), ("10.9.0.1", "10.9.0.1/32"), ("2001:db8::/32", "2001:db8::/32")]
        {
            assert_eq!(network(text).unwrap().to_string(), prefix);
        }
    }
}
