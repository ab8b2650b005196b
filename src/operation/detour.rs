//! A **detour**: whoever sent a request must first prove more, and the request is **laid aside** meanwhile.
//!
//! ```text
//! laid aside ──▶ used      it left once, or is held; never sent again
//!     └────────▶ gone      ten minutes passed, its session ended, or the policy refuses it now
//! ```
//! What can be asked for again without harm needs none of this: the browser is simply led back. A detour is for the rest. It
//! belongs to the session it came in, is sealed with it, and is found by its id by that session alone. A **ticket** leads the
//! browser back to the address of the request; whoever shows it there has the request decided again, as it is and as they are
//! then, and used. *Used* is committed before the first byte leaves: whatever breaks off after that loses the request rather
//! than send it twice.

use std::fmt;
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

use super::CapturedRequest;
use super::framing::{Reader, Writer};
use crate::account::Accounts;
use crate::audit::{NewEvent, Origin};
use crate::identity::SignedIn;
use crate::policy::StepUp;
use crate::policy::security::Holding;
use crate::secret::{Place, Purpose, Sealed, equal, random_bytes};
use crate::store::detours::{DetourRequest, DetourRow, DetourTarget, Shelf, Whose};
use crate::store::{Store, StoreError};
use crate::time::Timestamp;

/// A detour's id: 16 random bytes, as they stand in addresses and in names of cookies.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DetourId(String);

/// Requests laid aside, over the store.
#[derive(Debug)]
pub struct Detours<'a> {
    accounts: &'a Accounts,
}

/// A request to lay aside.
#[derive(Debug)]
pub struct Aside<'a> {
    /// Who sent it, in which session.
    pub sender: &'a SignedIn,
    /// To which site.
    pub site: &'a str,
    /// What is asked for first.
    pub step_up: StepUp,
    /// All of it, but for its cookies: those of the moment go with it.
    pub request: CapturedRequest,
}

/// A detour, as its own session finds it.
#[derive(Debug)]
pub struct Detour {
    /// Its id.
    pub id: DetourId,
    /// For which site.
    pub site: String,
    /// What was asked for.
    pub step_up: StepUp,
    /// Path and query, as they were sent.
    pub target: String,
    /// What the request takes, bytes.
    pub length: usize,
    /// Whether it was used already.
    pub is_used: bool,
}

/// Why not.
#[derive(Debug, thiserror::Error)]
pub enum DetourError {
    /// What was laid aside was changed by somebody else than the gateway.
    #[error("the seal of a request laid aside is broken")]
    SealBroken,
    /// Nothing can be looked up or stored.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// How long a request lies aside.
const LIFETIME: Duration = Duration::from_mins(10);
/// Requests of one user that lie aside at once, in however many tabs.
const MOST_OF_ONE: i64 = 20;
/// The first byte of the encoding.
const VERSION: u8 = 1;

// === impl DetourId ===

impl DetourId {
    /// Reads an id.
    pub fn parse(text: &str) -> Option<Self> {
        let bytes = URL_SAFE_NO_PAD.decode(text).ok()?;
        (bytes.len() == 16).then(|| Self(text.to_owned()))
    }

    /// As text: letters, digits, `-` and `_`.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for DetourId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

// === impl Detours ===

impl<'a> Detours<'a> {
    /// Those in the store of `accounts`.
    pub fn of(accounts: &'a Accounts) -> Self {
        Self { accounts }
    }

    /// Whether one more of `sender` may lie aside: asked before a request is read whole, so that nobody is read in vain.
    /// Laying it aside counts again, and decides.
    pub async fn may_lay_aside(&self, sender: &SignedIn, now: Timestamp) -> Result<bool, StoreError> {
        Ok(self.store().count_detours(sender.user.id, now).await? < MOST_OF_ONE)
    }

