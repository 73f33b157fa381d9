//! Mail of these two sites: who writes to whom, by SMTP, and what the name server says of everybody.

use std::{
    fmt::{self, Write},
    sync::{
        Mutex, PoisonError,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
    thread,
    time::Duration,
};

use conformance::{
    post::{Posted, send, try_send},
    servers::DkimKey,
};
use rehearsal::Chance;

use super::{At, Estate, LOCAL, NATIONAL, NATIVE, address, name, new, old};

/// A domain outside, by which the target's checks are tried.
#[derive(Clone, Copy, Debug)]
pub struct Outsider {
    /// Its name.
    pub domain: &'static str,
    /// Its SPF record names one address, and ends in `-all`.
    pub has_spf: bool,
    /// Its DMARC record says `p=reject`.
    pub has_dmarc: bool,
    /// Its mail is signed.
    pub is_signed: bool,
}

/// Those outside.
pub const OUTSIDE: [Outsider; 5] = [
    Outsider { domain: "gp.test", has_spf: true, has_dmarc: true, is_signed: true },
    Outsider { domain: "council.test", has_spf: true, has_dmarc: true, is_signed: false },
    Outsider { domain: "shop.test", has_spf: true, has_dmarc: false, is_signed: false },
    Outsider { domain: "letters.test", has_spf: false, has_dmarc: true, is_signed: true },
    Outsider { domain: "plain.test", has_spf: false, has_dmarc: false, is_signed: false },
];

/// The source's list.
pub(super) const LOCAL_LIST: &str = "ward@hill.test";
/// The target's list.
pub(super) const NATIONAL_LIST: &str = "team@nation.test";
/// Lists, with members on both sides.
pub const LISTS: [&str; 2] = [LOCAL_LIST, NATIONAL_LIST];
/// What writes at the source when all its people have gone over.
const SCANNER: &str = "scanner@hill.test";
/// After so many messages to people one goes to a list.
const LIST_EVERY: usize = 40;

/// Who of so many people is on the source's list, besides somebody of the target's.
pub(super) fn local_members(people: usize) -> impl Iterator<Item = usize> {
    [1, 2, 21, 22, 41, 42].into_iter().filter(move |number| *number <= people)
}

/// Who of so many people is on the target's list: by their accounts, and by their addresses at the source.
pub(super) fn national_members(people: usize) -> (Vec<String>, Vec<String>) {
    let of = |numbers: [usize; 3]| numbers.into_iter().filter(move |number| *number <= people);
    (of([3, 23, 43]).map(name).chain(["native".to_owned()]).collect(), of([4, 24, 44]).map(old).collect())
}

/// Whom of so many people the post for an address is for: their numbers; 0 is somebody who has always been at the target.
fn whom(to: &str, people: usize) -> Vec<usize> {
    let number = |text: &String| text.trim_start_matches('p').split('@').next().and_then(|digits| digits.parse().ok());
    match to {
        LOCAL_LIST => local_members(people).chain([0]).collect(),
        NATIONAL_LIST => {
            let (accounts, addresses) = national_members(people);
            accounts.iter().chain(&addresses).map(|member| number(member).unwrap_or(0)).collect()
        }
        other => vec![number(&other.to_owned()).unwrap_or(0)],
    }
}

/// A message that somebody sent.
#[derive(Clone)]
pub struct Sent {
    /// What it is found again by; nobody else knows it.
    pub mark: String,
    /// To which address.
    pub to: String,
    /// By whom it was sent, and from where.
    pub from: String,
    /// Whom it is for.
    pub whom: Vec<usize>,
    /// How often everybody had been turned over or back for certain, when it was sent.
    pub turns: Vec<usize>,
    /// The MX records had been moved.
    pub after_move: bool,
}

impl fmt::Debug for Sent {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let when = if self.after_move { ", after the MX records were moved" } else { "" };
        write!(f, "{} to {} by {}{when}", self.mark, self.to, self.from)
    }
}

/// From where a message comes in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Origin {
    /// From outside, by the MX records.
    Outside,
    /// From somebody at the source.
    Local,
    /// From somebody at the target.
    National,
}

