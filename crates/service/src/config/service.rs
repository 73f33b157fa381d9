//! `[service]`: how a project is kept in step by `whimbrel serve`.

use schemars::JsonSchema;
use serde::Deserialize;

use super::{Config, EndpointEntry, FILE};
use crate::Error;
use crate::serve::{Gate, Hours};

/// The fewest bytes a second that an endpoint may be asked for: below it one batch would take longer than servers wait.
const BYTES_A_SECOND_MIN: u64 = 16 * 1024;

/// How `whimbrel serve` and its workers keep this project in step.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct ServiceEntry {
    /// Seconds after a pass over a mailbox until the next one.
    pub cycle_seconds: u64,
    /// Seconds after which the work on a mailbox gives way when others wait; it goes on where it was when it is its turn again.
    pub turn_seconds: u64,
    /// Seconds until a mailbox that needs somebody's help is tried again all the same; many are cured elsewhere.
    pub parked_retry_seconds: u64,
    /// This project's weight beside others of the same database: what it gets while all have work to do.
    pub share: u32,
    /// Work begins only in these hours of `organisation.time_zone`: `["mon-fri 19:00-07:00", "sat-sun"]`. Always, when left out.
    pub windows: Vec<String>,
    /// No work in these hours, whatever the windows say.
    pub blackout: Vec<String>,
}

impl Default for ServiceEntry {
    fn default() -> Self {
        Self {
            cycle_seconds: 300,
            turn_seconds: 60,
            parked_retry_seconds: 3600,
            share: 1,
            windows: Vec::new(),
            blackout: Vec::new(),
        }
    }
}

impl Config {
    /// When work may be done on this project, and at the endpoint of this name.
    pub(crate) fn gate(&self, endpoint: Option<&str>) -> Result<Gate, Error> {
        let service = &self.file.service;
        let (place, windows, blackout) = match endpoint.map(|name| (name, &self.endpoints[name])) {
            None => ("service".to_owned(), &service.windows, &service.blackout),
            Some((name, EndpointEntry::Imap(entry))) => (format!("endpoints.{name}"), &entry.windows, &entry.blackout),
            Some((name, _)) => return Ok(Gate::open(name)),
        };
        let hours = |key: &str, spans: &[String]| {
            Hours::parse(spans).map_err(|why| {
                Error::usage(format!("{FILE}: {place}.{key}: {why}"))
                    .advise("write days and hours, as \"mon-fri 19:00-07:00\", \"sat-sun\" or \"22:00-06:00\"")
            })
        };
        let name = endpoint.map_or_else(|| "the project".to_owned(), |name| format!("the endpoint {name}"));
        Ok(Gate::new(name, hours("windows", windows)?, hours("blackout", blackout)?, self.time_zone()))
    }

    pub(super) fn check_service(&self) -> Result<(), Error> {
        let service = &self.file.service;
        let at_least_one = [
            ("cycle_seconds", service.cycle_seconds),
            ("turn_seconds", service.turn_seconds),
            ("parked_retry_seconds", service.parked_retry_seconds),
            ("share", u64::from(service.share)),
        ];
        if let Some((key, _)) = at_least_one.iter().find(|(_, value)| *value == 0) {
            return Err(Error::usage(format!("{FILE}: service.{key} = 0")).advise("write 1 or more"));
        }
        self.gate(None)?;
        for (name, entry) in &self.endpoints {
            self.gate(Some(name))?;
            let EndpointEntry::Imap(entry) = entry else { continue };
            if entry.requests_a_second == Some(0) {
                let what = format!("{FILE}: endpoints.{name}.requests_a_second = 0 lets nothing be asked");
                return Err(Error::usage(what).advise("write 1 or more; pause the endpoint to stop"));
            }
            if let Some(bytes @ 0..BYTES_A_SECOND_MIN) = entry.bytes_a_second {
                let what = format!("{FILE}: endpoints.{name}.bytes_a_second = {bytes} is too little");
                return Err(Error::usage(what).advise(format!("write {BYTES_A_SECOND_MIN} or more")));
            }
        }
        Ok(())
    }
}
