//! `doctor`: is this machine fit for the work?

use std::path::Path;

use connector::{Clock, SystemClock};
use serde::Serialize;

use crate::error::Exit;
use crate::secret::Environment;
use crate::{Error, Project};

/// Free bytes that a run may need for temporary files and the database.
const FREE_BYTES_MIN: u64 = 1 << 30;
/// Files that may be open at once: connections, temporary files and the database.
const OPEN_FILES_MIN: u64 = 1024;
/// Seconds by which this machine's clock and the database's may differ.
const CLOCKS_APART_MAX: i64 = 60;

/// What was found.
#[derive(Clone, Debug, Serialize)]
pub struct DoctorReport {
    /// What is well.
    pub well: Vec<String>,
    /// What is not.
    pub complaints: Vec<Complaint>,
}

/// Something that is not well.
#[derive(Clone, Debug, Serialize)]
pub struct Complaint {
    /// What.
    pub what: String,
    /// What to do.
    pub advice: String,
}

impl DoctorReport {
    /// The exit code.
    pub fn exit(&self) -> Exit {
        if self.complaints.is_empty() { Exit::Done } else { Exit::WithFailures }
    }

    fn say(&mut self, is_well: bool, what: String, advice: &str) {
        if is_well {
            self.well.push(what);
        } else {
            self.complaints.push(Complaint { what, advice: advice.to_owned() });
        }
    }
}

/// Looks at the machine, and at the project if it opens.
pub async fn doctor(folder: &Path, environment: Environment<'_>) -> DoctorReport {
    let mut report = DoctorReport { well: Vec::new(), complaints: Vec::new() };
    match Project::open(folder, environment).await {
        Ok(project) => {
            let people = project.people.rows.len() as u64;
            report.well.push(format!(
                "the project of {} ({}) is whole, with {}",
                project.config.file.organisation.name,
                project.config.code,
                movement::state::counted(people, "row")
            ));
            look_at_database(&project, &mut report).await;
            project.close().await;
            let spool = project.config.file.limits.spool_folder.as_ref();
            let spool = spool.map_or_else(std::env::temp_dir, |path| project.config.path(path));
            look_at_disk(&spool, "temporary files", &mut report);
        }
        Err(error) => complain(&error, &mut report),
    }
    look_at_disk(folder, "the project", &mut report);
    let files = rustix::process::getrlimit(rustix::process::Resource::Nofile).current.unwrap_or(u64::MAX);
    let what = format!("{} may be open at once", movement::state::counted(files, "file"));
    report.say(files >= OPEN_FILES_MIN, what, "raise the limit: ulimit -n 4096");
    report
}

fn complain(error: &Error, report: &mut DoctorReport) {
    let advice = error.advice.clone().unwrap_or_default();
    report.complaints.push(Complaint { what: error.what.clone(), advice });
}

async fn look_at_database(project: &Project, report: &mut DoctorReport) {
    match project.store.now().await {
        Ok(now) => {
            let apart = (now / 1000 - SystemClock.unix_seconds()).abs();
            let what = format!("the database answers; its clock is {apart} s from this machine's");
            report.say(apart <= CLOCKS_APART_MAX, what, "set both clocks by NTP");
        }
        Err(error) => complain(&error.into(), report),
    }
    match project.store.audit_log(project.key).await {
        Ok((log, None)) => report.well.push(format!(
            "the audit log is whole: {} in an unbroken chain",
            movement::state::counted(log.len() as u64, "row")
        )),
        Ok((_, Some(fault))) => report.complaints.push(Complaint {
            what: format!("the audit log is not as it was written: row {} was changed or taken out", fault.number),
            advice: "keep a copy of the database and find out who wrote to it".to_owned(),
        }),
        Err(error) => complain(&error.into(), report),
    }
}

fn look_at_disk(folder: &Path, whose: &str, report: &mut DoctorReport) {
    let shown = folder.display();
    match rustix::fs::statvfs(folder) {
        Ok(disk) => {
            let free = disk.f_bavail * disk.f_frsize;
            let what = format!("{} MiB are free for {whose} in {shown}", free >> 20);
            report.say(free >= FREE_BYTES_MIN, what, "free some space; at least 1 GiB is wise");
        }
        Err(error) => report.complaints.push(Complaint {
            what: format!("the space free for {whose} in {shown} is not known: {error}"),
            advice: "check that the folder is there".to_owned(),
        }),
    }
}
