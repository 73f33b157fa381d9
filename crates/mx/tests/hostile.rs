//! Servers that lie, stay silent, or know less than others (RFC 5452, RFC 6891).

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener, UdpSocket};
use std::sync::{
    Arc,
    atomic::{AtomicUsize, Ordering},
};
use std::thread;
use std::time::Duration;

use mx::dns::{Data, Failure, Outcome, Patience, RecordType, Resolver};

use crate::dns::PATIENCE;

/// For servers that never answer rightly: the wait is what is tested.
const SHORT: Patience = Patience { wait: Duration::from_millis(100), tries: 2 };

/// A server that makes of each question what it likes: any number of datagrams. It ends with the process.
fn liar(answers: impl Fn(usize, &[u8]) -> Vec<Vec<u8>> + Send + 'static) -> SocketAddr {
    let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
    let address = socket.local_addr().unwrap();
    thread::spawn(move || {
        let mut bytes = [0; 1500];
        for asked in 0.. {
            let Ok((length, from)) = socket.recv_from(&mut bytes) else { return };
            for answer in answers(asked, &bytes[..length]) {
                let _ = socket.send_to(&answer, from);
            }
        }
    });
    address
}

/// The right answer: the question as it came without what stands behind it, and an address.
fn right(question: &[u8]) -> Vec<u8> {
    let end = 12 + question[12..].iter().position(|byte| *byte == 0).unwrap() + 5;
    let mut answer = question[..end].to_vec();
    answer[2..12].copy_from_slice(&[0x81, 0x80, 0, 1, 0, 1, 0, 0, 0, 0]);
    answer.extend([0xc0, 12, 0, 1, 0, 1, 0, 0, 0, 60, 0, 4, 192, 0, 2, 7]);
    answer
}

fn with_code(question: &[u8], code: u8) -> Vec<u8> {
    let mut answer = right(question);
    answer[3] = 0x80 | code;
    answer[7] = 0;
    answer.truncate(answer.len() - 16);
    answer
}

fn changed(question: &[u8], change: impl Fn(&mut Vec<u8>)) -> Vec<u8> {
    let mut answer = right(question);
    change(&mut answer);
    answer
}

/// The forged answers, each leading to 203.0.113.9.
fn forged(question: &[u8]) -> Vec<Vec<u8>> {
    let lie = |answer: &mut Vec<u8>| {
        let end = answer.len();
        answer[end - 4..].copy_from_slice(&[203, 0, 113, 9]);
    };
    vec![
        // Another id, another name, another type, a question, a circle, forward, cut, too short, nothing.
        changed(question, |answer| {
            lie(answer);
            answer[0] ^= 1;
        }),
        changed(question, |answer| {
            lie(answer);
            answer[13] ^= 1;
        }),
        changed(question, |answer| {
            lie(answer);
            let at = answer.len() - 19;
            answer[at] = 15;
        }),
        changed(question, |answer| {
            lie(answer);
            answer[2] &= 0x7f;
        }),
        changed(question, |answer| {
            lie(answer);
            let at = answer.len() - 16;
            answer[at + 1] = at as u8;
        }),
        changed(question, |answer| {
            lie(answer);
            let at = answer.len() - 16;
            answer[at + 1] = 200;
        }),
        changed(question, |answer| {
            lie(answer);
            answer.pop();
        }),
        changed(question, |answer| {
            lie(answer);
            answer.truncate(11);
        }),
        Vec::new(),
    ]
}

async fn ask(server: SocketAddr, patience: Patience) -> Result<Outcome, Failure> {
    let name = "example.test".parse().unwrap();
    Resolver::at(server, patience).lookup(&name, RecordType::A).await.map(|answer| answer.outcome)
}

/// Asks with more patience each time until something comes of it but silence: a busy machine may be slow to answer.
async fn unless_silent(server: SocketAddr) -> Failure {
    let mut last = None;
    for millis in [100, 1000, 10_000] {
        let failure = ask(server, Patience { wait: Duration::from_millis(millis), tries: 1 }).await.unwrap_err();
        if !matches!(failure, Failure::Silent { .. }) {
            return failure;
        }
        last = Some(failure);
    }
    last.unwrap()
}

fn rightly() -> Outcome {
    Outcome::Found { records: vec![Data::A([192, 0, 2, 7].into())], ttl_seconds: 60 }
}

#[tokio::test]
async fn forged_answers_before_the_right_one_count_for_nothing() {
    let server = liar(|_, question| {
        let mut answers = forged(question);
        answers.push(right(question));
        answers
    });
    assert_eq!(ask(server, PATIENCE).await.unwrap(), rightly());
}

#[tokio::test]
async fn each_forged_answer_alone_is_no_answer() {
    for kind in 0..9 {
        let server = liar(move |_, question| vec![forged(question).swap_remove(kind)]);
        let failure = unless_silent(server).await;
        assert!(matches!(failure, Failure::Unusable { .. }), "{kind}: {failure}");
    }
}

