//! One spelling of a name.
/// Folds a user name or mail address as typed: NFKC, lower case, white space, control and invisible characters removed at both ends and inside; cut at 256 characters. Everything that compares, counts or looks up a name uses this.
pub fn fold(typed: &str) -> String { let _ = typed; todo!() }
/// Whether `name` may be a user name: 1 to 64 letters, digits, `.`, `_`, `-`, after NFKC the same.
pub fn check_user_name(name: &str) -> Result<(), &'static str> { let _ = name; todo!() }
/// Whether `address` may be a mail address.
pub fn check_email(address: &str) -> Result<(), &'static str> { let _ = address; todo!() }
