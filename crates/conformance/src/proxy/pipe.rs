//! One connection: bytes are read, taken to pieces where commands are followed, held back where a trap says so, and sent
//! on when their time has come.

use std::{collections::HashMap, io, sync::Mutex, time::Duration};

use bytes::{Bytes, BytesMut};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::tcp::{ReadHalf, WriteHalf},
    sync::{mpsc, oneshot, watch},
    time::Instant,
};

use super::{
    After, Deed, Direction, End, Orders, Point, Shared,
    commands::{Piece, Scanner, tag_and_verb},
    lock,
};

/// How much is read at a time.
const CHUNK_BYTES: usize = 64 * 1024;
/// How many chunks may be on their way; the reader waits while there are more. At 64 KiB each that is 16 MiB: enough for a
/// gigabit line with 100 ms.
const CHUNKS_ON_THE_WAY_MAX: usize = 256;
/// What a slow line sends at a time.
const SLOW_CHUNK_BYTES: usize = 4 * 1024;

/// What goes from a reader to a writer.
enum Parcel {
    Bytes(Instant, Bytes),
    /// Says when all before it has gone on.
    Mark(oneshot::Sender<()>),
}

/// The command that is passing, and the trap it has walked into.
struct Passing {
    tag: String,
    verb: String,
    trap: Option<(Point, Deed)>,
}

/// What the two directions of a connection know of its commands.
pub(super) struct Follow {
    /// False once the stream is no longer in clear.
    in_clear: watch::Sender<bool>,
    /// What is held back.
    hold: watch::Sender<Hold>,
    /// Deeds to be done when the answer with this tag comes.
    awaited: Mutex<HashMap<String, Deed>>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Hold {
    Nothing,
    /// What comes from the server.
    Answers,
    Everything,
}

impl Follow {
    pub(super) fn new(follows_imap: bool) -> Self {
        let (in_clear, hold) = (watch::Sender::new(follows_imap), watch::Sender::new(Hold::Nothing));
        Self { in_clear, hold, awaited: Mutex::new(HashMap::new()) }
    }

    /// Does what a trap was set for.
    async fn done(&self, deed: Deed) -> Ended {
        match tokio::task::block_in_place(deed) {
            After::GoOn => Ok(()),
            After::Hold => {
                self.hold.send_replace(Hold::Everything);
                std::future::pending().await
            }
            After::Cut => Err(End::Cut),
            After::Reset => Err(End::Reset),
        }
    }
}

/// How a direction ends: at the other side's wish, or at the proxy's.
type Ended = Result<(), End>;

pub(super) struct Flow<'s> {
    shared: &'s Shared,
    orders: watch::Receiver<Orders>,
}

impl<'s> Flow<'s> {
    pub(super) fn new(shared: &'s Shared, orders: watch::Receiver<Orders>) -> Self {
        Self { shared, orders }
    }

    /// Passes bytes both ways until both sides have ended, or until the connection is to be ended before that.
    pub(super) async fn run(
        &self,
        (client_out, server_in): (ReadHalf<'_>, WriteHalf<'_>),
        (server_out, client_in): (ReadHalf<'_>, WriteHalf<'_>),
        follow: &Follow,
    ) -> Option<End> {
        let (up, up_parcels) = mpsc::channel(CHUNKS_ON_THE_WAY_MAX);
        let (down, down_parcels) = mpsc::channel(CHUNKS_ON_THE_WAY_MAX);
        let ended = tokio::try_join!(
            self.read_commands(client_out, up, follow),
            self.write(Direction::Up, server_in, up_parcels, follow),
            self.read_answers(server_out, down, follow),
            self.write(Direction::Down, client_in, down_parcels, follow),
        );
        ended.err()
    }

    async fn read_commands(&self, mut from: ReadHalf<'_>, to: mpsc::Sender<Parcel>, follow: &Follow) -> Ended {
        let mut scanner = Scanner::default();
        let mut current: Option<Passing> = None;
        while let Some(bytes) = read(&mut from).await {
            if !*follow.in_clear.borrow() {
                send(&to, scanner.rest()).await;
                send(&to, bytes).await;
                continue;
            }
            for piece in scanner.pieces(bytes) {
                let (line, announced) = match piece {
                    Piece::Literal(bytes) => {
                        send(&to, bytes).await;
                        continue;
                    }
                    Piece::Line(line, announced) => (line, announced),
                };
                let mut command = current.take().unwrap_or_else(|| {
                    let text = String::from_utf8_lossy(&line);
                    let (tag, verb) = tag_and_verb(&text);
                    let trap = self.shared.begins(&verb, &text);
                    Passing { tag, verb, trap }
                });
                if let Some((_, deed)) = command.trap.take_if(|(point, _)| *point == Point::Begun) {
                    follow.done(deed).await?;
                }
                if announced.is_some() {
                    send(&to, line).await;
                    current = Some(command);
                } else {
                    let ends_clear_text = command.verb == "STARTTLS" || command.verb == "COMPRESS";
                    end_command(&to, command, line, follow).await?;
                    if ends_clear_text {
                        follow.in_clear.send_replace(false);
                    }
                }
            }
        }
        send(&to, scanner.rest()).await;
        Ok(())
    }

