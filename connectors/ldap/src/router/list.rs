//! Every forwarder of the whole site, page by page.

use connector::router::{Forwarder, ForwarderSink};
use connector::{Error, Retry};
use ldap3::Scope as Within;
use model::{Cause, Scope};

use super::attributes::Sort;
use super::site::{Endpoint, Site};
use crate::op::pages;
use crate::wire::connection::Search;
use crate::wire::filter;

/// Tells every forwarder that is not ours.
pub(crate) async fn list(endpoint: &Endpoint, sink: &mut dyn ForwarderSink) -> Result<(), Error> {
    let mut site = Site::open(endpoint).await?;
    let fields = site.resolved.attributes.fields();
    let leads = fields.into_iter().filter(|field| field.sort != Sort::Word).map(|field| format!("({}=*)", field.name));
    // Where ours is on, what was there before is told as well.
    let filter = filter::all([site.objects.clone(), filter::any(leads)]);
    let asked = site.asked();
    for base in site.bases.clone() {
        let search = Search { base: &base, within: Within::Subtree, filter: &filter, attributes: &asked };
        let mut from = Vec::new();
        for number in 0.. {
            if number == pages::PAGES_MAX {
                return Err(pages::endless(&base));
            }
            let config = (&endpoint.connection, &site.root);
            let (entries, next) = pages::page(&mut site.connection, config, search, &from).await?;
            let mut told: Vec<(String, Forwarder)> = Vec::new();
            for raw in &entries {
                let mut person = site.read(raw);
                site.complete(&mut person).await?;
                let forwarders = person.forwarders(&site.resolved.attributes);
                told.extend(forwarders.into_iter().map(|forwarder| (person.primary.clone(), forwarder)));
            }
            if !told.is_empty() {
                sink.take(told).await?;
            }
            match next {
                Some(next) => from = next,
                None => break,
            }
        }
        // In Active Directory every domain refers to its own other parts and to the domains below it: those are other sites.
        if site.connection.references_received > 0 && !site.is_active_directory() {
            let what = format!(
                "{base:?} on {} refers to other servers for a part of it, so the list is not whole: name bases that do not",
                endpoint.connection.address()
            );
            return Err(Error::new(Cause::Unsupported, Scope::Run, what).retry(Retry::AfterPerson));
        }
    }
    Ok(())
}
