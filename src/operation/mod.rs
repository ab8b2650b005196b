//! Held operations: captured, shown, confirmed, delivered at most once.
//!
//! * A **captured request** ([`capture`]) is everything that will be sent, sealed at rest.
//! * An **operation** is its record with a state. The **seal** ([`seal`]) is a MAC over all of it that must not change.
//! * A **validator** ([`rights`]) confirms with their own **token**; enough confirmations are the **quorum**.
//! * Its **standing** ([`standing`]) is what it was asked with: requester, rights, rule. Gone, the operation is withdrawn.
//! * **Dispatch** ([`dispatch`]) looks at all of it again, commits `sending`, sends once, keeps the answer.
//! * A **detour** ([`detour`]) is no operation: a captured request that waits for its own sender, who must prove more first.
//!
//! ```text
//!              ┌─ denied      a validator said no
//!              ├─ expired     nobody confirmed in time
//!              ├─ cancelled   by the requester, a command, or too many wrong tokens
//!              ├─ withdrawn   its standing is gone, or its seal is broken
//! waiting ─────┴─▶ confirmed ──▶ sending ──▶ done(status)
//!                      │            ├─▶ unknown     may or may not have arrived; never sent again
//!                      └─ withdrawn └─▶ withdrawn   surely nothing was sent: no connection could be made
//! ```
//! Every arrow is one conditional update in one transaction, with its audit events and its notices. `sending` is
//! committed before the first byte leaves; whoever finds it without an outcome calls it `unknown`.

pub mod answer;
mod ask;
pub mod capture;
mod confirm;
mod delivery;
pub mod detour;
pub mod dispatch;
mod framing;
mod hub;
mod involved;
mod leave;
mod look;
mod reasons;
pub mod rights;
pub mod seal;
pub mod service;
mod sessions;
mod standing;
mod sweep;
mod ticket;
mod validate;
pub mod view;
mod wait;

pub use answer::Answer;
pub use capture::CapturedRequest;
pub use detour::{Aside, Detour, DetourError, DetourId, Detours};
pub use dispatch::{Deliver, Delivered};
pub use reasons::{Cause, MayNot};
pub use service::{Ask, Asked, ConfirmError, OperationError, Operations};
pub use view::{Part, View};

pub use crate::store::operations::State;
