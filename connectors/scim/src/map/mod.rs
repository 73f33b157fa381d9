//! Between SCIM and the model: which attribute holds what, an entry from a resource, a resource with an entry's differences,
//! and the operations of PATCH that lead from one form of a resource to another.

pub(crate) mod edit;
pub(crate) mod fields;
pub(crate) mod patch;
pub(crate) mod read;
#[cfg(test)]
mod tests;
