//! Sessions: from nothing to signed in, and what a cookie stands for.
//!
//! * A **session token** is in the cookie, its digest in the store and in the **cache**. A **session id** is public and stays
//!   the same when the token is rotated. An owner's change of password or second factor gives it another: it ends all sessions,
//!   and what was opened in this one too.
//! * A **stage** says how far a sign-in has come; only `Live` opens anything. What is not live yet is **pending**, for ten
//!   minutes.
//! * The token is rotated at every change of level: the earlier one is dead at once.
//! * A **temporary** password begins one sign-in. Whoever leaves that one needs another from an administrator.
//! * **Idle** and **absolute** ends are checked at every look-up; the last use is kept in process and written in batches.
//!
//! ```text
//! password ──→ SecondFactor ──→ ChangePassword ──→ Enrol ──→ Live ──→ ended
//!              (if enrolled)    (if temporary,     (if required       (sign-out, idle, absolute end,
//!                                or too old)        and not enrolled)   an administrator, a changed factor or password)
//! ```

pub mod cache;
pub mod login;

pub use cache::{Presented, Sessions};
pub use login::{Act, Browser, Enrolled, Given, Login, LoginError, Proof, Step};

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
