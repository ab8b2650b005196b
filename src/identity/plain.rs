//! The plain identity: who signed in, as the field values that legacy code reads. Exact texts are in the assertion.

use http::HeaderValue;

use crate::identity::User;

/// The values of the site's identity headers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Plain {
    /// The user name.
    pub user: HeaderValue,
    /// First and last name.
    pub name: HeaderValue,
    /// The mail address.
    pub email: HeaderValue,
    /// The groups, with commas between.
    pub groups: HeaderValue,
}

// === impl Plain ===

impl Plain {
    /// Of a user. Texts are UTF-8 as they are, control characters as blanks.
    pub fn of(user: &User) -> Self {
        Self {
            user: value(&user.name),
            name: value(&user.full_name),
            email: value(&user.email),
            groups: value(&groups(user)),
        }
    }
}

fn value(text: &str) -> HeaderValue {
    let clear = text.replace(char::is_control, " ");
    HeaderValue::try_from(clear).expect("a text without control characters is a field value")
}

/// A group whose own name holds a comma or a control character would read as others, and is named in the assertion alone.
fn groups(user: &User) -> String {
    let clear = |group: &&String| !group.contains(|letter: char| letter == ',' || letter.is_control());
    user.groups.iter().filter(clear).map(String::as_str).collect::<Vec<_>>().join(",")
}