#[tokio::test]
async fn silence_is_told_as_silence_and_asked_again_before() {
    let asked = Arc::new(AtomicUsize::new(0));
    let count = asked.clone();
    let server = liar(move |_, _| {
        count.fetch_add(1, Ordering::SeqCst);
        Vec::new()
    });
    let failure = ask(server, SHORT).await.unwrap_err();
    assert!(matches!(failure, Failure::Silent { tries: 2, .. }), "{failure}");
    // The second may still be on its way.
    while asked.load(Ordering::SeqCst) < 2 {
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    assert_eq!(asked.load(Ordering::SeqCst), 2);
    // A first question that is lost on the way.
    let server = liar(|asked, question| if asked == 0 { Vec::new() } else { vec![right(question)] });
    let patience = Patience { wait: Duration::from_secs(1), tries: 20 };
    assert_eq!(ask(server, patience).await.unwrap(), rightly());
}

#[tokio::test]
async fn a_port_that_nobody_listens_on_is_not_reached() {
    let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
    let address = socket.local_addr().unwrap();
    drop(socket);
    let failure = ask(address, SHORT).await.unwrap_err();
    assert!(matches!(failure, Failure::Unreachable { .. } | Failure::Silent { .. }), "{failure}");
}

#[tokio::test]
async fn a_server_that_can_not_find_out_says_nothing_about_the_name() {
    for code in [2, 5, 9] {
        let server = liar(move |_, question| vec![with_code(question, code)]);
        let failure = ask(server, PATIENCE).await.unwrap_err();
        assert!(matches!(failure, Failure::Refused { code: said, .. } if said == code), "{failure}");
    }
}

#[tokio::test]
async fn a_server_that_neither_has_the_zone_nor_looks_names_up_proves_nothing() {
    // No error and nothing in the answer, no such name, and an address: each without a word that it looked.
    for kind in 0..3 {
        let server = liar(move |_, question| {
            let mut answer = match kind {
                0 => with_code(question, 0),
                1 => with_code(question, 3),
                _ => right(question),
            };
            answer[3] &= 0x7f;
            vec![answer]
        });
        let failure = ask(server, PATIENCE).await.unwrap_err();
        assert!(matches!(failure, Failure::Referral { .. }), "{kind}: {failure}");
    }
}

#[tokio::test]
async fn a_server_without_edns_is_asked_without_it() {
    // Some leave the question out of the answer when they can't read it.
    for bare in [false, true] {
        let server = liar(move |_, question| {
            let has_edns = question[11] == 1;
            let mut refusal = with_code(question, 1);
            if bare {
                refusal.truncate(12);
                refusal[5] = 0;
            }
            vec![if has_edns { refusal } else { right(question) }]
        });
        assert_eq!(ask(server, Patience { tries: 1, ..PATIENCE }).await.unwrap(), rightly());
    }
}

#[tokio::test]
async fn ids_and_ports_differ_from_question_to_question() {
    let seen = Arc::new(std::sync::Mutex::new(Vec::new()));
    let ids = seen.clone();
    let server = liar(move |_, question| {
        ids.lock().unwrap().push([question[0], question[1]]);
        vec![right(question)]
    });
    for _ in 0..32 {
        ask(server, PATIENCE).await.unwrap();
    }
    let mut ids = seen.lock().unwrap().clone();
    ids.sort_unstable();
    ids.dedup();
    // 32 of 65,536 at random: two alike are rare, ten are not chance.
    assert!(ids.len() > 22, "{} ids", ids.len());
}

#[tokio::test]
async fn an_answer_that_is_cut_and_can_not_be_had_over_tcp_is_not_taken() {
    let cut = |question: &[u8]| changed(question, |answer| answer[2] |= 2);
    // Nobody listens on TCP.
    let server = liar(move |_, question| vec![cut(question)]);
    let failure = unless_silent(server).await;
    assert!(matches!(failure, Failure::Unreachable { .. }), "{failure}");
    // Somebody does, and lies or closes.
    for lie in 0..4 {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let Ok(socket) = UdpSocket::bind(address) else { continue };
        thread::spawn(move || {
            let mut bytes = [0; 1500];
            while let Ok((length, from)) = socket.recv_from(&mut bytes) {
                let _ = socket.send_to(&cut(&bytes[..length]), from);
            }
        });
        thread::spawn(move || {
            for line in listener.incoming() {
                let Ok(mut line) = line else { return };
                let mut length = [0; 2];
                if line.read_exact(&mut length).is_err() {
                    continue;
                }
                let mut question = vec![0; usize::from(u16::from_be_bytes(length))];
                if line.read_exact(&mut question).is_err() {
                    continue;
                }
                let answer = match lie {
                    0 => forged(&question).swap_remove(0),
                    1 => cut(&question),
                    2 => right(&question)[..20].to_vec(),
                    _ => continue,
                };
                let _ = line.write_all(&(answer.len() as u16).to_be_bytes());
                let _ = line.write_all(&answer);
            }
        });
        let patience = Patience { wait: Duration::from_secs(20), tries: 2 };
        let failure = ask(address, patience).await.unwrap_err();
        assert!(matches!(failure, Failure::Unusable { .. } | Failure::Unreachable { .. }), "{lie}: {failure}");
    }
}
