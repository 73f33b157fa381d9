//! Bodies coming in: room is waited for before a byte is taken, small ones are cut out of what was read, large ones go
//! where they are held as they come.

use bytes::{BufMut, Bytes, BytesMut};
use connector::{Body, Error, Holding};
use tokio::io::AsyncReadExt;

use super::connection::{Bodies, Connection, READ_BYTES_MIN};
use super::fetch;

/// A body up to this size is cut out of what was read; a larger one is read into a place of its own.
const SLICE_BYTES_MAX: usize = 64 * 1024;

impl Connection {
    /// Takes the body that stands in the response coming in, or passes over it.
    pub(super) async fn take_body(&mut self, size: u64, bodies: Bodies<'_>) -> Result<(), Error> {
        let Bodies::Hold { holds, from } = bodies else { return self.discard_body(size).await };
        let is_unwanted = fetch::uid_so_far(&self.framer.framed().text).is_some_and(|uid| uid < from);
        if is_unwanted || !self.framer.body_is_untouched() {
            return self.discard_body(size).await;
        }
        let held = match holds.reserve(size).await {
            Ok(holding) if holding.in_memory() => self.take_in_memory(size as usize, holding).await?,
            Ok(holding) => self.take_in_pieces(size, holding).await?,
            Err(error) => {
                self.discard_body(size).await?;
                Err(error)
            }
        };
        self.body = Some(held);
        Ok(())
    }

    async fn take_in_memory(&mut self, size: usize, holding: Holding) -> Result<Result<Body, Error>, Error> {
        if size <= SLICE_BYTES_MAX {
            if self.input.len() < size {
                self.input.reserve((size - self.input.len()).max(READ_BYTES_MIN));
            }
            while self.input.len() < size {
                self.fill().await?;
            }
            self.framer.body_taken(size as u64);
            return Ok(Ok(holding.whole(self.input.split_to(size).freeze())));
        }
        let mut whole = BytesMut::with_capacity(size);
        let here = self.input.split_to(size.min(self.input.len()));
        self.framer.body_taken(here.len() as u64);
        whole.extend_from_slice(&here);
        while whole.len() < size {
            let left = size - whole.len();
            let mut place = (&mut whole).limit(left);
            let read = match &mut self.io {
                Some(io) => tokio::time::timeout(self.answer_wait_max, io.read_buf(&mut place)).await,
                None => Ok(Err(Self::closed())),
            };
            let bytes = self.judge_read(read)?;
            self.framer.body_taken(bytes as u64);
        }
        Ok(Ok(holding.whole(whole.freeze())))
    }

    async fn take_in_pieces(&mut self, size: u64, mut holding: Holding) -> Result<Result<Body, Error>, Error> {
        let mut left = size;
        while left > 0 {
            let piece = self.body_piece(left).await?;
            left -= piece.len() as u64;
            if let Err(error) = holding.write(&piece).await {
                self.discard_body(left).await?;
                return Ok(Err(error));
            }
        }
        Ok(holding.finish().await)
    }

    async fn discard_body(&mut self, size: u64) -> Result<(), Error> {
        let mut left = size;
        while left > 0 {
            left -= self.body_piece(left).await?.len() as u64;
        }
        Ok(())
    }

    async fn body_piece(&mut self, left: u64) -> Result<Bytes, Error> {
        if self.input.is_empty() {
            self.fill().await?;
        }
        let here = left.min(self.input.len() as u64);
        self.framer.body_taken(here);
        Ok(self.input.split_to(here as usize).freeze())
    }
}

#[cfg(test)]
mod tests {
    use std::pin::pin;
    use std::time::Duration;

    use connector::{Holds, HoldsLimits};
    use model::Cause;
    use tokio::io::AsyncWriteExt;

    use super::super::command::Role;
    use super::super::fetch::FetchedBody;
    use super::*;

    const WAIT: Duration = Duration::from_millis(300);

