//! Assertions (see identity).
