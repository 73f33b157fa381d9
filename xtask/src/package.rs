//! A Debian package of the program with its systemd units, by Debian's own `dpkg-deb`.
//!
//! The same sources give the same bytes: every time in it is `SOURCE_DATE_EPOCH`, else that of the last commit, and owners, modes and
//! order come from here. What is in it stands in `packaging`.

use std::fs::{self, File};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, SystemTime};

use crate::check::Outcome;
use crate::licences;
use crate::run::{cargo, cargo_command};

/// The name of the package, and of the program.
const NAME: &str = "whimbrel";
/// What is said of it.
const DESCRIPTION: &str = "moves organisations from one e-mail platform to another\n \
    Whimbrel keeps a copy of every mailbox in step with its source, proves it, and loses nothing. This package brings the\n \
    program, a service that keeps projects in step and sends their reports, and workers that lend it hands.";

/// A file of the package: where it lies in the repository, where it goes, its mode.
const FILES: &[(&str, &str, u32)] = &[
    ("packaging/systemd/whimbrel.service", "usr/lib/systemd/system/whimbrel.service", 0o644),
    ("packaging/systemd/whimbrel-worker@.service", "usr/lib/systemd/system/whimbrel-worker@.service", 0o644),
    ("packaging/debian/sysusers.conf", "usr/lib/sysusers.d/whimbrel.conf", 0o644),
    ("packaging/debian/tmpfiles.conf", "usr/lib/tmpfiles.d/whimbrel.conf", 0o644),
    // Passwords may come to stand in these two.
    ("packaging/debian/whimbrel.env", "etc/whimbrel/whimbrel.env", 0o640),
    ("packaging/debian/worker.env", "etc/whimbrel/worker.env", 0o640),
    ("packaging/debian/copyright", "usr/share/doc/whimbrel/copyright", 0o644),
    ("crates/document/fonts/LICENSE-OFL", "usr/share/doc/whimbrel/LICENSE-OFL", 0o644),
    ("README.md", "usr/share/doc/whimbrel/README.md", 0o644),
    ("docs/operations.md", "usr/share/doc/whimbrel/operations.md", 0o644),
    ("docs/service.md", "usr/share/doc/whimbrel/service.md", 0o644),
    ("docs/reliability.md", "usr/share/doc/whimbrel/reliability.md", 0o644),
    ("docs/glossary.md", "usr/share/doc/whimbrel/glossary.md", 0o644),
    ("docs/whimbrel.schema.json", "usr/share/whimbrel/whimbrel.schema.json", 0o644),
    ("packaging/debian/postinst", "DEBIAN/postinst", 0o755),
    ("packaging/debian/prerm", "DEBIAN/prerm", 0o755),
    ("packaging/debian/postrm", "DEBIAN/postrm", 0o755),
];
/// Files that are compressed on their way.
const COMPRESSED: &[(&str, &str)] =
    &[("packaging/whimbrel.1", "usr/share/man/man1/whimbrel.1"), ("CHANGELOG.md", "usr/share/doc/whimbrel/changelog")];
/// Files that an administrator changes, and that an upgrade leaves so.
const CONFIGURATION: &str = "/etc/whimbrel/whimbrel.env\n/etc/whimbrel/worker.env\n";

/// Makes the package.
pub(crate) fn package(root: &Path, arguments: &[String]) -> Outcome {
    let (mut binary, mut to) = (None, root.join("target/package"));
    let mut arguments = arguments.iter();
    while let Some(argument) = arguments.next() {
        let value = arguments.next().map(PathBuf::from);
        match (argument.as_str(), value) {
            ("--binary", Some(path)) => binary = Some(path),
            ("--to", Some(path)) => to = path,
            _ => return Err(vec![format!("{argument}: not known, or without a value; see cargo xtask")]),
        }
    }
    let binary = match binary {
        Some(binary) => binary,
        None => build(root)?,
    };
    let made = Package::of(root)?.make(root, &binary, &to).map_err(|error| vec![error])?;
    Ok(made.display().to_string())
}

/// Builds the program; where it is.
fn build(root: &Path) -> Result<PathBuf, Vec<String>> {
    cargo(root, &["build", "--release", "--locked", "-q", "-p", NAME], "correct what does not compile")?;
    let target = cargo_command(root, &["metadata", "--no-deps", "--format-version", "1", "--offline"]).output();
    let target = target.map_err(|error| vec![format!("cargo metadata: {error}")])?;
    let metadata: serde_json::Value = serde_json::from_slice(&target.stdout).unwrap_or_default();
    let folder = metadata["target_directory"].as_str().map_or_else(|| root.join("target"), PathBuf::from);
    Ok(folder.join("release").join(NAME))
}

