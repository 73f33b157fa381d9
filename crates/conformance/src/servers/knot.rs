//! Knot DNS: the server of zones that a test writes. It starts in a tenth of a second, as whoever runs the tests.

use std::{
    net::UdpSocket,
    path::PathBuf,
    sync::{Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
};

use rustix::process::Signal;

use super::{
    free_port,
    instance::{Ending, Instance},
    is_root, left_out, program,
};

const PACKAGE: &str = "knot";
/// Ports are lost to others now and then.
const PORTS_TRIED: usize = 5;
/// How long it may take to read a zone again, on a busy machine.
const RELOAD_MAX: Duration = Duration::from_mins(1);

/// An authoritative DNS server.
pub struct Knot {
    instance: Mutex<Instance>,
    program: PathBuf,
    address: String,
    port: u16,
    identity: String,
}

impl Knot {
    /// Starts one for these zones: the name of each, and the text of its file. None when the package is missing.
    pub fn start(zones: &[(&str, &str)]) -> Option<Self> {
        let program = program(&["/usr/sbin/knotd"], PACKAGE)?;
        for _ in 0..PORTS_TRIED {
            if let Some(server) = Self::try_start(&program, "127.0.0.1", free_port(), zones) {
                return Some(server);
            }
        }
        panic!("knotd found no port in {PORTS_TRIED} tries");
    }

    /// Starts two on one port, each at an address of its own, as a zone's servers are. None when the package is missing.
    pub fn start_two(zones: [&[(&str, &str)]; 2]) -> Option<[Self; 2]> {
        let program = program(&["/usr/sbin/knotd"], PACKAGE)?;
        for _ in 0..PORTS_TRIED {
            let port = free_port();
            let first = Self::try_start(&program, "127.0.0.1", port, zones[0]);
            let second = Self::try_start(&program, "127.0.0.2", port, zones[1]);
            if let (Some(first), Some(second)) = (first, second) {
                return Some([first, second]);
            }
        }
        panic!("knotd found no port in {PORTS_TRIED} tries");
    }

    /// Starts one at this address of loopback, on the port of names, which needs root. None when the package is missing, or the tests don't
    /// run as root.
    ///
    /// # Panics
    /// When somebody else has the port.
    pub fn start_at(address: &str, zones: &[(&str, &str)]) -> Option<Self> {
        let program = program(&["/usr/sbin/knotd"], PACKAGE)?;
        if !is_root() {
            left_out("a name server at port 53 runs only where the tests run as root");
            return None;
        }
        Some(Self::try_start(&program, address, 53, zones).expect("the port is free"))
    }

    /// Its address.
    pub fn address(&self) -> std::net::SocketAddr {
        format!("{}:{}", self.address, self.port).parse().expect("it is one")
    }

    /// Gives a zone another text, and starts it anew with that.
    ///
    /// # Panics
    /// When it does not start.
    pub fn replace(&self, zone: &str, text: &str) {
        let mut instance = self.instance();
        instance.stop();
        instance.write(&format!("{zone}.zone"), text);
        assert!(self.run(&mut instance), "knotd does not start\n{}", instance.said());
    }

    /// Gives a zone another text while it goes on answering.
    ///
    /// # Panics
    /// When it does not answer by it: the number in its SOA record has to be another.
    pub fn reload(&self, zone: &str, text: &str) {
        let before = self.answer(zone, 6, 1);
        {
            let instance = self.instance();
            instance.write(&format!("{zone}.zone"), text);
            instance.signal(Signal::HUP);
        }
        let began = Instant::now();
        while self.answer(zone, 6, 1).is_none_or(|now| Some(now) == before) {
            assert!(began.elapsed() < RELOAD_MAX, "knotd does not read {zone} again\n{}", self.instance().said());
            std::thread::sleep(Duration::from_millis(20));
        }
    }

    /// Ends it.
    pub fn stop(&self) {
        self.instance().stop();
    }

    fn try_start(program: &std::path::Path, address: &str, port: u16, zones: &[(&str, &str)]) -> Option<Self> {
        let instance = Instance::new(Ending::Leader("TERM"));
        let folder = instance.folder().display().to_string();
        for made in ["run", "db"] {
            instance.make_folder(made);
        }
        let identity = instance.folder().file_name().and_then(|name| name.to_str()).expect("it has a name").to_owned();
        let mut config = CONFIG
            .replace("{folder}", &folder)
            .replace("{identity}", &identity)
            .replace("{listen}", &format!("{address}@{port}"));
        for (zone, text) in zones {
            instance.write(&format!("{zone}.zone"), text);
            config += ["  - domain: ", zone, ".\n    file: ", zone, ".zone\n"].concat().as_str();
        }
        instance.write("knot.conf", &config);
        let (program, address) = (program.to_owned(), address.to_owned());
        let server = Self { instance: Mutex::new(instance), program, address, port, identity };
        let started = server.run(&mut server.instance());
        started.then_some(server)
    }

    fn run(&self, instance: &mut Instance) -> bool {
        let (program, config) = (self.program.display().to_string(), instance.path("knot.conf").display().to_string());
        let zones: Vec<String> = std::fs::read_dir(instance.folder())
            .expect("the folder is ours")
            .filter_map(|entry| entry.ok()?.file_name().into_string().ok()?.strip_suffix(".zone").map(str::to_owned))
            .collect();
        instance.start(&[&program, "-c", &config], || {
            // Several processes may listen on one port: it has to be this one, with its zones.
            let is_it = self.answer("id.server", 16, 3).is_some_and(|answer| {
                answer.windows(self.identity.len()).any(|piece| piece == self.identity.as_bytes())
            });
            is_it && zones.iter().all(|zone| self.answer(zone, 6, 1).is_some_and(|answer| answer[7] == 1))
        })
    }

    /// Its own answer to a question of this type and class, if it has one without an error.
    fn answer(&self, name: &str, kind: u8, class: u8) -> Option<Vec<u8>> {
        let mut question = vec![0x4b, 0x49, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0];
        for label in name.split('.') {
            question.push(label.len() as u8);
            question.extend(label.bytes());
        }
        question.extend([0, 0, kind, 0, class]);
        let socket = UdpSocket::bind("127.0.0.1:0").ok()?;
        socket.set_read_timeout(Some(Duration::from_millis(500))).ok()?;
        socket.connect(self.address()).ok()?;
        socket.send(&question).ok()?;
        let mut answer = vec![0; 512];
        let length = socket.recv(&mut answer).ok()?;
        answer.truncate(length);
        let code = answer.get(3).map(|flags| flags % 16);
        (length > 12 && answer[..2] == question[..2] && code == Some(0)).then_some(answer)
    }

    fn instance(&self) -> MutexGuard<'_, Instance> {
        self.instance.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

const CONFIG: &str = "\
server:
    rundir: {folder}/run
    listen: {listen}
    identity: {identity}
    udp-workers: 1
    tcp-workers: 1
    background-workers: 1
log:
  - target: stderr
    any: info
database:
    storage: {folder}/db
template:
  - id: default
    storage: {folder}
    zonefile-sync: -1
    journal-content: none
zone:
";