    fn pair(role: Role, room: usize) -> (Connection, tokio::io::DuplexStream) {
        let (ours, theirs) = tokio::io::duplex(room);
        (Connection::new(Box::new(ours), role, "server:143".to_owned(), WAIT, None), theirs)
    }

    fn holds(memory_bytes: u64) -> Holds {
        let body_in_memory_bytes_max = memory_bytes / 2;
        Holds::new(HoldsLimits { memory_bytes, body_in_memory_bytes_max, ..HoldsLimits::default() })
    }

    #[tokio::test]
    async fn bodies_of_every_size_arrive_whole() {
        let (mut connection, mut server) = pair(Role::Reads, 10_000);
        let holds = holds(1024 * 1024);
        let sizes = [0usize, 1, 100, SLICE_BYTES_MAX, SLICE_BYTES_MAX + 1, 300_000, 524_289, 900_000];
        let body = |size: usize| -> Vec<u8> { (0..size).map(|n| (n * 31 + size) as u8).collect() };
        tokio::spawn(async move {
            for size in sizes {
                let head = format!("* 1 FETCH (UID 7 BODY[] {{{size}}}\r\n");
                server.write_all(&[head.as_bytes(), &body(size), b" FLAGS ())\r\n"].concat()).await.unwrap();
            }
            server
        });
        for size in sizes {
            connection.receive(Bodies::Hold { holds: &holds, from: 1 }).await.unwrap();
            let (1, rest) = connection.response().numbered("FETCH").unwrap() else { panic!() };
            assert_eq!(fetch::parse(rest).body, FetchedBody::Literal(size as u64));
            let held = connection.body().unwrap().unwrap();
            assert!(held.to_vec().await.unwrap() == body(size), "{size}");
            assert_eq!(held.in_memory().is_some(), size <= 512 * 1024);
        }
    }

    #[tokio::test]
    async fn a_body_that_is_not_wanted_takes_no_room() {
        let (mut connection, mut server) = pair(Role::Reads, 10_000);
        server
            .write_all(b"* 1 FETCH (UID 7 BODY[] {5}\r\nabcde)\r\n* 2 FETCH (BODY[] {1}\r\nx UID 3)\r\n")
            .await
            .unwrap();
        let holds = holds(16);
        connection.receive(Bodies::Hold { holds: &holds, from: 8 }).await.unwrap();
        assert!(connection.body().is_none());
        connection.receive(Bodies::Discard).await.unwrap();
        assert!(connection.body().is_none());
    }

    #[tokio::test]
    async fn a_body_waits_for_room_before_it_is_read() {
        let (mut connection, mut server) = pair(Role::Reads, 10_000);
        server.write_all(b"* 1 FETCH (UID 7 BODY[] {8}\r\n12345678)\r\n").await.unwrap();
        let holds = holds(16);
        let (first, second) = (holds.reserve(8).await.unwrap(), holds.reserve(8).await.unwrap());
        let mut receiving = pin!(connection.receive(Bodies::Hold { holds: &holds, from: 1 }));
        assert!(tokio::time::timeout(WAIT * 2, &mut receiving).await.is_err(), "waits, and longer than for a server");
        drop((first, second));
        receiving.await.unwrap();
    }

    #[tokio::test]
    async fn a_body_that_fits_nowhere_is_passed_over_and_the_next_response_comes() {
        let (mut connection, mut server) = pair(Role::Reads, 10_000);
        let limits =
            HoldsLimits { memory_bytes: 4, body_in_memory_bytes_max: 2, spool_bytes: 0, ..HoldsLimits::default() };
        let holds = Holds::new(limits);
        server.write_all(b"* 1 FETCH (UID 7 BODY[] {5}\r\nabcde)\r\n* 5 EXISTS\r\n").await.unwrap();
        connection.receive(Bodies::Hold { holds: &holds, from: 1 }).await.unwrap();
        assert_eq!(connection.body().unwrap().unwrap_err().cause, Cause::NoRoomToHold);
        connection.receive(Bodies::Discard).await.unwrap();
        assert_eq!(connection.response().numbered("EXISTS").unwrap().0, 5);
    }
}
