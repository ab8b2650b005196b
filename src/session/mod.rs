//! Sessions: from nothing to signed in, and what a cookie stands for.
//!
//! * A **session token** is in the cookie, its digest in the store and in the **cache**. * A **stage** says how far a sign-in has come; only `Live` opens anything.
//! * The token is rotated at every change of level. * **Idle** and **absolute** ends are checked at every look-up; the last use is kept in process and written in batches.
pub mod cache;
pub mod login;
pub use cache::{Presented, Sessions};
pub use login::{Browser, Login, LoginError, NewPasswordFault, Proof, Step};