/// Who writes to everybody, all the time.
pub struct Writer<'e> {
    estate: &'e Estate,
    sent: Mutex<Vec<Sent>>,
    turns: Mutex<Vec<usize>>,
    next: AtomicUsize,
    /// New addresses have been given out.
    pub is_live: AtomicBool,
    /// The MX records have been moved.
    pub is_moved: AtomicBool,
    /// It is over.
    pub is_over: AtomicBool,
}

impl<'e> Writer<'e> {
    /// Nobody has written yet.
    pub fn new(estate: &'e Estate) -> Self {
        let turns = Mutex::new(vec![0; estate.people + 1]);
        let [is_live, is_moved, is_over] = [false; 3].map(AtomicBool::new);
        Self { estate, sent: Mutex::default(), turns, next: AtomicUsize::new(0), is_live, is_moved, is_over }
    }

    /// Writes to the old and the new address of one after the other, and now and then to a list, until it is over.
    pub fn write_from(&self, origin: Origin, seed: u64, pause: Duration) {
        let mut chance = Chance::new(seed);
        let people = self.estate.people as u64;
        let first = chance.below(people) as usize;
        for turn in first.. {
            if self.is_over.load(Ordering::SeqCst) {
                return;
            }
            // 7 and the number of people have no common factor.
            let number = 1 + (turn * 7) % self.estate.people;
            let is_live = self.is_live.load(Ordering::SeqCst);
            let to = match turn % LIST_EVERY {
                0 => LISTS[0].to_owned(),
                1 if is_live => LISTS[1].to_owned(),
                _ if is_live && (turn / self.estate.people).is_multiple_of(2) => new(number),
                _ => old(number),
            };
            self.write(origin, &to, &mut chance);
            thread::sleep(pause);
        }
    }

    /// Writes one message.
    pub fn write(&self, origin: Origin, to: &str, chance: &mut Chance) {
        self.write_with(origin, to, chance, "");
    }

    /// Writes from the source to somebody's old address; the source's server has looked up where that goes, and keeps it until
    /// [`Estate::let_go`].
    pub fn write_late(&self, number: usize, chance: &mut Chance) {
        self.write_with(Origin::Local, &old(number), chance, "X-Late: yes\r\n");
    }

    fn write_with(&self, origin: Origin, to: &str, chance: &mut Chance, field: &str) {
        let number = self.next.fetch_add(1, Ordering::SeqCst);
        let mark = format!("mark-{:016x}-", chance.draw());
        let (turns, after_move) = (self.turns(), self.is_moved.load(Ordering::SeqCst));
        let (from, port) = match origin {
            Origin::Outside => {
                (format!("someone@{}", OUTSIDE[number % OUTSIDE.len()].domain), self.estate.outside.port())
            }
            Origin::Local => {
                let writes = somebody(&turns, false, chance).map_or_else(|| SCANNER.to_owned(), old);
                (writes, self.estate.local.port())
            }
            Origin::National => {
                // Whoever has always been there, or somebody who has come.
                let writes = somebody(&turns, true, chance).filter(|_| number.is_multiple_of(2));
                (writes.map_or_else(|| NATIVE.to_owned(), new), self.estate.national.port())
            }
        };
        send(port, &from, to, &letter(&from, to, &mark, field));
        let whom = whom(to, self.estate.people);
        let sent = Sent { mark, to: to.to_owned(), from: format!("{from}, {origin:?}"), whom, turns, after_move };
        self.sent.lock().unwrap_or_else(PoisonError::into_inner).push(sent);
    }

