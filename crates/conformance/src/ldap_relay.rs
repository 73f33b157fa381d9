//! What stands between a client and a directory, passes everything, and counts what the directory sends: entries, by the
//! tags of the messages (RFC 4511 section 4.2), without knowing more of the protocol.

use std::{
    io::{Read, Write},
    net::{Shutdown, TcpListener, TcpStream},
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    thread,
};

/// The tags of ModifyRequest, AddRequest, DelRequest and ModifyDNRequest.
const CHANGES: [u8; 4] = [0x66, 0x68, 0x4a, 0x6c];

/// Where a relay ends a connection, once.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Cut {
    /// Before the change of this number reaches the directory.
    Before(usize),
    /// After the directory has made it and before its answer is passed on.
    After(usize),
}

/// The tag of SearchResultEntry.
const SEARCH_RESULT_ENTRY: u8 = 0x64;

/// A relay to a directory that is reached without TLS. It goes on until the process ends.
pub struct LdapRelay {
    port: u16,
    counts: Arc<Counts>,
}

#[derive(Default)]
struct Counts {
    entries: AtomicU64,
    bytes: AtomicU64,
}

impl LdapRelay {
    /// Starts one to this address, such as `127.0.0.1:389`.
    pub fn to(address: impl Into<String>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("loopback has ports");
        let port = listener.local_addr().expect("it is bound").port();
        let (counts, address) = (Arc::new(Counts::default()), address.into());
        let shared = counts.clone();
        thread::spawn(move || {
            for client in listener.incoming().flatten() {
                let Ok(server) = TcpStream::connect(&address) else { continue };
                relay(client, server, &shared);
            }
        });
        Self { port, counts }
    }

    /// Starts one that ends the connection at a change, and passes everything after that.
    pub fn cutting(address: impl Into<String>, cut: Cut) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("loopback has ports");
        let port = listener.local_addr().expect("it is bound").port();
        let (counts, address) = (Arc::new(Counts::default()), address.into());
        let changes = Arc::new(AtomicU64::new(0));
        thread::spawn(move || {
            for client in listener.incoming().flatten() {
                let Ok(server) = TcpStream::connect(&address) else { continue };
                cutting(client, server, cut, &changes);
            }
        });
        Self { port, counts }
    }

    /// Its port on loopback.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// Entries that the directory sent so far.
    pub fn entries(&self) -> u64 {
        self.counts.entries.load(Ordering::SeqCst)
    }

    /// Bytes that the directory sent so far.
    pub fn bytes(&self) -> u64 {
        self.counts.bytes.load(Ordering::SeqCst)
    }
}

fn relay(client: TcpStream, server: TcpStream, counts: &Arc<Counts>) {
    let (mut up_from, mut up_to) = (client.try_clone().expect("a socket"), server.try_clone().expect("a socket"));
    thread::spawn(move || {
        let _ = std::io::copy(&mut up_from, &mut up_to);
        let _ = up_to.shutdown(Shutdown::Write);
    });
    let (mut from, mut to, counts) = (server, client, counts.clone());
    thread::spawn(move || {
        let (mut piece, mut messages) = (vec![0; 65_536], Messages::default());
        while let Ok(length @ 1..) = from.read(&mut piece) {
            counts.bytes.fetch_add(length as u64, Ordering::SeqCst);
            counts.entries.fetch_add(messages.entries_in(&piece[..length]), Ordering::SeqCst);
            if to.write_all(&piece[..length]).is_err() {
                break;
            }
        }
        let _ = to.shutdown(Shutdown::Both);
    });
}

