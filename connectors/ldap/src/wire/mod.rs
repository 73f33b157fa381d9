//! Bytes and words of the protocol, and no policy: LDAP (RFC 4511 to 4515, 4533) and what Active Directory adds to it
//! (MS-ADTS, MS-DTYP).

pub(crate) mod ber;
pub(crate) mod connection;
pub(crate) mod controls;
pub(crate) mod dn;
pub(crate) mod entry;
pub(crate) mod filter;
pub(crate) mod guid;
pub(crate) mod result;
pub(crate) mod security_descriptor;
pub(crate) mod sid;
pub(crate) mod time;
pub(crate) mod tls;
