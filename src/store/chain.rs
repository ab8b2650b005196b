//! The chain of the audit trail.
//!
//! * A **link** is a row's MAC (`Purpose::AuditChain`) over the link before it and the row's own canonical bytes: a row
//!   edited, deleted, inserted or moved breaks the chain there. The link before the first belongs to the installation.
//! * The **head** says how many events there are and what the last link is, under a MAC of its own: rows cut off at the
//!   end are missed.

use aws_lc_rs::hmac;

use super::StoreError;
use super::audit::{ChainState, EventRow};
use super::sql::{Row, Snapshot};
use crate::secret::{Keyring, Purpose, equal, framed};

/// What the trail of one installation is chained with.
#[derive(Debug)]
pub(super) struct Trail {
    key: hmac::Key,
    /// The link before the first.
    root: [u8; 32],
}

/// Where the trail ends.
pub(super) struct Head {
    /// The last event's number.
    pub(super) seq: i64,
    /// Its link.
    pub(super) link: [u8; 32],
    /// A MAC over both.
    pub(super) mac: [u8; 32],
}

/// How many events are read at once.
const PAGE: i64 = 1000;

// === impl Trail ===

impl Trail {
    /// That of the installation with these random bytes.
    pub(super) fn new(keyring: &Keyring, installation: &[u8]) -> Self {
        let key = keyring.mac_key(Purpose::AuditChain);
        let root = tag(&key, &[b"root", installation]);
        Self { key, root }
    }

    /// The head of a trail without events.
    pub(super) fn first_head(&self) -> Head {
        self.head(0, self.root)
    }

    fn head(&self, seq: i64, link: [u8; 32]) -> Head {
        Head { seq, link, mac: tag(&self.key, &[b"head", &seq.to_be_bytes(), &link]) }
    }

    /// The head when `link` is the link after it.
    pub(super) fn next(&self, head: &Head, link: [u8; 32]) -> Head {
        self.head(head.seq + 1, link)
    }

    /// Whether only we can have written this head.
    pub(super) fn is_whole(&self, head: &Head) -> bool {
        equal(&self.head(head.seq, head.link).mac, &head.mac)
    }

    /// The link of `row` behind `previous`.
    pub(super) fn link(&self, previous: &[u8; 32], row: &EventRow) -> [u8; 32] {
        tag(&self.key, &[b"event", previous, &row.canonical()])
    }

    /// Follows the chain from its root to `head`, and looks for rows beyond.
    pub(super) async fn walk(&self, snapshot: &mut Snapshot, head: &Head) -> Result<ChainState, StoreError> {
        let mut link = self.root;
        let mut seq = 0;
        loop {
            let page = snapshot.rows(sqlx::query(PAGE_OF_EVENTS).bind(seq).bind(PAGE)).await?;
            for row in &page {
                match self.step(head, seq, &link, row) {
                    Ok(next) => link = next,
                    Err(broken) => return Ok(broken),
                }
                seq += 1;
            }
            if page.is_empty() {
                return Ok(head.end(seq, &link));
            }
        }
    }

    /// The link of the row after `seq`, or how the chain is broken there.
    fn step(&self, head: &Head, seq: i64, link: &[u8; 32], row: &Row) -> Result<[u8; 32], ChainState> {
        let expected = seq + 1;
        let broken = |what| ChainState::Broken { seq: expected, what };
        let event = EventRow::read(row).map_err(|_| broken("the event was changed"))?;
        if event.seq > head.seq {
            return Err(ChainState::Broken { seq: event.seq, what: "the event was added by another hand" });
        }
        if event.seq != expected {
            return Err(broken("the event is missing"));
        }
        let right = self.link(link, &event);
        if hex::encode(right) != event.link {
            return Err(broken("the event was changed, moved or put in by another hand"));
        }
        Ok(right)
    }
}

const PAGE_OF_EVENTS: &str = "SELECT seq, at, actor, door, act, subject, target, result, address, request_id, details, link \
     FROM audit WHERE seq > $1 ORDER BY seq LIMIT $2";

fn tag(key: &hmac::Key, parts: &[&[u8]]) -> [u8; 32] {
    hmac::sign(key, &framed(parts)).as_ref().try_into().expect("HMAC-SHA-256 is 32 bytes")
}

// === impl Head ===

impl Head {
    /// From its row.
    pub(super) fn read(row: &Row) -> Result<Self, StoreError> {
        let bytes = |column| {
            let stored: Vec<u8> = row.get(column)?;
            <[u8; 32]>::try_from(stored).map_err(|_| StoreError::unreadable(column))
        };
        Ok(Self { seq: row.get("seq")?, link: bytes("link")?, mac: bytes("mac")? })
    }

    /// What is to be said of a chain that was followed without a fault to `seq`, whose link is `link`.
    fn end(&self, seq: i64, link: &[u8; 32]) -> ChainState {
        if seq < self.seq {
            return ChainState::Broken { seq: seq + 1, what: "the events from here to the end are missing" };
        }
        if !equal(link, &self.link) {
            return ChainState::Broken { seq, what: "the last event is not the one the trail ended with" };
        }
        ChainState::Whole(seq)
    }
}
