//! Sends letters: over SMTP, or into memory for tests.
//!
//! A letter is composed here, all of it in bytes that travel anywhere: nothing that others wrote stands in a header unguarded, every
//! text is base64. Its Message-ID is given by whoever sends it, so that a letter that had to be sent twice – the answer to the first
//! was lost – is the same letter to whoever receives it.
//!
//! An error says whether the letter may have been taken: SMTP tells that only by its last answer.

mod letter;
mod memory;
mod smtp;

use async_trait::async_trait;
use connector::Error;

pub use letter::{Enclosure, Letter, is_address};
pub use memory::MailerInMemory;
pub use smtp::{Smtp, SmtpConfig, Tls};

/// Sends letters.
#[async_trait]
pub trait Mailer: Send + Sync {
    /// Sends a letter: once this returns, somebody else answers for it.
    async fn send(&self, letter: &Letter) -> Result<(), Error>;
}
