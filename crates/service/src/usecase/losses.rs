//! `losses`: what a pair of platforms can't carry, before anything moves.

use connector::{Declaration, losses_between};
use serde::Serialize;

use crate::config::{Config, EndpointEntry, alike};
use crate::{Error, registry};

/// What a pair loses.
#[derive(Clone, Debug, Serialize)]
pub struct LossReport {
    /// The source: an endpoint or a kind.
    pub source: String,
    /// The target: an endpoint or a kind.
    pub target: String,
    /// The losses.
    pub losses: Vec<LossLine>,
}

/// A loss.
#[derive(Clone, Debug, Serialize)]
pub struct LossLine {
    /// Its code.
    pub loss: &'static str,
    /// What it means and what happens.
    pub what: &'static str,
}

/// What the pair of these endpoints of the project, or of these kinds, loses.
pub fn losses(config: Option<&Config>, source: &str, target: &str) -> Result<LossReport, Error> {
    let table = losses_between(&declaration(config, source)?, &declaration(config, target)?);
    let line = |loss: &model::Loss| LossLine { loss: loss.code(), what: loss.sentence() };
    Ok(LossReport {
        source: source.to_owned(),
        target: target.to_owned(),
        losses: table.losses().iter().map(line).collect(),
    })
}

fn declaration(config: Option<&Config>, name: &str) -> Result<Declaration, Error> {
    match config.and_then(|config| config.endpoints.get(name)) {
        Some(EndpointEntry::Imap(_)) => return Ok(imap::declaration()),
        Some(EndpointEntry::Maildir(entry)) => return Ok(maildir::declaration(entry.dialect())),
        Some(EndpointEntry::Mbox(entry)) => return Ok(mbox::declaration(entry.dialect())),
        Some(EndpointEntry::Eml(_)) => return Ok(eml::declaration()),
        None => {}
    }
    registry::declaration(name).ok_or_else(|| {
        let endpoints = config.into_iter().flat_map(|config| config.endpoints.keys().map(String::as_str));
        let known: Vec<&str> = endpoints.chain(registry::KINDS).collect();
        let error = Error::usage(format!("{name:?} is neither an endpoint of the project nor a kind of endpoint"));
        match alike(name, known.iter().copied()) {
            Some(meant) => error.advise(format!("did you mean {meant:?}?")),
            None => error.advise(format!("known are {}", known.join(", "))),
        }
    })
}
