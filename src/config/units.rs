//! Durations, sizes and addresses as the files write them.

use std::net::SocketAddr;
use std::time::Duration;

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
        assert_eq!(show_duration(Duration::from_secs(900)), "15m");
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
}
