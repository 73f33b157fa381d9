//! Commands with their answers: one, or many sent ahead of the first answer.

use std::time::Duration;

use connector::Error;
use model::{Cause, Scope};

use super::command::Command;
use super::connection::{Bodies, Connection, Tag, tag_number};
use super::response::{Completion, Response};

/// Commands sent ahead of their answers, at most: together they stay far below what a connection holds in either
/// direction.
pub const COMMANDS_AHEAD_MAX: usize = 64;

/// How long to wait for a server's goodbye.
const LOGOUT_WAIT_MAX: Duration = Duration::from_secs(2);

/// How long answers that nobody waits for any more may take before the connection is given up.
const SETTLE_WAIT_MAX: Duration = Duration::from_secs(5);

impl Connection {
    /// Sends a command and waits for its end; whatever else comes is handed to `on`.
    pub async fn run(&mut self, command: &Command, mut on: impl FnMut(&Response<'_>)) -> Result<Completion, Error> {
        let tag = self.queue(command)?;
        self.flush().await?;
        self.wait_for(tag, &mut on).await
    }

    /// Waits for the end of a command; whatever else comes is handed to `on`.
    pub async fn wait_for(&mut self, tag: Tag, on: &mut impl FnMut(&Response<'_>)) -> Result<Completion, Error> {
        loop {
            if let Some(completion) = self.next_of(tag, on).await? {
                return Ok(completion);
            }
        }
    }

    /// Receives one response: the end of this command, or something that is handed to `on`.
    pub async fn next_of(&mut self, tag: Tag, on: &mut impl FnMut(&Response<'_>)) -> Result<Option<Completion>, Error> {
        self.receive(Bodies::Discard).await?;
        if let Some((ended, completion)) = self.ended()? {
            return Ok((ended == tag).then_some(completion));
        }
        on(&self.response());
        Ok(None)
    }

    /// Sends commands, each ahead of the answers to those before it, and waits for all of them. Whatever else comes is
    /// handed to `on` with the number of the command that was being answered.
    pub async fn run_all(
        &mut self,
        commands: &[Command],
        mut on: impl FnMut(usize, &Response<'_>),
    ) -> Result<Vec<Completion>, Error> {
        let mut tags = Vec::with_capacity(commands.len());
        let mut completions = Vec::with_capacity(commands.len());
        while completions.len() < commands.len() {
            while tags.len() < commands.len() && tags.len() < completions.len() + COMMANDS_AHEAD_MAX {
                tags.push(self.queue(&commands[tags.len()])?);
            }
            self.flush().await?;
            let current = completions.len();
            let completion = self.wait_for(tags[current], &mut |response| on(current, response)).await?;
            completions.push(completion);
        }
        Ok(completions)
    }

    /// Which command ended with the response received last, if one did. Commands end in the order in which they were
    /// sent: each waits for the one before it, as everything we send ahead does.
    pub fn ended(&mut self) -> Result<Option<(Tag, Completion)>, Error> {
        let Response::Tagged { tag, status, text } = self.response() else { return Ok(None) };
        let Some(tag) = tag_number(tag) else { return Ok(None) };
        let completion = Completion::of(status, &text);
        match self.under_way.front() {
            Some(first) if *first == tag => {
                self.under_way.pop_front();
                Ok(Some((tag, completion)))
            }
            _ if !self.under_way.contains(&tag) => Ok(None),
            _ => {
                let what = "the server answered a later command before an earlier one";
                Err(Error::new(Cause::Protocol, Scope::Connection, what))
            }
        }
    }

    /// Says goodbye and closes. Waits shortly for the server to close, so that it does not count the connection any more
    /// when the next one comes.
    pub async fn log_out(&mut self) {
        let goodbye = async {
            let tag = self.queue(&Command::new("LOGOUT"))?;
            self.flush().await?;
            self.wait_for(tag, &mut |_| {}).await
        };
        let _ = tokio::time::timeout(LOGOUT_WAIT_MAX, goodbye).await;
        self.cut();
    }

    /// Waits until nothing is under way any more, and forgets what comes: answers to a reading that was broken off. Gives
    /// the connection up when that takes long.
    pub async fn settle(&mut self) -> Result<(), Error> {
        let all = async {
            while !self.under_way.is_empty() {
                self.receive(Bodies::Discard).await?;
                self.ended()?;
            }
            Ok(())
        };
        let Ok(settled) = tokio::time::timeout(SETTLE_WAIT_MAX, all).await else {
            self.cut();
            let what = "a reading was broken off, and the server had too much more to say";
            return Err(Error::new(Cause::Connection, Scope::Connection, what));
        };
        settled
    }
}

#[cfg(test)]
mod tests {
    use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader};

    use super::super::command::Role;
    use super::*;

    fn connection() -> (Connection, BufReader<tokio::io::DuplexStream>) {
        let (ours, theirs) = tokio::io::duplex(4096);
        let wait = Duration::from_secs(5);
        let connection = Connection::new(Box::new(ours), Role::Reads, "server:143".to_owned(), wait, None);
        (connection, BufReader::new(theirs))
    }

    #[tokio::test]
    async fn many_commands_are_sent_ahead_and_matched_in_order() {
        let (mut connection, mut server) = connection();
        let count = COMMANDS_AHEAD_MAX;
        let commands: Vec<Command> = (0..count).map(|n| Command::new(format!("STATUS {n} (MESSAGES)"))).collect();
        // The server answers nothing until all have come: sent one by one, the first would wait for ever.
        let serving = tokio::spawn(async move {
            for number in 0..count {
                let mut line = String::new();
                server.read_line(&mut line).await.unwrap();
                assert_eq!(line, format!("W{} STATUS {number} (MESSAGES)\r\n", number + 1));
            }
            for number in 0..count {
                let answer = format!("* {number} EXISTS\r\nW{} OK\r\n", number + 1);
                server.get_mut().write_all(answer.as_bytes()).await.unwrap();
            }
        });
        let mut seen = Vec::new();
        let on = |index, response: &Response<'_>| seen.push((index, response.numbered("EXISTS").unwrap().0 as usize));
        let completions = connection.run_all(&commands, on).await.unwrap();
        serving.await.unwrap();
        assert!(completions.len() == count && completions.iter().all(Completion::is_ok));
        assert!(seen.len() == count && seen.iter().all(|(index, number)| index == number));
    }

    #[tokio::test]
    async fn answers_out_of_order_are_an_error_and_strange_tags_are_not() {
        let (mut connection, mut server) = connection();
        let (first, second) = (Command::new("NOOP"), Command::new("NOOP"));
        server.get_mut().write_all(b"X9 OK\r\nW77 OK\r\nW2 OK\r\n").await.unwrap();
        let error = connection.run_all(&[first, second], |_, _| {}).await.unwrap_err();
        assert_eq!(error.cause, Cause::Protocol);
    }

    #[tokio::test]
    async fn what_was_broken_off_is_read_to_its_end() {
        let (mut connection, mut server) = connection();
        connection.queue(&Command::new("NOOP")).unwrap();
        connection.flush().await.unwrap();
        server
            .get_mut()
            .write_all(b"* 1 FETCH (UID 1 BODY[] {3}\r\nabc)\r\nW1 OK\r\n* 7 EXISTS\r\nW2 OK\r\n")
            .await
            .unwrap();
        connection.settle().await.unwrap();
        let mut exists = 0;
        connection
            .run(&Command::new("NOOP"), |response| exists = response.numbered("EXISTS").unwrap().0)
            .await
            .unwrap();
        assert_eq!(exists, 7);
    }
}
