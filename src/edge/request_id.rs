//! The number of each request, as log, pages, audit trail and backends have it: a UUID of version 7.

use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};

use uuid::{Builder, Uuid};

use crate::secret::Random;
use crate::time::Timestamp;

/// Makes them. Randomness is drawn for many at once: drawing costs the same for ten bytes as for hundreds.
pub(super) struct RequestIds {
    random: Arc<dyn Random>,
    drawn: Mutex<Drawn>,
}

/// Randomness not used yet. An id is no secret, so that it may lie here for a while.
struct Drawn {
    bytes: [u8; BYTES * AT_ONCE],
    left: usize,
}

/// Random bytes in one id.
const BYTES: usize = 10;
/// Ids that are drawn for.
const AT_ONCE: usize = 64;

// === impl RequestIds ===

impl RequestIds {
    pub fn new(random: Arc<dyn Random>) -> Self {
        Self { random, drawn: Mutex::new(Drawn { bytes: [0; BYTES * AT_ONCE], left: 0 }) }
    }

    /// The next one.
    pub fn next(&self, now: Timestamp) -> Arc<str> {
        let millis = u64::try_from(now.as_millis()).unwrap_or(0);
        let id = Builder::from_unix_timestamp_millis(millis, &self.draw()).into_uuid();
        Arc::from(&*id.hyphenated().encode_lower(&mut Uuid::encode_buffer()))
    }

    fn draw(&self) -> [u8; BYTES] {
        let mut drawn = self.drawn.lock().unwrap_or_else(PoisonError::into_inner);
        if drawn.left == 0 {
            self.random.fill(&mut drawn.bytes);
            drawn.left = AT_ONCE;
        }
        drawn.left -= 1;
        let (pieces, _) = drawn.bytes.as_chunks::<BYTES>();
        pieces[drawn.left]
    }
}

impl fmt::Debug for RequestIds {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RequestIds").finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;
    use crate::secret::SystemRandom;

    #[test]
    fn no_two_are_alike_and_each_tells_its_time() {
        let ids = RequestIds::new(Arc::new(SystemRandom));
        let now = Timestamp::from_millis(1_772_366_400_123);
        let made: HashSet<_> = (0..1000).map(|_| ids.next(now)).collect();
        assert_eq!(made.len(), 1000);
        for id in made {
            let id: Uuid = id.parse().unwrap();
            assert_eq!((id.get_version_num(), id.get_variant()), (7, uuid::Variant::RFC4122));
            assert_eq!(id.get_timestamp().unwrap().to_unix(), (1_772_366_400, 123_000_000));
        }
    }
}
