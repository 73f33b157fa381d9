//! What stands below containers that were renamed or moved: its own entries did not change, so no feed tells of it, though each
//! is called otherwise now and may have left the scope, or come into it.

use std::collections::BTreeSet;

use connector::Error;
use model::Cause;

use super::tell::Reading;
use crate::wire::dn::Dn;

impl Reading<'_> {
    /// Tells what is in scope below the containers of these names. Gives what was told before and stands below those that are
    /// outside the bases.
    pub(crate) async fn take_below(&mut self, containers: Vec<String>) -> Result<BTreeSet<String>, Error> {
        let bases: Vec<(usize, (String, Dn))> = self.scope.bases.iter().cloned().enumerate().collect();
        let filter = self.scope.filter.clone();
        let mut outside = BTreeSet::new();
        for (name, container) in topmost(containers) {
            let mut is_outside = true;
            for (base, (base_name, base_dn)) in &bases {
                let within = if container.is_within(base_dn) {
                    &name
                } else if base_dn.is_within(&container) {
                    base_name
                } else {
                    continue;
                };
                is_outside = false;
                match self.take_under(within, *base, &filter).await {
                    // It has moved on, which is told the next time. Without a base nothing is read at all.
                    Err(error) if error.cause == Cause::Missing && within == &name && name != *base_name => {}
                    told => told?,
                }
            }
            if !is_outside || self.told.is_empty() {
                continue;
            }
            match self.names(&name, &filter).await {
                Err(error) if error.cause == Cause::Missing => {}
                names => outside.extend(names?.into_iter().map(|(key, _)| key)),
            }
        }
        Ok(outside)
    }
}

/// Those that stand in none of the others, each once.
fn topmost(containers: Vec<String>) -> Vec<(String, Dn)> {
    let all = containers.into_iter().filter_map(|name| Dn::parse(&name).map(|dn| (name, dn)));
    let mut topmost: Vec<(String, Dn)> = Vec::new();
    for (name, dn) in all {
        if !topmost.iter().any(|(_, above)| dn.is_within(above)) {
            topmost.retain(|(_, below)| !below.is_within(&dn));
            topmost.push((name, dn));
        }
    }
    topmost
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_below_another_is_read_with_it() {
        let names = |all: &[&str]| {
            let topmost = topmost(all.iter().map(|name| (*name).to_owned()).collect());
            topmost.into_iter().map(|(name, _)| name).collect::<Vec<_>>()
        };
        assert_eq!(names(&["ou=a,ou=b,dc=x", "OU=B,DC=X", "ou=c,dc=x", "ou=d,ou=b,dc=x"]), ["OU=B,DC=X", "ou=c,dc=x"]);
        assert_eq!(names(&["ou=a,dc=x", "ou=A,dc=x"]), ["ou=a,dc=x"]);
        assert!(names(&[]).is_empty());
    }
}
