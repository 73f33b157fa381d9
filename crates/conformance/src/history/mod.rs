//! Random histories with a judge: what a person does on both sides while the engine makes passes, breaks off, is stopped
//! and loses its memory; and at the end the demand that everything is where it belongs.
//!
//! * [`step`]: what happens, and how it is written.
//! * [`generate`]: a history from a seed.
//! * [`client`], [`imap`]: the person's client, in memory and on a real server.
//! * [`book`]: what is known of what the person did; [`mod@judge`]: what that demands of the end.
//! * [`together`]: folders of the source that come together on the target.
//! * [`turned`]: histories of people who are turned over, come back, and are turned over again, judged by how often each message
//!   lies where.
//! * [`play`]: plays a history with the engine; [`family`]: kinds of histories, many seeds of each, and the shortest
//!   history that still fails; [`kept`]: histories that once failed.

pub mod book;
pub mod client;
pub mod family;
pub mod generate;
pub mod imap;

pub mod judge;
pub mod kept;
pub mod play;
pub mod step;
pub mod together;
pub mod turned;
