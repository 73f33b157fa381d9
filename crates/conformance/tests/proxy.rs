//! The proxy: does it delay, count, hold back and break exactly what it was asked to?

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test fails by what goes wrong in it")]

use std::{
    io::{Read, Write},
    net::{TcpListener, TcpStream},
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::{Duration, Instant},
};

use conformance::{
    imap_server::ImapServer,
    proxy::{After, Direction, Point, Proxy, Shape, Trap},
    talk::Talk,
};

fn server() -> ImapServer {
    ImapServer::builder().user("alice", "a").start()
}

fn messages(server: &ImapServer) -> usize {
    server.person("alice").dump()[0].messages.len()
}

/// A server that gives back whatever it gets, and ends when its client has ended.
fn echo() -> u16 {
    let listener = TcpListener::bind(("127.0.0.1", 0)).unwrap();
    let port = listener.local_addr().unwrap().port();
    std::thread::spawn(move || {
        for stream in listener.incoming().map_while(Result::ok) {
            std::thread::spawn(move || {
                let (mut from, mut to) = (stream.try_clone().unwrap(), stream);
                let _ = std::io::copy(&mut from, &mut to);
                let _ = to.shutdown(std::net::Shutdown::Write);
            });
        }
    });
    port
}

fn connect(proxy: &Proxy) -> TcpStream {
    let stream = TcpStream::connect(("127.0.0.1", proxy.port())).unwrap();
    stream.set_nodelay(true).unwrap();
    stream.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
    stream
}

#[test]
fn bytes_pass_and_are_counted() {
    let proxy = Proxy::to(echo()).start();
    let mut stream = connect(&proxy);
    let sent: Vec<u8> = (0..3_000_000u32).map(|n| n as u8).collect();
    let (mut writer, to_send) = (stream.try_clone().unwrap(), sent.clone());
    let writing = std::thread::spawn(move || {
        writer.write_all(&to_send).unwrap();
        writer.shutdown(std::net::Shutdown::Write).unwrap();
    });
    let mut came = Vec::new();
    stream.read_to_end(&mut came).unwrap();
    writing.join().unwrap();
    assert!(came == sent);
    assert_eq!([proxy.bytes(Direction::Up), proxy.bytes(Direction::Down)], [3_000_000; 2]);
    assert_eq!(proxy.connections(), 1);
}

#[test]
fn latency_and_rate_slow_what_passes() {
    let proxy = Proxy::to(echo()).latency(Duration::from_millis(50)).start();
    let mut stream = connect(&proxy);
    let begun = Instant::now();
    for _ in 0..3 {
        stream.write_all(b"x").unwrap();
        stream.read_exact(&mut [0]).unwrap();
    }
    assert!(begun.elapsed() >= Duration::from_millis(300), "{:?}", begun.elapsed());
    // What is sent ahead does not wait for what went before it: one after the other these would take ten seconds.
    let begun = Instant::now();
    for _ in 0..100 {
        stream.write_all(b"x").unwrap();
    }
    stream.read_exact(&mut [0; 100]).unwrap();
    assert!(begun.elapsed() < Duration::from_secs(5), "{:?}", begun.elapsed());
    proxy.set_shape(Direction::Up, Shape { bytes_per_second: Some(100_000), ..Shape::default() });
    let begun = Instant::now();
    let mut many = vec![0; 40_000];
    stream.write_all(&many).unwrap();
    stream.read_exact(&mut many).unwrap();
    assert!(begun.elapsed() >= Duration::from_millis(350), "{:?}", begun.elapsed());
}

#[test]
fn a_connection_is_cut_after_so_many_bytes() {
    let proxy = Proxy::to(echo()).start();
    proxy.cut_after(Direction::Down, 1234);
    let mut stream = connect(&proxy);
    stream.write_all(&[7; 5000]).unwrap();
    let mut came = Vec::new();
    let _ = stream.read_to_end(&mut came);
    assert_eq!(came.len(), 1234);
    let mut next = connect(&proxy);
    next.write_all(&[7; 5000]).unwrap();
    next.read_exact(&mut [0; 5000]).unwrap();
}

