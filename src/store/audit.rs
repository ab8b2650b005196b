//! The audit trail's rows. Appended inside the transaction of what they tell; chained by HMAC.
//!
//! Appending takes the next numbers, and with them every other writer's turn; then come the links (`chain.rs`). Nothing is
//! appended behind a head that was changed: that would cover the traces.

use std::net::IpAddr;

use super::chain::{Head, Trail};
use super::sql::{Row, Tx, without_nul};
use super::{Store, StoreError};
use crate::identity::UserId;
use crate::secret::framed;
use crate::time::Timestamp;

/// An event to append. Texts name no secrets; people are named by id alone, so that anonymising a user needs no change here.
#[derive(Debug, Clone)]
pub struct NewEvent {
    /// When.
    pub at: Timestamp,
    /// Who did it; none: the gateway itself, the command line, or somebody unknown.
    pub actor: Option<UserId>,
    /// By which door: `page`, `api`, `command`, `gateway`.
    pub door: &'static str,
    /// What: a dotted stable name, `login.refused`.
    pub act: &'static str,
    /// To whom, when to a user.
    pub user: Option<UserId>,
    /// To what else: an operation's id, a session's id, a rule.
    pub target: Option<String>,
    /// `ok`, `refused` or `failed`.
    pub result: &'static str,
    /// From where.
    pub address: Option<IpAddr>,
    /// The request's id.
    pub request_id: Option<String>,
    /// The rest, a JSON object; bounded to 4 KiB by the audit module.
    pub details: serde_json::Value,
}

/// A stored event.
#[derive(Debug, Clone, serde::Serialize)]
pub struct EventRow {
    /// From 1, without gaps.
    pub seq: i64,
    /// When.
    pub at: Timestamp,
    /// Who.
    pub actor: Option<UserId>,
    /// Door.
    pub door: String,
    /// Act.
    pub act: String,
    /// Whom.
    pub user: Option<UserId>,
    /// What.
    pub target: Option<String>,
    /// Result.
    pub result: String,
    /// Address.
    pub address: Option<String>,
    /// Request id.
    pub request_id: Option<String>,
    /// Details, JSON text as chained.
    pub details: String,
    /// This row's link, 32 bytes hex.
    pub link: String,
}

/// Which events are wanted: all that fit every part that is given.
#[derive(Debug, Clone, Default)]
pub struct EventFilter {
    /// Done by them or to them.
    pub person: Option<UserId>,
    /// This act, or those below it: `login` includes `login.refused`.
    pub act: Option<String>,
    /// Not earlier.
    pub from: Option<Timestamp>,
    /// Earlier than this.
    pub until: Option<Timestamp>,
    /// From this address.
    pub address: Option<IpAddr>,
    /// About this: an operation's id, a session's id, a rule.
    pub target: Option<String>,
    /// With this result.
    pub result: Option<String>,
}

/// The first broken place of the chain.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ChainState {
    /// Whole, so many events.
    Whole(i64),
    /// Broken.
    Broken {
        /// At this sequence number.
        seq: i64,
        /// How.
        what: &'static str,
    },
}

/// Why nothing is appended.
const HEAD_CHANGED: &str = "the record of where the audit trail ends was changed by another hand: \
                            look with `vantail audit verify`, then restore a backup";

/// What [`EventFilter`] says, in its order, from $1 on.
macro_rules! filtered {
    ($rest:literal) => {
        concat!(
            "SELECT seq, at, actor, door, act, subject, target, result, address, request_id, details, link FROM audit ",
            "WHERE ($1 IS NULL OR actor = $1 OR subject = $1) ",
            "AND ($2 IS NULL OR act = $2 OR substr(act, 1, length($2) + 1) = $2 || '.') ",
            "AND ($3 IS NULL OR at >= $3) AND ($4 IS NULL OR at < $4) ",
            "AND ($5 IS NULL OR address = $5) AND ($6 IS NULL OR target = $6) AND ($7 IS NULL OR result = $7) ",
            $rest
        )
    };
}

// === impl Store ===

impl Store {
    /// Events after `after`, oldest first, at most `limit`.
    pub async fn events(&self, after: i64, limit: i64) -> Result<Vec<EventRow>, StoreError> {
        self.find_events(&EventFilter::default(), after, limit).await
    }

    /// Events after `after` that fit `filter`, oldest first, at most `limit`.
    pub async fn find_events(&self, filter: &EventFilter, after: i64, limit: i64) -> Result<Vec<EventRow>, StoreError> {
        let query = filter.bind(sqlx::query(filtered!("AND seq > $8 ORDER BY seq LIMIT $9")));
        events_of(&self.rows(query.bind(after).bind(limit)).await?)
    }

    /// Whether the trail holds an event `act` about `target`.
    pub async fn has_event(&self, act: &str, target: &str) -> Result<bool, StoreError> {
        let query = sqlx::query("SELECT seq FROM audit WHERE target = $1 AND act = $2 LIMIT 1");
        Ok(self.row(query.bind(target).bind(act)).await?.is_some())
    }

    /// The last `limit` events that fit `filter`, oldest first.
    pub async fn last_events(&self, filter: &EventFilter, limit: i64) -> Result<Vec<EventRow>, StoreError> {
        let query = filter.bind(sqlx::query(filtered!("ORDER BY seq DESC LIMIT $8")));
        let mut events = events_of(&self.rows(query.bind(limit)).await?)?;
        events.reverse();
        Ok(events)
    }

