//! Accounts and sign-in over a real SQLite store: what the attack cases say of guesses, codes and sessions, without the
//! pages around them.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on fails where it stands")]

mod importing;
mod keys;
mod lockout;
mod passwords;
mod recovery;
mod remembered;
mod second_factor;
mod sessions;
mod signing_in;
mod strangers;
mod users;
mod world;
