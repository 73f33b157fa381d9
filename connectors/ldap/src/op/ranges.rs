//! Attributes of more values than Active Directory gives at once (MS-ADTS section 3.1.1.3.1.3.3): the rest is asked for, part by
//! part.

use connector::Error;
use model::{Cause, Scope};

use crate::config::Kind;
use crate::wire::connection::Connection;
use crate::wire::entry::RawEntry;
use crate::wire::guid;

/// Parts of one attribute, at most: with the 1,500 values that a part has, more members than any domain has people. It keeps
/// a server that never comes to an end from being asked for ever.
const PARTS_MAX: usize = 20_000;

/// The names to ask for, so that no more than this many values come at once; as the server likes where it is not said.
pub(crate) fn asked(name: &str, from: usize, values_max: Option<usize>) -> String {
    match values_max {
        Some(values) => format!("{name};range={from}-{}", from + values - 1),
        None => format!("{name};range={from}-*"),
    }
}

impl Connection {
    /// Reads the rest of the values of these attributes, where only a part was given.
    pub(crate) async fn complete(
        &mut self,
        entry: &mut RawEntry,
        of: Kind,
        names: &[String],
        values_max: Option<usize>,
    ) -> Result<(), Error> {
        if of != Kind::ActiveDirectory {
            return Ok(());
        }
        // By its GUID, since it may be renamed meanwhile.
        let guid = entry.values("objectGUID").first().and_then(|bytes| guid::text(bytes));
        let dn = guid.map_or_else(|| entry.dn.clone(), |guid| format!("<GUID={guid}>"));
        for name in names {
            let mut parts = 0;
            while let Some((_, last)) = entry.range_of(name) {
                let values = entry.take_range(name);
                let is_empty = values.is_empty();
                entry.add(name, values);
                let Some(last) = last else { break };
                parts += 1;
                if parts > PARTS_MAX || is_empty {
                    return Err(unfinished(entry, name));
                }
                let part = self.entry(&dn, &[asked(name, last + 1, values_max)]).await?;
                // It is gone meanwhile: what is there of it is told, and that it is gone the next time.
                let Some(mut part) = part else { break };
                let Some((_, last)) = part.range_of(name) else { return Err(unfinished(entry, name)) };
                let end = last.map_or_else(|| "*".to_owned(), |last| last.to_string());
                entry.add(&format!("{name};range=0-{end}"), part.take_range(name));
            }
        }
        Ok(())
    }
}

fn unfinished(entry: &RawEntry, name: &str) -> Error {
    let what = format!("the server does not give all values of {name} of {:?}", entry.dn);
    Error::new(Cause::Protocol, Scope::Run, what)
}
