//! The MAC over an operation's record; checked at every read that matters.
