//! Who has an account in the demo.
//!
//! Their passwords and authenticator seeds are public: whoever exposes a demo to a network gives everything away, and
//! there is nothing in it to lose.

use crate::identity::Right;

/// An account of the demo.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Person {
    /// The user name.
    pub name: &'static str,
    /// First and last name.
    pub full_name: &'static str,
    /// The mail address; its mails arrive in the demo's mailbox.
    pub email: &'static str,
    /// The telephone, when they have one. From a range set aside for fiction.
    pub phone: Option<&'static str>,
    /// `en` or `fr`; nobody's is set but carol's, so that pages follow the browser of whoever tries the demo.
    pub language: Option<&'static str>,
    /// The organisation's own words.
    pub groups: &'static [&'static str],
    /// What they may do to the gateway.
    pub rights: &'static [Right],
    /// Printed when the demo starts.
    pub password: &'static str,
    /// The TOTP seed of those who need a second factor: their codes are shown on the inbox's page.
    pub seed: Option<&'static [u8; 20]>,
    /// What they are for, in a few words.
    pub part: &'static str,
}

const PEOPLE: [Person; 4] = [
    Person {
        name: "admin",
        full_name: "Ada Winter",
        email: "admin@example.org",
        phone: Some("+33639980001"),
        language: None,
        groups: &["admins", "staff"],
        rights: &[Right::Administrator, Right::TokenValidator],
        password: "lantern-north-quay",
        seed: Some(b"demo-seed-of-admin-1"),
        part: "administrator and token validator",
    },
    Person {
        name: "bob",
        full_name: "Bob Fischer",
        email: "bob@example.org",
        phone: Some("+33639980002"),
        language: None,
        groups: &["staff"],
        rights: &[Right::TokenValidator],
        password: "heron-grey-river",
        seed: Some(b"demo-seed-of-bob-002"),
        part: "token validator",
    },
    Person {
        name: "alice",
        full_name: "Alice Moreau",
        email: "alice@example.org",
        phone: None,
        language: None,
        groups: &["staff"],
        rights: &[],
        password: "paper-boat-harbour",
        seed: None,
        part: "staff: asks for the deletion",
    },
    Person {
        name: "carol",
        full_name: "Carole Petit",
        email: "carol@example.org",
        phone: None,
        language: Some("fr"),
        groups: &["customers"],
        rights: &[],
        password: "seven-late-trains",
        seed: None,
        part: "a customer",
    },
];

/// Everybody, in the order in which they are introduced.
pub fn people() -> &'static [Person] {
    &PEOPLE
}
