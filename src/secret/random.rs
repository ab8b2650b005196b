//! Randomness: a parameter of whatever needs it, so that tests bring their own.

use std::fmt;

/// Where randomness comes from. Tests bring their own.
pub trait Random: Send + Sync + fmt::Debug {
    /// Fills `buffer` with bytes nobody can guess.
    fn fill(&self, buffer: &mut [u8]);
}

/// The operating system's randomness.
#[derive(Debug, Clone, Copy, Default)]
pub struct SystemRandom;

// === impl Random ===

impl Random for SystemRandom {
    fn fill(&self, buffer: &mut [u8]) {
        // The generator is seeded by the kernel and reports an error only when the kernel cannot give randomness at all;
        // going on without would be worse than stopping.
        aws_lc_rs::rand::fill(buffer).expect("the operating system gives randomness");
    }
}

/// `N` random bytes.
pub fn random_bytes<const N: usize>(random: &dyn Random) -> [u8; N] {
    let mut bytes = [0; N];
    random.fill(&mut bytes);
    bytes
}

/// `count` random decimal digits, each equally likely.
pub fn random_digits(random: &dyn Random, count: usize) -> String {
    let mut digits = String::with_capacity(count);
    while digits.len() < count {
        let [byte] = random_bytes::<1>(random);
        // 250 is the largest multiple of ten in a byte: the rest would favour small digits.
        if byte < 250 {
            digits.push(char::from(b'0' + byte % 10));
        }
    }
    digits
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn random_digits_are_digits() {
        let digits = random_digits(&SystemRandom, 64);
        assert_eq!(digits.len(), 64);
        assert!(digits.bytes().all(|byte| byte.is_ascii_digit()));
    }
}
