//! Sieve scripts as texts (RFC 5228): the words of one, what in it sends mail on, and our block put in and taken out.
//!
//! Scripts are handled as bytes, since what is the person's must come back as it was, whatever it holds. Nothing here asks a
//! server, and no script makes any of it fail: what can't be read is said to be unread.

pub(crate) mod block;
pub(crate) mod lexer;
pub(crate) mod scan;