    /// Walks the whole chain, the head (seq and its MAC kept apart) included.
    pub async fn verify_chain(&self) -> Result<ChainState, StoreError> {
        let mut snapshot = self.snapshot().await?;
        let trail = &self.inner.trail;
        let row = snapshot.row(sqlx::query("SELECT seq, link, mac FROM audit_head WHERE id = 1")).await?;
        let Some(head) = row.as_ref().map(Head::read).transpose()?.filter(|head| trail.is_whole(head)) else {
            return Ok(ChainState::Broken { seq: 0, what: "the record of where the trail ends was changed" });
        };
        trail.walk(&mut snapshot, &head).await
    }
}

// === impl EventFilter ===

impl EventFilter {
    fn bind<'q>(&self, query: super::sql::Query<'q>) -> super::sql::Query<'q> {
        query
            .bind(self.person.map(|person| person.to_string()))
            .bind(self.act.clone())
            .bind(self.from.map(Timestamp::as_millis))
            .bind(self.until.map(Timestamp::as_millis))
            .bind(self.address.map(|address| address.to_string()))
            .bind(self.target.clone())
            .bind(self.result.clone())
    }
}

// === impl Tx ===

impl Tx<'_> {
    /// Appends `events` to the trail: takes their numbers (and with them every other writer's turn), checks where the
    /// trail ends, links them, and says where it ends now.
    pub(super) async fn append(&mut self, trail: &Trail, events: &[NewEvent]) -> Result<(), StoreError> {
        if events.is_empty() {
            return Ok(());
        }
        let count = i64::try_from(events.len()).expect("a change has few events");
        let taken =
            sqlx::query("UPDATE audit_head SET seq = seq + $1 WHERE id = 1 RETURNING seq - $1 AS seq, link, mac");
        let mut head = match self.row(taken.bind(count)).await? {
            Some(row) => Head::read(&row)?,
            None => return Err(StoreError::Damaged(HEAD_CHANGED.to_owned())),
        };
        if !trail.is_whole(&head) {
            return Err(StoreError::Damaged(HEAD_CHANGED.to_owned()));
        }
        for event in events {
            head = trail.next(&head, self.insert_event(trail, &head, event).await?);
        }
        let put = sqlx::query("UPDATE audit_head SET link = $1, mac = $2 WHERE id = 1");
        self.execute(put.bind(head.link.to_vec()).bind(head.mac.to_vec())).await.map(drop)
    }

    async fn insert_event(&mut self, trail: &Trail, head: &Head, event: &NewEvent) -> Result<[u8; 32], StoreError> {
        let row = EventRow::of(head.seq + 1, event);
        let link = trail.link(&head.link, &row);
        let query = sqlx::query(
            "INSERT INTO audit (seq, at, actor, door, act, subject, target, result, address, request_id, details, link) \
             VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12)",
        )
        .bind(row.seq)
        .bind(row.at.as_millis())
        .bind(row.actor.map(|actor| actor.to_string()))
        .bind(row.door)
        .bind(row.act)
        .bind(row.user.map(|user| user.to_string()))
        .bind(row.target)
        .bind(row.result)
        .bind(row.address)
        .bind(row.request_id)
        .bind(row.details)
        .bind(link.to_vec());
        self.execute(query).await?;
        Ok(link)
    }
}

// === impl EventRow ===

impl EventRow {
    fn of(seq: i64, event: &NewEvent) -> Self {
        Self {
            seq,
            at: event.at,
            actor: event.actor,
            door: event.door.to_owned(),
            act: event.act.to_owned(),
            user: event.user,
            target: event.target.as_deref().map(without_nul),
            result: event.result.to_owned(),
            address: event.address.map(|address| address.to_string()),
            request_id: event.request_id.as_deref().map(without_nul),
            details: event.details.to_string(),
            link: String::new(),
        }
    }

    pub(super) fn read(row: &Row) -> Result<Self, StoreError> {
        Ok(Self {
            seq: row.get("seq")?,
            at: row.time("at")?,
            actor: row.maybe_word("actor")?,
            door: row.get("door")?,
            act: row.get("act")?,
            user: row.maybe_word("subject")?,
            target: row.get("target")?,
            result: row.get("result")?,
            address: row.get("address")?,
            request_id: row.get("request_id")?,
            details: row.get("details")?,
            link: hex::encode(row.get::<Vec<u8>>("link")?),
        })
    }

    /// Everything but the link, so that no two rows have the same bytes: nothing and the empty text differ too.
    pub(super) fn canonical(&self) -> Vec<u8> {
        let actor = self.actor.map(|actor| actor.to_string());
        let user = self.user.map(|user| user.to_string());
        framed(&[
            &self.seq.to_be_bytes(),
            &self.at.as_millis().to_be_bytes(),
            &maybe(actor.as_deref()),
            self.door.as_bytes(),
            self.act.as_bytes(),
            &maybe(user.as_deref()),
            &maybe(self.target.as_deref()),
            self.result.as_bytes(),
            &maybe(self.address.as_deref()),
            &maybe(self.request_id.as_deref()),
            self.details.as_bytes(),
        ])
    }
}

fn maybe(text: Option<&str>) -> Vec<u8> {
    text.map(|text| framed(&[text.as_bytes()])).unwrap_or_default()
}

fn events_of(rows: &[Row]) -> Result<Vec<EventRow>, StoreError> {
    rows.iter().map(EventRow::read).collect()
}
