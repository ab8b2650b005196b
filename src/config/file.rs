//! What the file said.
