//! See the module map in `policy`.