/// What a package is made with.
struct Package {
    version: String,
    architecture: String,
    /// The time of everything in it, in seconds since 1970.
    epoch: u64,
    /// What is linked, and under which licences.
    linked: String,
}

impl Package {
    fn of(root: &Path) -> Result<Self, Vec<String>> {
        let of = |result: Result<String, String>| result.map_err(|error| vec![error]);
        let manifest = fs::read_to_string(root.join("Cargo.toml")).map_err(|error| vec![error.to_string()])?;
        let manifest: toml::Table = manifest.parse().map_err(|error| vec![format!("Cargo.toml: {error}")])?;
        let version = manifest["workspace"]["package"]["version"].as_str().unwrap_or_default().to_owned();
        let epoch = match std::env::var("SOURCE_DATE_EPOCH") {
            Ok(epoch) => epoch,
            Err(_) => of(output(
                Command::new("git").args(["-c", "safe.directory=*", "log", "-1", "--format=%ct"]).current_dir(root),
            ))?,
        };
        let epoch = epoch.trim().parse().map_err(|_| vec![format!("SOURCE_DATE_EPOCH: {epoch:?} is no time")])?;
        let architecture = of(output(Command::new("dpkg").arg("--print-architecture")))?;
        let architecture = architecture.trim().to_owned();
        Ok(Self { version, architecture, epoch, linked: licences::listing(root)? })
    }

    /// Makes the package of this program in a folder; its path.
    fn make(&self, root: &Path, binary: &Path, to: &Path) -> Result<PathBuf, String> {
        let stage = to.join("root");
        if stage.exists() {
            fs::remove_dir_all(&stage).map_err(|error| format!("{}: {error}", stage.display()))?;
        }
        self.lay_out(root, binary, &stage)?;
        self.date(&stage).map_err(|error| format!("{}: {error}", stage.display()))?;
        let made = to.join(format!("{NAME}_{}_{}.deb", self.version, self.architecture));
        let mut command = Command::new("dpkg-deb");
        command.args(["--root-owner-group", "--threads-max=1", "-Zxz", "--build"]).arg(&stage).arg(&made);
        output(command.env("SOURCE_DATE_EPOCH", self.epoch.to_string()))?;
        fs::remove_dir_all(&stage).map_err(|error| format!("{}: {error}", stage.display()))?;
        Ok(made)
    }

    /// Lays out what the package holds.
    fn lay_out(&self, root: &Path, binary: &Path, stage: &Path) -> Result<(), String> {
        let program = stage.join("usr/bin").join(NAME);
        put(&program, b"", 0o755)?;
        // Names of functions stay: they say where it came to a sudden end.
        output(Command::new("strip").arg("--strip-debug").arg("-o").arg(&program).arg(binary))?;
        set_mode(&program, 0o755)?;
        let read = |path: &str| fs::read(root.join(path)).map_err(|error| format!("{path}: {error}"));
        for (from, to, mode) in FILES {
            put(&stage.join(to), &read(from)?, *mode)?;
        }
        put(&stage.join("usr/share/doc/whimbrel/packages"), self.linked.as_bytes(), 0o644)?;
        for (from, to) in COMPRESSED {
            let path = stage.join(to);
            put(&path, &read(from)?, 0o644)?;
            output(Command::new("gzip").args(["-9", "-n"]).arg(&path))?;
        }
        let glibc = newest_glibc(&fs::read(&program).map_err(|error| error.to_string())?);
        let (files, size) = listed(stage)?;
        let control = format!(
            "Package: {NAME}\nVersion: {}\nArchitecture: {}\nMaintainer: The Whimbrel developers <whimbrel@localhost>\n\
             Installed-Size: {}\nDepends: libc6{glibc}, libgcc-s1, systemd\nRecommends: ca-certificates\nSection: mail\n\
             Priority: optional\nDescription: {DESCRIPTION}\n",
            self.version,
            self.architecture,
            size.div_ceil(1024)
        );
        put(&stage.join("DEBIAN/control"), control.as_bytes(), 0o644)?;
        put(&stage.join("DEBIAN/conffiles"), CONFIGURATION.as_bytes(), 0o644)?;
        let sums = output(Command::new("md5sum").args(&files).current_dir(stage))?;
        put(&stage.join("DEBIAN/md5sums"), sums.as_bytes(), 0o644)
    }

    /// Gives everything in a folder the package's time; what is below first, since that changes the folder's.
    fn date(&self, path: &Path) -> std::io::Result<()> {
        if path.is_dir() {
            for entry in fs::read_dir(path)? {
                self.date(&entry?.path())?;
            }
        }
        File::open(path)?.set_modified(SystemTime::UNIX_EPOCH + Duration::from_secs(self.epoch))
    }
}

