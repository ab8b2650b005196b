//! Room in memory for bodies that are read whole.
//!
//! A body that is held, or that a rule looks into, stands in memory until it is stored or sent on. Each has its limit; the
//! **room** bounds all of them together, so that many at once cannot take all the memory there is. A body takes its **place**
//! piece by piece, as it arrives: who promises a long one and sends nothing takes nothing. Where no room is left, the request
//! that asks for more is refused (503) and gives back what it had, so that the others come to their end.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

/// The bytes that all bodies of one kind take together.
#[derive(Debug, Default)]
pub(super) struct Room {
    taken: AtomicUsize,
}

/// What one body takes of a room; given back when dropped.
#[derive(Debug)]
pub(super) struct Place {
    room: Arc<Room>,
    bytes: usize,
}

/// The room is full.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("no room for the body: {taken} of {most} bytes are taken by others at once")]
pub(super) struct NoRoom {
    taken: usize,
    most: usize,
}

// === impl Room ===

impl Room {
    /// An empty place.
    pub fn place(self: &Arc<Self>) -> Place {
        Place { room: Arc::clone(self), bytes: 0 }
    }
}

// === impl Place ===

impl Place {
    /// Takes `more` bytes, if all bodies together then take at most `most`.
    pub fn grow(&mut self, more: usize, most: usize) -> Result<(), NoRoom> {
        let grown = |taken: usize| taken.checked_add(more).filter(|sum| *sum <= most);
        self.room
            .taken
            .fetch_update(Ordering::Relaxed, Ordering::Relaxed, grown)
            .map_err(|taken| NoRoom { taken, most })?;
        self.bytes += more;
        Ok(())
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        self.room.taken.fetch_sub(self.bytes, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_places_together_stay_within_the_room_and_give_back_what_they_took() {
        let room = Arc::new(Room::default());
        let (mut one, mut other) = (room.place(), room.place());
        assert_eq!(one.grow(60, 100), Ok(()));
        assert_eq!(other.grow(40, 100), Ok(()));
        assert_eq!(other.grow(1, 100), Err(NoRoom { taken: 100, most: 100 }));
        drop(one);
        assert_eq!(other.grow(60, 100), Ok(()), "what was refused took nothing");
        assert_eq!(other.grow(usize::MAX, usize::MAX), Err(NoRoom { taken: 100, most: usize::MAX }));
        drop(other);
        assert_eq!(room.taken.load(Ordering::Relaxed), 0);
    }

    #[test]
    fn however_many_take_at_once_never_more_than_the_room_is_taken() {
        let room = Arc::new(Room::default());
        let takers = (0..8).map(|_| {
            let room = Arc::clone(&room);
            std::thread::spawn(move || {
                for _ in 0..10_000 {
                    let mut place = room.place();
                    while place.grow(7, 100).is_ok() {}
                    assert!(room.taken.load(Ordering::Relaxed) <= 100);
                }
            })
        });
        takers.collect::<Vec<_>>().into_iter().for_each(|taker| taker.join().unwrap());
        assert_eq!(room.taken.load(Ordering::Relaxed), 0);
    }
}
