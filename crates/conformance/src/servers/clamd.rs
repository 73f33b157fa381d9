//! ClamAV's daemon, with two signatures of the tests' own and nothing downloaded: it starts in a tenth of a second.

use std::{io::Read, io::Write, net::TcpStream, path::PathBuf, sync::Mutex, time::Duration};

use super::{
    free_port,
    instance::{Ending, Instance},
    program,
};

const PACKAGE: &str = "clamav-daemon";
/// What the tests' own signature finds.
pub const MALWARE: &str = "KIT-TEST-MALWARE-MARKER";

/// A ClamAV daemon.
pub struct Clamd {
    instance: Mutex<Instance>,
    program: PathBuf,
    port: u16,
}

impl Clamd {
    /// Starts one that takes items of at most so many MiB. None when the package is missing.
    pub fn start(item_mib_max: u32) -> Option<Self> {
        let program = program(&["/usr/sbin/clamd"], PACKAGE)?;
        let instance = Instance::new(Ending::Leader("TERM"));
        let (signatures, temporary) = (instance.make_folder("signatures"), instance.make_folder("tmp"));
        let hex: String = MALWARE.bytes().map(|byte| format!("{byte:02x}")).collect();
        instance.write("signatures/kit.ndb", &format!("Kit.Marker:0:*:{hex}\n"));
        let port = free_port();
        let config = format!(
            "DatabaseDirectory {}\nTemporaryDirectory {}\nLogFile {}\nTCPSocket {port}\nTCPAddr 127.0.0.1\nForeground yes\n\
             ScanMail yes\nStreamMaxLength {item_mib_max}M\nMaxThreads 4\nConcurrentDatabaseReload no\nSelfCheck 0\n",
            signatures.display(),
            temporary.display(),
            instance.path("log").display()
        );
        instance.write("clamd.conf", &config);
        let server = Self { instance: Mutex::new(instance), program, port };
        server.restart();
        Some(server)
    }

    /// Its address, as a project has it.
    pub fn address(&self) -> String {
        format!("127.0.0.1:{}", self.port)
    }

    /// Ends it.
    pub fn stop(&self) {
        self.instance.lock().unwrap().stop();
    }

    /// Starts it again, on the same port.
    ///
    /// # Panics
    /// When it does not start.
    pub fn restart(&self) {
        let mut instance = self.instance.lock().unwrap();
        let (program, config) = (self.program.display().to_string(), instance.path("clamd.conf").display().to_string());
        let started = instance.start(&[&program, "-c", &config], || self.answers());
        assert!(started, "clamd does not start\n{}", instance.said());
    }

    fn answers(&self) -> bool {
        let Ok(mut line) = TcpStream::connect(("127.0.0.1", self.port)) else { return false };
        let _ = line.set_read_timeout(Some(Duration::from_secs(5)));
        let mut answer = Vec::new();
        line.write_all(b"zPING\0").is_ok() && line.read_to_end(&mut answer).is_ok() && answer.starts_with(b"PONG")
    }
}
