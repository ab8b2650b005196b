//! Room in memory for bodies that are read whole.
//!
//! A body that is held, or that a rule looks into, stands in memory until it is stored or sent on. Each has its limit; the
//! **room** bounds all of them together, so that many at once cannot take all the memory there is. Each has an **owner**, and
//! what one owner takes is bounded by a share, so that nobody can take it all. A body takes its **place** step by step, as it
//! arrives: who promises a long one and sends nothing takes nothing. Whose body finds no room for its next step is refused
//! (503) and gives back what it had, which others may take from then on. Several that ask for the last of it at the same
//! moment may all be refused.

use std::collections::HashMap;
use std::net::{IpAddr, Ipv6Addr};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crate::identity::UserId;

/// The bytes that all bodies of one kind take together.
#[derive(Debug, Default)]
pub(super) struct Room {
    taken: Mutex<Taken>,
}

#[derive(Debug, Default)]
struct Taken {
    all: usize,
    /// Of those who take anything.
    by_owner: HashMap<Owner, usize>,
}

/// Whose body it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) enum Owner {
    /// Somebody signed in, from wherever they ask.
    User(UserId),
    /// Nobody we know: see [`Owner::at`].
    Network(IpAddr),
}

/// What may be taken, in bytes.
#[derive(Debug, Clone, Copy)]
pub(super) struct Extent {
    /// By all bodies together.
    pub all: usize,
    /// By one owner's together.
    pub share: usize,
    /// By each body, beside the room: as much costs nothing.
    pub free: usize,
}

/// What one body takes of a room; given back when dropped. It must live as long as the body's bytes do.
#[derive(Debug)]
pub(super) struct Place {
    room: Arc<Room>,
    owner: Owner,
    extent: Extent,
    bytes: usize,
}

/// There is no room for more.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(super) enum NoRoom {
    /// All together take too much.
    #[error("no room for the body: {taken} of {most} bytes are taken, its own counted too")]
    Full { taken: usize, most: usize },
    /// Its owner does.
    #[error("no room for the body: {taken} of the {most} bytes of one user or address are taken, its own counted too")]
    Share { taken: usize, most: usize },
}

// === impl Room ===

impl Room {
    /// An empty place.
    pub fn place(self: &Arc<Self>, owner: Owner, extent: Extent) -> Place {
        Place { room: Arc::clone(self), owner, extent, bytes: 0 }
    }

    fn take(&self, owner: Owner, more: usize, extent: Extent) -> Result<(), NoRoom> {
        let mut taken = self.taken();
        let own = taken.by_owner.get(&owner).copied().unwrap_or(0);
        let within = |had: usize, most: usize| had.checked_add(more).filter(|sum| *sum <= most);
        let share = within(own, extent.share).ok_or(NoRoom::Share { taken: own, most: extent.share })?;
        taken.all = within(taken.all, extent.all).ok_or(NoRoom::Full { taken: taken.all, most: extent.all })?;
        taken.by_owner.insert(owner, share);
        Ok(())
    }

    fn give_back(&self, owner: Owner, bytes: usize) {
        let mut taken = self.taken();
        taken.all -= bytes;
        if let Some(own) = taken.by_owner.get_mut(&owner) {
            *own -= bytes;
            if *own == 0 {
                taken.by_owner.remove(&owner);
            }
        }
    }

    fn taken(&self) -> MutexGuard<'_, Taken> {
        self.taken.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

// === impl Owner ===

impl Owner {
    /// Whoever asks from `address`. Of IPv6 the first 64 bits: whoever has those chooses the others.
    pub fn at(address: IpAddr) -> Self {
        Self::Network(match address {
            IpAddr::V4(_) => address,
            IpAddr::V6(address) => Ipv6Addr::from_bits(address.to_bits() & (u128::MAX << 64)).into(),
        })
    }
}

// === impl Place ===

impl Place {
    /// Takes what is missing for a body that takes `bytes` of memory now.
    pub fn reach(&mut self, bytes: usize) -> Result<(), NoRoom> {
        let wanted = bytes.saturating_sub(self.extent.free);
        let more = wanted.saturating_sub(self.bytes);
        if more > 0 {
            self.room.take(self.owner, more, self.extent)?;
            self.bytes = wanted;
        }
        Ok(())
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        self.room.give_back(self.owner, self.bytes);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ALL: Extent = Extent { all: 100, share: 100, free: 0 };

    fn owner(address: &str) -> Owner {
        Owner::at(address.parse().unwrap())
    }

    fn all_taken(room: &Room) -> usize {
        room.taken().all
    }

    #[test]
    fn all_places_together_stay_within_the_room_and_give_back_what_they_took() {
        let room = Arc::new(Room::default());
        let (mut one, mut other) = (room.place(owner("10.0.0.1"), ALL), room.place(owner("10.0.0.2"), ALL));
        assert_eq!(one.reach(60), Ok(()));
        assert_eq!(other.reach(40), Ok(()));
        assert_eq!(other.reach(39), Ok(()), "what is taken already is not taken again");
        assert_eq!(other.reach(41), Err(NoRoom::Full { taken: 100, most: 100 }));
        drop(one);
        assert_eq!(other.reach(100), Ok(()), "what was refused took nothing");
        assert_eq!(other.reach(usize::MAX), Err(NoRoom::Share { taken: 100, most: 100 }));
        drop(other);
        assert_eq!(all_taken(&room), 0);
        assert!(room.taken().by_owner.is_empty(), "who takes nothing is not remembered");
    }

    #[test]
    fn nobody_takes_more_than_their_share_in_however_many_places() {
        let room = Arc::new(Room::default());
        let extent = Extent { share: 30, ..ALL };
        let place = |address| room.place(owner(address), extent);
        let (mut one, mut two, mut other) = (place("2001:db8::1"), place("2001:db8::ffff:2"), place("2001:db8:0:1::1"));
        assert_eq!(one.reach(20), Ok(()));
        assert_eq!(two.reach(11), Err(NoRoom::Share { taken: 20, most: 30 }), "addresses of one /64 are one client's");
        assert_eq!(two.reach(10), Ok(()));
        assert_eq!(other.reach(30), Ok(()), "the room is there for others");
        drop(one);
        assert_eq!(two.reach(30), Ok(()));
        assert_ne!(owner("10.0.0.1"), owner("10.0.0.2"));
    }

    #[test]
    fn what_is_free_costs_nothing_even_where_nothing_is_left() {
        let room = Arc::new(Room::default());
        let extent = Extent { free: 40, ..ALL };
        let mut long = room.place(owner("10.0.0.1"), extent);
        assert_eq!(long.reach(140), Ok(()));
        let mut short = room.place(owner("10.0.0.1"), extent);
        assert_eq!(short.reach(40), Ok(()));
        assert_eq!(short.reach(41), Err(NoRoom::Share { taken: 100, most: 100 }));
        assert_eq!(all_taken(&room), 100);
    }

    #[test]
    fn however_many_take_at_once_never_more_than_the_room_is_taken() {
        let room = Arc::new(Room::default());
        let takers = (0..8).map(|taker| {
            let room = Arc::clone(&room);
            std::thread::spawn(move || {
                for _ in 0..10_000 {
                    let mut place = room.place(owner(&format!("10.0.0.{taker}")), ALL);
                    let refused = (1..=15).find(|step| place.reach(step * 7).is_err());
                    assert!(refused.is_some(), "a place larger than the room");
                    assert!(all_taken(&room) <= 100);
                }
            })
        });
        takers.collect::<Vec<_>>().into_iter().for_each(|taker| taker.join().unwrap());
        assert_eq!(all_taken(&room), 0);
    }
}
