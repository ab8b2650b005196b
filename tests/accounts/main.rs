//! Accounts and sign-in over a real SQLite store: what the attack cases say of guesses, codes and sessions, without the
//! pages around them.

mod keys;
mod lockout;
mod second_factor;
mod sessions;
mod signing_in;
mod users;
mod world;
