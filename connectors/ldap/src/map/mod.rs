//! Between the protocol and the model, with all losses.

pub(crate) mod attributes;
pub(crate) mod cursor;
pub(crate) mod entry;
pub(crate) mod fields;
pub(crate) mod kinds;
pub(crate) mod rights;
pub(crate) mod states;
pub(crate) mod written;