    /// What was sent so far.
    pub fn sent(&self) -> Vec<Sent> {
        self.sent.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// These people have been turned over or back.
    pub fn turned(&self, numbers: &[usize]) {
        let mut turns = self.turns.lock().unwrap_or_else(PoisonError::into_inner);
        for number in numbers {
            turns[*number] += 1;
        }
    }

    /// How often everybody has been turned over or back.
    pub fn turns(&self) -> Vec<usize> {
        self.turns.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

/// Somebody who is turned over for certain, or is not, by how often everybody was turned.
fn somebody(turns: &[usize], is_over: bool, chance: &mut Chance) -> Option<usize> {
    let all: Vec<usize> = (1..turns.len()).filter(|number| turns[*number].is_multiple_of(2) != is_over).collect();
    (!all.is_empty()).then(|| all[chance.below(all.len() as u64) as usize])
}

fn letter(from: &str, to: &str, mark: &str, field: &str) -> String {
    format!(
        "{field}From: <{from}>\r\nTo: <{to}>\r\nSubject: {mark}\r\nMessage-ID: <{mark}@{}>\r\n\
         Date: Mon, 02 Nov 2026 09:00:00 +0000\r\n\r\n{mark}\r\n",
        from.rsplit('@').next().unwrap_or_default()
    )
}

impl Estate {
    /// Hands a message to the target's server straight from an address that nobody's SPF record names. What the server said, if it
    /// refused it.
    pub fn past_the_route(&self, envelope: &str, from: &str, to: &str) -> Result<(), String> {
        let server = address(&self.network, At::National);
        try_send((&server, 25), envelope, to, &letter(from, to, "past-the-route", ""))
    }

    /// The source's server delivers what it has kept.
    pub fn let_go(&self) {
        self.local.let_go();
    }

    /// What left either site for elsewhere.
    pub fn astray(&self) -> Vec<Posted> {
        self.sink.posted()
    }

    /// What the mail servers said of messages that they did not deliver, but for those that were told to go away.
    pub fn bounced(&self) -> Vec<String> {
        let servers = [&self.local, &self.national, &self.outside];
        servers.iter().flat_map(|server| server.logged("status=bounced")).collect()
    }

    /// What the mail servers have in their queues and log, for whoever reads of a failure.
    pub fn state(&self) -> String {
        let servers = [("outside", &self.outside), ("local", &self.local), ("national", &self.national)];
        let one = |(name, server): &(&str, &conformance::servers::PostfixSite)| {
            format!("{name}: {:#?}\n{}\n", server.queue(), server.log())
        };
        servers.iter().map(one).collect()
    }
}

/// Whose mail is signed.
pub(super) fn signing() -> Vec<&'static str> {
    OUTSIDE.iter().filter(|outsider| outsider.is_signed).map(|outsider| outsider.domain).collect()
}

/// What the name server says, before the MX records are moved or afterwards.
pub(super) fn zones(network: &str, key: &DkimKey, is_moved: bool) -> [(&'static str, String); 3] {
    let (dns, sink) = (address(network, At::Dns), address(network, At::Sink));
    let (local, national) = (address(network, At::Local), address(network, At::National));
    let serial = 1 + u8::from(is_moved);
    let head = format!("@ 60 IN SOA ns.test. admin.test. {serial} 3600 600 86400 60\n@ 60 IN NS ns.test.\n");
    let mut world = format!("{head}ns 60 IN A {dns}\nsink 60 IN A {sink}\n* 60 IN MX 10 sink.test.\n");
    for (index, outsider) in OUTSIDE.iter().enumerate() {
        let Outsider { domain, has_spf, has_dmarc, is_signed, .. } = outsider;
        let own = format!("{network}.{}", At::Outside as usize + index);
        let _ = writeln!(world, "{domain}. 60 IN MX 10 sink.test.\nout.{domain}. 60 IN A {own}");
        if *has_spf {
            let _ = writeln!(world, "{domain}. 60 IN TXT \"v=spf1 ip4:{own} -all\"");
        }
        if *has_dmarc {
            let _ = writeln!(world, "_dmarc.{domain}. 60 IN TXT \"v=DMARC1; p=reject\"");
        }
        if *is_signed {
            world += &key.record(domain);
        }
    }
    let site = |domain: &str, host: &str, own: &str, exchange: &str| {
        format!(
            "{head}@ 60 IN MX 10 {exchange}.\n{host} 60 IN A {own}\n@ 60 IN TXT \"v=spf1 ip4:{local} ip4:{national} -all\"\n\
             _dmarc.{domain}. 60 IN TXT \"v=DMARC1; p=reject\"\n"
        )
    };
    let exchange = if is_moved { "mx.nation.test" } else { "mail.hill.test" };
    [
        ("test", world),
        (LOCAL, site(LOCAL, "mail", &local, exchange)),
        (NATIONAL, site(NATIONAL, "mx", &national, "mx.nation.test")),
    ]
}