/// Writes a file, with the folders above it.
fn put(path: &Path, bytes: &[u8], mode: u32) -> Result<(), String> {
    let failed = |error: std::io::Error| format!("{}: {error}", path.display());
    let mut above: Vec<&Path> = path.ancestors().skip(1).take_while(|folder| !folder.exists()).collect();
    above.reverse();
    for folder in above {
        fs::create_dir(folder).map_err(failed)?;
        set_mode(folder, 0o755)?;
    }
    fs::write(path, bytes).map_err(failed)?;
    set_mode(path, mode)
}

fn set_mode(path: &Path, mode: u32) -> Result<(), String> {
    fs::set_permissions(path, fs::Permissions::from_mode(mode)).map_err(|error| format!("{}: {error}", path.display()))
}

/// The files that are installed, in their order, and how many bytes they are in all.
fn listed(stage: &Path) -> Result<(Vec<String>, u64), String> {
    let (mut folders, mut files, mut size) = (vec![stage.to_owned()], Vec::new(), 0);
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(&folder).map_err(|error| error.to_string())? {
            let path = entry.map_err(|error| error.to_string())?.path();
            let name = path.strip_prefix(stage).unwrap_or(&path).display().to_string();
            if name == "DEBIAN" {
                continue;
            }
            if path.is_dir() {
                folders.push(path);
            } else {
                size += fs::metadata(&path).map_err(|error| error.to_string())?.len();
                files.push(name);
            }
        }
    }
    files.sort();
    Ok((files, size))
}

/// The newest version of the C library that a program asks for, as a dependency has it.
fn newest_glibc(program: &[u8]) -> String {
    const WORD: &[u8] = b"GLIBC_2.";
    let found = program.windows(WORD.len()).enumerate().filter(|(_, bytes)| *bytes == WORD).filter_map(|(at, _)| {
        let rest = &program[at + WORD.len()..];
        let digits = rest.iter().take(3).take_while(|byte| byte.is_ascii_digit()).count();
        std::str::from_utf8(&rest[..digits]).ok()?.parse::<u32>().ok()
    });
    found.max().map(|minor| format!(" (>= 2.{minor})")).unwrap_or_default()
}