    async fn read_answers(&self, mut from: ReadHalf<'_>, to: mpsc::Sender<Parcel>, follow: &Follow) -> Ended {
        let mut scanner = Scanner::default();
        while let Some(bytes) = read(&mut from).await {
            if !*follow.in_clear.borrow() {
                send(&to, scanner.rest()).await;
                send(&to, bytes).await;
                continue;
            }
            for piece in scanner.pieces(bytes) {
                let (Piece::Line(bytes, _) | Piece::Literal(bytes)) = &piece;
                if let Piece::Line(line, _) = &piece {
                    let tag = String::from_utf8_lossy(line.split(|byte| *byte == b' ').next().unwrap_or_default());
                    let deed = lock(&follow.awaited).remove(tag.as_ref());
                    if let Some(deed) = deed {
                        sent(&to).await;
                        follow.done(deed).await?;
                    }
                }
                send(&to, bytes.clone()).await;
            }
        }
        send(&to, scanner.rest()).await;
        Ok(())
    }

    async fn write(
        &self,
        direction: Direction,
        mut to: WriteHalf<'_>,
        mut parcels: mpsc::Receiver<Parcel>,
        follow: &Follow,
    ) -> Ended {
        let mut orders = self.orders.clone();
        let closes = half_closes(&orders.borrow(), direction);
        let mut hold = follow.hold.subscribe();
        let mut gone = 0;
        let mut free_at = Instant::now();
        loop {
            let parcel = tokio::select! {
                parcel = parcels.recv() => parcel,
                () = half_closed(orders.clone(), direction, closes) => {
                    let _ = to.shutdown().await;
                    // Whatever still comes this way has nowhere to go.
                    while parcels.recv().await.is_some() {}
                    return Ok(());
                }
            };
            let (came, mut bytes) = match parcel {
                Some(Parcel::Bytes(came, bytes)) => (came, bytes),
                Some(Parcel::Mark(mark)) => {
                    let _ = mark.send(());
                    continue;
                }
                None => {
                    let _ = to.shutdown().await;
                    return Ok(());
                }
            };
            while !bytes.is_empty() {
                let shape = self.shared.shape(direction);
                let piece =
                    bytes.split_to(shape.bytes_per_second.map_or(bytes.len(), |_| SLOW_CHUNK_BYTES.min(bytes.len())));
                tokio::time::sleep_until((came + shape.latency).max(free_at)).await;
                let _ = orders.wait_for(|orders| !is_stalled(orders, direction)).await;
                let passes = |held: &Hold| match direction {
                    Direction::Up => *held != Hold::Everything,
                    Direction::Down => *held == Hold::Nothing,
                };
                let _ = hold.wait_for(passes).await;
                if let Some(rate) = shape.bytes_per_second {
                    let takes = Duration::from_secs_f64(piece.len() as f64 / rate.max(1) as f64);
                    free_at = free_at.max(Instant::now()) + takes;
                }
                let (allowed, ends) = self.shared.may_pass(direction, gone, piece.len());
                gone += allowed as u64;
                if to.write_all(&piece[..allowed]).await.is_err() {
                    // The receiver is gone; the sender will hear of it when it is told, or when it sends.
                    return Err(End::Cut);
                }
                if ends {
                    return Err(End::Cut);
                }
            }
        }
    }
}

/// Passes on the line that ends a command, and strikes where its trap says.
async fn end_command(to: &mpsc::Sender<Parcel>, command: Passing, mut line: Bytes, follow: &Follow) -> Ended {
    match command.trap {
        Some((Point::BeforeEnd, deed)) => {
            let end = line.split_off(line.len().saturating_sub(2));
            send(to, line).await;
            sent(to).await;
            follow.done(deed).await?;
            send(to, end).await;
        }
        Some((Point::Sent, deed)) => {
            follow.hold.send_replace(Hold::Answers);
            send(to, line).await;
            sent(to).await;
            follow.done(deed).await?;
            follow.hold.send_replace(Hold::Nothing);
        }
        Some((Point::Answered, deed)) => {
            lock(&follow.awaited).insert(command.tag, deed);
            send(to, line).await;
        }
        Some((Point::Begun, _)) | None => send(to, line).await,
    }
    Ok(())
}

/// The next bytes; none at the end, however it came.
async fn read(from: &mut ReadHalf<'_>) -> Option<Bytes> {
    let mut bytes = BytesMut::with_capacity(CHUNK_BYTES);
    let read: io::Result<usize> = from.read_buf(&mut bytes).await;
    read.ok().filter(|length| *length > 0).map(|_| bytes.freeze())
}

async fn send(to: &mpsc::Sender<Parcel>, bytes: Bytes) {
    if !bytes.is_empty() {
        // A writer that has ended has ended the connection, or has nowhere to send to.
        let _ = to.send(Parcel::Bytes(Instant::now(), bytes)).await;
    }
}

/// Waits until all that was sent so far has gone on.
async fn sent(to: &mpsc::Sender<Parcel>) {
    let (mark, reached) = oneshot::channel();
    if to.send(Parcel::Mark(mark)).await.is_ok() {
        let _ = reached.await;
    }
}

fn half_closes(orders: &Orders, direction: Direction) -> u64 {
    match direction {
        Direction::Up => orders.half_close_up,
        Direction::Down => orders.half_close_down,
    }
}

fn is_stalled(orders: &Orders, direction: Direction) -> bool {
    match direction {
        Direction::Up => orders.stall_up,
        Direction::Down => orders.stall_down,
    }
}

/// Waits for the order that nothing more is to go this way.
async fn half_closed(mut orders: watch::Receiver<Orders>, direction: Direction, known: u64) {
    if orders.wait_for(|orders| half_closes(orders, direction) != known).await.is_err() {
        std::future::pending::<()>().await;
    }
}