/// Passes whole messages of the client, and counts changes over all connections. What the directory answers passes until the
/// connection is cut.
fn cutting(client: TcpStream, server: TcpStream, cut: Cut, changes: &Arc<AtomicU64>) {
    let is_cut = Arc::new(std::sync::Mutex::new(false));
    let (mut down_from, mut down_to) = (server.try_clone().expect("a socket"), client.try_clone().expect("a socket"));
    let stopped = is_cut.clone();
    thread::spawn(move || {
        let mut piece = vec![0; 65_536];
        while let Ok(length @ 1..) = down_from.read(&mut piece) {
            let is_cut = stopped.lock().expect("nobody panics with it");
            if *is_cut || down_to.write_all(&piece[..length]).is_err() {
                break;
            }
        }
        let _ = down_to.shutdown(Shutdown::Both);
        let _ = down_from.shutdown(Shutdown::Both);
    });
    let (mut from, mut to, changes) = (client, server, changes.clone());
    thread::spawn(move || {
        let (mut piece, mut held) = (vec![0; 65_536], Vec::new());
        while let Ok(length @ 1..) = from.read(&mut piece) {
            held.extend_from_slice(&piece[..length]);
            while let Some(length) = whole(&held) {
                let message: Vec<u8> = held.drain(..length).collect();
                let is_change = operation(&message).is_some_and(|(tag, _)| CHANGES.contains(&tag));
                let number = if is_change { changes.fetch_add(1, Ordering::SeqCst) as usize + 1 } else { 0 };
                if cut == Cut::Before(number) {
                    *is_cut.lock().expect("nobody panics with it") = true;
                    let _ = from.shutdown(Shutdown::Both);
                    let _ = to.shutdown(Shutdown::Both);
                    return;
                }
                if cut == Cut::After(number) {
                    // From here on no answer passes; the first one that comes ends the connection.
                    *is_cut.lock().expect("nobody panics with it") = true;
                }
                if to.write_all(&message).is_err() {
                    return;
                }
            }
        }
        let _ = to.shutdown(Shutdown::Write);
    });
}

/// The length of the message that these bytes begin with, if all of it is there.
fn whole(bytes: &[u8]) -> Option<usize> {
    let (length, start) = length_at(bytes, 1)?;
    (bytes.len() >= start + length).then_some(start + length)
}

/// Messages as they pass.
#[derive(Default)]
struct Messages {
    /// The beginning of a message, as far as it has come.
    head: Vec<u8>,
    /// Bytes of the current message that need not be looked at.
    rest: usize,
}

impl Messages {
    fn entries_in(&mut self, mut bytes: &[u8]) -> u64 {
        let mut entries = 0;
        while !bytes.is_empty() {
            if self.rest > 0 {
                let skipped = self.rest.min(bytes.len());
                self.rest -= skipped;
                bytes = &bytes[skipped..];
                continue;
            }
            self.head.push(bytes[0]);
            bytes = &bytes[1..];
            if let Some((tag, rest)) = operation(&self.head) {
                entries += u64::from(tag == SEARCH_RESULT_ENTRY);
                self.rest = rest;
                self.head.clear();
            }
        }
        entries
    }
}

/// The tag of a message's operation, and how many bytes of the message come after that tag. None when more of it is needed.
fn operation(head: &[u8]) -> Option<(u8, usize)> {
    let (length, start) = length_at(head, 1)?;
    let (id_length, id_start) = length_at(head, start + 1)?;
    let at = id_start + id_length;
    let tag = *head.get(at)?;
    Some((tag, start + length - at - 1))
}

/// The length that stands here, and where what it counts begins.
fn length_at(head: &[u8], at: usize) -> Option<(usize, usize)> {
    let first = *head.get(at)?;
    if first < 0x80 {
        return Some((usize::from(first), at + 1));
    }
    let count = usize::from(first & 0x7f);
    let bytes = head.get(at + 1..at + 1 + count)?;
    Some((bytes.iter().fold(0, |sum, byte| (sum << 8) | usize::from(*byte)), at + 1 + count))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn entries_are_counted_however_messages_are_cut() {
        let entry = [0x30, 0x84, 0, 0, 0, 7, 2, 1, 5, SEARCH_RESULT_ENTRY, 2, 4, 0];
        let done = [0x30, 5, 2, 1, 5, 0x65, 0];
        let all = [&entry[..], &entry, &done, &entry].concat();
        for size in 1..all.len() {
            let mut messages = Messages::default();
            let count: u64 = all.chunks(size).map(|piece| messages.entries_in(piece)).sum();
            assert_eq!(count, 3, "in pieces of {size}");
        }
    }
}