/// What a program gives, or what it complains about.
fn output(command: &mut Command) -> Result<String, String> {
    let name = command.get_program().to_string_lossy().into_owned();
    let output =
        command.output().map_err(|error| format!("{name} can't be run: {error}; apt-get install dpkg binutils"))?;
    if output.status.success() {
        return Ok(String::from_utf8_lossy(&output.stdout).into_owned());
    }
    Err(format!("{name}: {}", String::from_utf8_lossy(&output.stderr).trim()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::files;

    fn has(program: &str) -> bool {
        let is_here = Command::new(program).arg("--version").output().is_ok();
        if !is_here {
            eprintln!("left out: {program} is not here");
        }
        is_here
    }

    /// A package of a small program that stands for ours, in a folder of its own.
    fn made(name: &str) -> (PathBuf, PathBuf) {
        let folder = std::env::temp_dir().join(format!("whimbrel-package-{name}-{}", std::process::id()));
        let _ = fs::remove_dir_all(&folder);
        let linked = "somebody 1.0.0 MIT\n".to_owned();
        let architecture = output(Command::new("dpkg").arg("--print-architecture")).unwrap().trim().to_owned();
        let package = Package { version: "1.2.3".to_owned(), architecture, epoch: 1_795_690_923, linked };
        let made = package.make(&files::root(), Path::new("/bin/true"), &folder).unwrap();
        (folder, made)
    }

    #[test]
    fn the_same_sources_give_the_same_bytes_and_all_that_belongs_there() {
        if !has("dpkg-deb") || !has("strip") {
            return;
        }
        let ((folder, first), (other, second)) = (made("first"), made("second"));
        assert!(fs::read(&first).unwrap() == fs::read(&second).unwrap(), "two packages of the same differ");
        let listed = output(Command::new("dpkg-deb").arg("-c").arg(&first)).unwrap();
        for (mode, path) in [
            ("-rwxr-xr-x root/root", "./usr/bin/whimbrel"),
            ("-rw-r--r-- root/root", "./usr/lib/systemd/system/whimbrel.service"),
            ("-rw-r--r-- root/root", "./usr/lib/systemd/system/whimbrel-worker@.service"),
            ("-rw-r----- root/root", "./etc/whimbrel/whimbrel.env"),
            ("-rw-r--r-- root/root", "./usr/share/man/man1/whimbrel.1.gz"),
            ("-rw-r--r-- root/root", "./usr/share/doc/whimbrel/copyright"),
            ("drwxr-xr-x root/root", "./usr/share/doc/whimbrel/"),
        ] {
            let line = listed.lines().find(|line| line.ends_with(&format!(" {path}")));
            assert!(line.is_some_and(|line| line.starts_with(mode) && line.contains("2026-11-26")), "{path}\n{listed}");
        }
        let fields = output(Command::new("dpkg-deb").arg("-f").arg(&first)).unwrap();
        assert!(fields.contains("Version: 1.2.3") && fields.contains("Depends: libc6 (>= 2."), "{fields}");
        for folder in [folder, other] {
            fs::remove_dir_all(folder).unwrap();
        }
    }

    /// In a root of its own: dpkg runs the package's scripts outside of it, and they work in it.
    #[test]
    fn it_is_installed_and_removed_and_its_units_make_sense() {
        if !has("dpkg-deb") || !has("strip") || !has("systemd-sysusers") || !has("systemd-tmpfiles") {
            return;
        }
        if output(Command::new("id").arg("-u")).unwrap().trim() != "0" {
            eprintln!("left out: only root installs a package");
            return;
        }
        let (folder, deb) = made("installed");
        let root = folder.join("scratch");
        for name in ["info", "updates", "triggers", "parts"] {
            fs::create_dir_all(root.join("var/lib/dpkg").join(name)).unwrap();
        }
        for name in ["status", "available"] {
            fs::write(root.join("var/lib/dpkg").join(name), "").unwrap();
        }
        fs::create_dir_all(root.join("etc")).unwrap();
        let dpkg = |arguments: &[&str], last: &Path| {
            let mut command = Command::new("dpkg");
            command.arg(format!("--root={}", root.display()));
            command.args(["--force-script-chrootless", "--force-depends", "--force-confold"]).args(arguments).arg(last);
            output(&mut command)
        };
        dpkg(&["--install"], &deb).unwrap();
        let users = fs::read_to_string(root.join("etc/passwd")).unwrap();
        assert!(users.contains("whimbrel:x:") && users.contains("/usr/sbin/nologin"), "{users}");
        let projects = fs::metadata(root.join("var/lib/whimbrel")).unwrap();
        assert_eq!(projects.permissions().mode() & 0o7777, 0o750);
        dpkg(&["--verify"], Path::new(NAME)).unwrap();
        if has("systemd-analyze") {
            let units = root.join("usr/lib/systemd/system");
            // What the units want of others is not in this root.
            for name in
                ["network-online.target", "multi-user.target", "sysinit.target", "basic.target", "shutdown.target"]
            {
                fs::write(units.join(name), "[Unit]\nDescription=x\n").unwrap();
            }
            for unit in ["whimbrel.service", "whimbrel-worker@1.service"] {
                let mut command = Command::new("systemd-analyze");
                command.arg("verify").arg("--man=no").arg(format!("--root={}", root.display())).arg(unit);
                let said = command.output().unwrap();
                let said = String::from_utf8_lossy(&said.stderr).into_owned();
                let complaints: Vec<&str> = said.lines().filter(|line| line.contains("whimbrel")).collect();
                assert!(complaints.is_empty(), "{unit}: {said}");
            }
        }

        // What somebody wrote, and every project, survive an upgrade and the removal.
        fs::write(root.join("etc/whimbrel/whimbrel.env"), "WHIMBREL_PROJECTS=--project /var/lib/whimbrel/RX1\n")
            .unwrap();
        fs::write(root.join("var/lib/whimbrel/kept"), "a project").unwrap();
        dpkg(&["--install"], &deb).unwrap();
        dpkg(&["--remove"], Path::new(NAME)).unwrap();
        assert!(!root.join("usr/bin/whimbrel").exists() && root.join("var/lib/whimbrel/kept").exists());
        let kept = fs::read_to_string(root.join("etc/whimbrel/whimbrel.env")).unwrap();
        assert!(kept.contains("RX1"), "{kept}");
        dpkg(&["--purge"], Path::new(NAME)).unwrap();
        assert!(!root.join("etc/whimbrel").exists() && root.join("var/lib/whimbrel/kept").exists());
        fs::remove_dir_all(folder).unwrap();
    }

    #[test]
    fn the_newest_c_library_that_is_asked_for_is_wanted() {
        assert_eq!(newest_glibc(b"x GLIBC_2.2.5\0GLIBC_2.34\0GLIBC_2.9\0"), " (>= 2.34)");
        assert_eq!(newest_glibc(b"static"), "");
    }
}
