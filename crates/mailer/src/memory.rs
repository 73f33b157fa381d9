//! Letters kept in memory: for tests.

use std::sync::{Arc, Mutex, PoisonError};

use async_trait::async_trait;
use connector::Error;
use model::{Cause, Scope};

use crate::{Letter, Mailer};

/// Keeps letters in memory. Clones share them.
#[derive(Clone, Debug, Default)]
pub struct MailerInMemory {
    state: Arc<Mutex<(Vec<Letter>, bool)>>,
}

impl MailerInMemory {
    /// The letters that were sent.
    pub fn letters(&self) -> Vec<Letter> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner).0.clone()
    }

    /// From now on nobody takes letters, or somebody does again.
    pub fn set_away(&self, is_away: bool) {
        self.state.lock().unwrap_or_else(PoisonError::into_inner).1 = is_away;
    }
}

#[async_trait]
impl Mailer for MailerInMemory {
    async fn send(&self, letter: &Letter) -> Result<(), Error> {
        letter.compose()?;
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        if state.1 {
            return Err(Error::new(Cause::Connection, Scope::Run, "the post office is closed"));
        }
        state.0.push(letter.clone());
        Ok(())
    }
}
