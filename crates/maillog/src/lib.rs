//! What a local server's log says of the mail it took: for which address, from whom, when.
//!
//! A log is [followed](follow()) from where it was last read to, also where it was rotated since, so that each line counts once; and what it
//! tells of mail is [read](Postfix) line by line. That a log holds no mail for a domain proves something only as long as it was
//! followed without a gap: a gap is told.

mod follow;
mod postfix;

pub use follow::{Followed, Place, follow};
pub use postfix::{Postfix, Taken};