#[test]
fn connections_stall_end_and_reset_as_ordered() {
    let proxy = Proxy::to(echo()).start();
    let mut stream = connect(&proxy);
    proxy.stall(Direction::Down);
    stream.write_all(b"x").unwrap();
    stream.set_read_timeout(Some(Duration::from_millis(50))).unwrap();
    assert!(stream.read(&mut [0]).is_err());
    proxy.resume(Direction::Down);
    stream.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
    stream.read_exact(&mut [0]).unwrap();
    // The client hears that nothing more comes, and may still send.
    proxy.half_close(Direction::Down);
    assert_eq!(stream.read(&mut [0]).unwrap(), 0);
    stream.write_all(b"y").unwrap();
    let mut cut = connect(&proxy);
    cut.write_all(b"x").unwrap();
    cut.read_exact(&mut [0]).unwrap();
    proxy.cut();
    assert_eq!(cut.read(&mut [0]).unwrap(), 0);
    let mut reset = connect(&proxy);
    reset.write_all(b"x").unwrap();
    reset.read_exact(&mut [0]).unwrap();
    proxy.reset();
    assert_eq!(reset.read(&mut [0]).unwrap_err().kind(), std::io::ErrorKind::ConnectionReset);
    proxy.refuse(true);
    assert!(connect(&proxy).read(&mut [0]).map_or(true, |length| length == 0));
    proxy.refuse(false);
    let mut again = connect(&proxy);
    again.write_all(b"x").unwrap();
    again.read_exact(&mut [0]).unwrap();
}

#[test]
fn a_trap_strikes_at_its_point() {
    // What the mailbox holds while the deed is done, and afterwards.
    for (point, during, after) in [(Point::Begun, 0, 0), (Point::BeforeEnd, 0, 0), (Point::Answered, 2, 2)] {
        let server = server();
        let proxy = Proxy::to(server.port()).imap().start();
        let alice = server.person("alice");
        let as_told = Arc::new(AtomicBool::new(false));
        let told = Arc::clone(&as_told);
        proxy.set(Trap::on("APPEND", point), move || {
            told.store(alice.dump()[0].messages.len() == during, Ordering::SeqCst);
            After::Cut
        });
        let mut talk = Talk::login(proxy.port(), "alice", "a");
        assert!(talk.try_command("APPEND INBOX {3+}\r\none {3+}\r\ntwo").is_none(), "{point:?}");
        assert!(as_told.load(Ordering::SeqCst), "{point:?}");
        assert_eq!(messages(&server), after, "{point:?}");
        assert_eq!(proxy.traps_left(), 0);
    }
}

#[test]
fn a_command_that_was_sent_takes_effect_though_nobody_hears_of_it() {
    let server = server();
    let proxy = Proxy::to(server.port()).imap().start();
    let alice = server.person("alice");
    proxy.set(Trap::on("APPEND", Point::Sent).nth(2).containing("INBOX"), move || {
        let begun = Instant::now();
        while alice.dump()[0].messages.len() < 2 {
            assert!(begun.elapsed() < Duration::from_secs(20));
            std::thread::sleep(Duration::from_millis(1));
        }
        After::Reset
    });
    let mut talk = Talk::login(proxy.port(), "alice", "a");
    talk.ok("CREATE x");
    assert!(talk.append("x", "", b"another folder").is_ok());
    assert!(talk.append("INBOX", "", b"first").is_ok());
    let tag = talk.next_tag();
    talk.send(format!("{tag} APPEND INBOX {{1+}}\r\na\r\n").as_bytes());
    assert!(talk.answer(&tag).is_none());
    assert_eq!(messages(&server), 2);
}

#[test]
fn a_held_connection_stays_open_and_says_nothing() {
    let server = server();
    let proxy = Proxy::to(server.port()).imap().start();
    proxy.set(Trap::on("UID STORE", Point::Answered), || After::Hold);
    let mut talk = Talk::login(proxy.port(), "alice", "a");
    talk.append("INBOX", "", b"one");
    talk.ok("SELECT INBOX");
    let tag = talk.next_tag();
    talk.send(format!("{tag} UID STORE 1 +FLAGS (\\Seen)\r\n").as_bytes());
    let begun = Instant::now();
    while server.person("alice").dump()[0].messages[0].flags.is_empty() {
        assert!(begun.elapsed() < Duration::from_secs(20));
        std::thread::sleep(Duration::from_millis(1));
    }
    assert_eq!(proxy.open_connections(), 1);
    proxy.cut();
    assert!(talk.answer(&tag).is_none());
}

#[test]
fn a_trap_that_lets_go_on_changes_nothing() {
    let server = server();
    let proxy = Proxy::to(server.port()).imap().start();
    for point in [Point::Begun, Point::BeforeEnd, Point::Sent, Point::Answered] {
        proxy.set(Trap::on("APPEND", point), || After::GoOn);
    }
    let mut talk = Talk::login(proxy.port(), "alice", "a");
    for _ in 0..6 {
        assert!(talk.append("INBOX", "", b"a\r\nb {5}\r\n").is_ok());
    }
    assert_eq!(messages(&server), 6);
    assert_eq!(server.violations(), Vec::<String>::new());
}
