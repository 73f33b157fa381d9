//! The operations, one file each.

pub(crate) mod acl;
pub(crate) mod append;
mod careful;
mod changes;
pub(crate) mod check;
pub(crate) mod connect;
mod create;
mod delete;
mod expunge;
mod fetch;
pub(crate) mod identity;
mod introduce;
mod list;
mod login;
mod outlet;
mod read;
mod select;
mod size;
mod store;
mod subscribe;
mod token;
mod uid_move;
pub(crate) mod watch;
