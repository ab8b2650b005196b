//! Held operations: captured, shown, confirmed, delivered at most once.
//!
//! * A **captured** request is everything that will be sent, sealed. * An **operation** is its record with a state; the
//! **seal** is a MAC over all that must not change. * A **validator** confirms with their own **token**; enough of them are the **quorum**.
//! * **Dispatch** looks at rights again, commits `sending`, sends once, keeps the answer.
pub mod answer;
pub mod capture;
pub mod dispatch;
pub mod rights;
pub mod seal;
pub mod service;
pub mod view;
pub use answer::Answer;
pub use capture::CapturedRequest;
pub use dispatch::{Deliver, Delivered};
pub use service::{Ask, Asked, ConfirmError, OperationError, Operations};
pub use view::{Part, View};
pub use crate::store::operations::State;