    /// Lays a request aside; nothing when there is no room. One user takes a quarter of the room at most, or one body.
    pub async fn lay_aside(
        &self,
        aside: Aside<'_>,
        holding: &Holding,
        origin: &Origin,
    ) -> Result<Option<DetourId>, StoreError> {
        let id = DetourId(URL_SAFE_NO_PAD.encode(random_bytes::<16>(&*self.accounts.random)));
        let sealed = self.sealed(&id, &aside);
        let row = DetourRow {
            id: id.0.clone(),
            user: aside.sender.user.id,
            session: aside.sender.session,
            site: aside.site.to_owned(),
            factors: aside.step_up.factors,
            fresh: aside.step_up.fresh,
            target: self.seal_target(&id, &aside.request.target),
            length: length(sealed.as_bytes().len()),
            used_at: None,
            created_at: origin.now,
            expires_at: origin.now.plus(LIFETIME),
        };
        let event = event(origin, "request.laid-aside", aside.sender, aside.site, &aside.request);
        let stored = self.store().insert_detour(&row, &sealed, shelf(holding), &[event]).await?;
        Ok(stored.then_some(id))
    }

    /// The detour of `sender`'s own session.
    pub async fn find(&self, id: &DetourId, sender: &SignedIn, now: Timestamp) -> Result<Option<Detour>, DetourError> {
        let Some(row) = self.store().detour(&id.0, whose(sender, now)).await? else { return Ok(None) };
        let target = self.accounts.keyring.open(target_place(id), &row.target).map_err(|_| DetourError::SealBroken)?;
        Ok(Some(Detour {
            id: id.clone(),
            site: row.site,
            step_up: StepUp { factors: row.factors, fresh: row.fresh },
            target: String::from_utf8(target).map_err(|_| DetourError::SealBroken)?,
            length: usize::try_from(row.length).map_err(|_| DetourError::SealBroken)?,
            is_used: row.used_at.is_some(),
        }))
    }

    /// The request itself; nothing when it was used meanwhile.
    pub async fn request(
        &self,
        detour: &Detour,
        sender: &SignedIn,
        now: Timestamp,
    ) -> Result<Option<CapturedRequest>, DetourError> {
        let Some(sealed) = self.store().detour_request(&detour.id.0, whose(sender, now)).await? else {
            return Ok(None);
        };
        let bytes =
            self.accounts.keyring.open(request_place(&detour.id), &sealed).map_err(|_| DetourError::SealBroken)?;
        let request = decode(&bytes, sender, &detour.site).filter(|request| request.target == detour.target);
        request.map(Some).ok_or(DetourError::SealBroken)
    }

    /// Uses it: true for exactly one caller, who may send it, once.
    pub async fn take(
        &self,
        detour: &Detour,
        request: &CapturedRequest,
        sender: &SignedIn,
        origin: &Origin,
    ) -> Result<bool, StoreError> {
        let event = event(origin, "request.resumed", sender, &detour.site, request);
        self.store().use_detour(&detour.id.0, whose(sender, origin.now), &[event]).await
    }

    /// The policy asks for more than it did.
    pub async fn raise(&self, detour: &Detour, step_up: StepUp) -> Result<(), StoreError> {
        self.store().raise_detour(&detour.id.0, step_up.factors, step_up.fresh).await
    }

    /// The policy refuses it now.
    pub async fn forget(&self, detour: &Detour) -> Result<(), StoreError> {
        self.store().drop_detour(&detour.id.0).await
    }

    /// What leads back to `target`, for this detour alone.
    pub fn ticket(&self, id: &DetourId, target: &str) -> String {
        URL_SAFE_NO_PAD.encode(self.accounts.keyring.mac(Purpose::ResumeTicket, &[id.0.as_bytes(), target.as_bytes()]))
    }

    /// Whether `presented` is the ticket of this detour at this address.
    pub fn is_ticket(&self, id: &DetourId, target: &str, presented: &str) -> bool {
        equal(self.ticket(id, target).as_bytes(), presented.as_bytes())
    }

    fn store(&self) -> &Store {
        &self.accounts.store
    }

    fn sealed(&self, id: &DetourId, aside: &Aside<'_>) -> Sealed<DetourRequest> {
        let encoded = encode(aside.sender, aside.site, &aside.request);
        self.accounts.keyring.seal(&*self.accounts.random, request_place(id), &encoded)
    }

