//! Sessions: from nothing to signed in, and what a cookie stands for.
//!
//! * A **session token** is in the cookie, its digest in the store and in the **cache**. A **session id** is public and stays
//!   the same when the token is rotated. An owner's change of password or second factor gives it another: it ends all sessions,
//!   and what was opened in this one too.
//! * A **stage** says how far a sign-in has come; only `Live` opens anything. What is not live yet is **pending**, for ten
//!   minutes.
//! * The token is rotated at every change of level: the earlier one is dead at once.
//! * A **temporary** password begins one sign-in. Whoever leaves that one needs another from an administrator.
//! * A **remembered** browser holds a **value** of its **device**. Presented where a sign-in would begin, it is replaced and
//!   begins a session by itself: a **return** ([`login::remembered`]). Such a session is of the first level at most and never
//!   fresh.
//! * **Idle** and **absolute** ends are checked at every look-up; the last use is kept in process and written in batches.
//!
//! ```text
//! password ──→ SecondFactor ──→ ChangePassword ──→ Enrol ──→ Live ──→ ended
//!              (if enrolled)    (if temporary,     (if required       (sign-out, idle, absolute end,
//!                                or too old)        and not enrolled)   an administrator, a changed factor or password)
//! return ────→ SecondFactor ────────────────────────────────→ Live
//!              (if required)
//! ```

pub mod agent;
pub mod cache;
pub mod login;

pub use agent::Agent;
pub use cache::{Presented, Sessions};
pub use login::{Act, Browser, Enrolled, Given, Login, LoginError, Proof, Remember, Return, Step, still_remembered};

use std::sync::Arc;

use crate::identity::{SignedIn, User};
use crate::store::sessions::SessionRow;

/// What a live row of `user` stands for.
fn signed_in(row: &SessionRow, user: User) -> SignedIn {
    SignedIn {
        session: row.id,
        user: Arc::new(user),
        amr: row.amr.clone(),
        auth_time: row.auth_time,
        second_factor_at: row.second_factor_at,
    }
}
