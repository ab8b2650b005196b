//! The tests of the whole: one program, so that it is linked once.

#[path = "../support/mod.rs"]
mod support;

mod harness;