    fn seal_target(&self, id: &DetourId, target: &str) -> Sealed<DetourTarget> {
        self.accounts.keyring.seal(&*self.accounts.random, target_place(id), target.as_bytes())
    }
}

/// The request, with whose it is.
fn encode(sender: &SignedIn, site: &str, request: &CapturedRequest) -> Vec<u8> {
    let mut writer = Writer::new(VERSION);
    writer.text(&sender.user.id.to_string());
    writer.text(&sender.session.to_string());
    writer.text(site);
    writer.bytes(&request.encode());
    writer.finish()
}

/// The request, if it is that of `sender`'s session to `site`: a row that somebody moved to another session opens nothing.
fn decode(bytes: &[u8], sender: &SignedIn, site: &str) -> Option<CapturedRequest> {
    let mut reader = Reader::new(bytes, VERSION)?;
    let belongs = [reader.text()?, reader.text()?, reader.text()?];
    let request = CapturedRequest::decode(reader.bytes()?)?;
    reader.end()?;
    (belongs == [sender.user.id.to_string(), sender.session.to_string(), site.to_owned()]).then_some(request)
}

fn whose(sender: &SignedIn, now: Timestamp) -> Whose {
    Whose { user: sender.user.id, session: sender.session, now }
}

/// As much of the database as bodies that are read may take of memory.
fn shelf(holding: &Holding) -> Shelf {
    // What is sealed is a little longer than the body.
    let one = (holding.memory / 4).max(holding.body_limit.saturating_add(LONGEST_HEAD));
    Shelf { requests_of_one: MOST_OF_ONE, bytes_of_one: length(one), bytes_of_all: length(holding.memory.max(one)) }
}

/// No request's fields and target take more, as they are sealed.
const LONGEST_HEAD: usize = 128 * 1024;

fn length(bytes: usize) -> i64 {
    i64::try_from(bytes).unwrap_or(i64::MAX)
}

fn request_place(id: &DetourId) -> Place<'_> {
    Place { table: "detours", column: "request", row: &id.0 }
}

fn target_place(id: &DetourId) -> Place<'_> {
    Place { table: "detours", column: "target", row: &id.0 }
}

fn event(origin: &Origin, act: &'static str, sender: &SignedIn, site: &str, request: &CapturedRequest) -> NewEvent {
    let event = origin.event(act, "ok").about(sender.user.id).on(sender.session.to_string());
    event.with("site", site).with("method", request.method.clone())
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use uuid::Uuid;

    use super::super::capture::tests::request;
    use super::*;
    use crate::identity::{Amr, SessionId, User, UserId, UserState};

    fn sender(session: u128) -> SignedIn {
        let user = User {
            id: UserId(Uuid::from_u128(1)),
            name: "alice".into(),
            full_name: String::new(),
            email: "alice@example.org".into(),
            language: None,
            groups: Vec::new(),
            rights: Vec::new(),
            state: UserState::Active,
            valid_from: None,
            valid_until: None,
        };
        SignedIn {
            session: SessionId(Uuid::from_u128(session)),
            user: Arc::new(user),
            amr: vec![Amr::Pwd],
            auth_time: Timestamp::from_secs(1_000),
            second_factor_at: None,
        }
    }

    #[test]
    fn a_request_is_read_by_its_own_session_for_its_own_site() {
        let bytes = encode(&sender(2), "crm", &request());
        assert_eq!(decode(&bytes, &sender(2), "crm"), Some(request()));
        assert_eq!(decode(&bytes, &sender(3), "crm"), None);
        assert_eq!(decode(&bytes, &sender(2), "erp"), None);
        assert_eq!(decode(&bytes[..bytes.len() - 1], &sender(2), "crm"), None);
        assert_eq!(decode(&[&bytes[..], &[0]].concat(), &sender(2), "crm"), None);
    }

    #[test]
    fn an_id_is_16_bytes() {
        let id = URL_SAFE_NO_PAD.encode([7; 16]);
        assert_eq!(DetourId::parse(&id).unwrap().as_str(), id);
        for wrong in ["", "AAAA", &id[1..], &format!("{id}AA"), &format!("{id}="), "../../secure/operations"] {
            assert_eq!(DetourId::parse(wrong), None, "{wrong}");
        }
    }

    #[test]
    fn the_shelf_has_room_for_one_body_of_the_limit() {
        let holding = Holding { body_limit: 64 << 20, memory: 64 << 20, ..Holding::default() };
        let Shelf { bytes_of_one, bytes_of_all, .. } = shelf(&holding);
        assert!(bytes_of_one > 64 << 20 && bytes_of_all >= bytes_of_one);
        assert_eq!(shelf(&Holding::default()).bytes_of_one, 64 << 20);
    }
}
