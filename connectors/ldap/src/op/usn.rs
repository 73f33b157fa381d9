//! uSNChanged (MS-ADTS section 3.1.1.1.9): the number that a domain controller gave to an object's last change. Numbers are each
//! controller's own, so they go with its invocationId.
//!
//! Deleted objects have such numbers too, but an account that is shown their container need not be shown them, and nothing
//! says so: that would keep everyone who was deleted. So what is gone is found by comparing keys.

use connector::Error;
use ldap3::Scope as Within;

use super::dirsync::Changed;
use super::tell::{Pages, Reading};
use crate::map::cursor::Feed;
use crate::wire::connection::Search;
use crate::wire::{filter, guid};

impl Reading<'_> {
    /// Where things stand now. None where the server does not say.
    pub(crate) async fn usn_start(&mut self) -> Result<Option<Feed>, Error> {
        let highest: Option<u64> = self.root.text("highestCommittedUSN").and_then(|text| text.parse().ok());
        let Some(service) = self.root.text("dsServiceName").map(str::to_owned) else { return Ok(None) };
        let Some(entry) = self.connection.entry(&service, &["invocationId".to_owned()]).await? else { return Ok(None) };
        let invocation = entry.values("invocationId").first().and_then(|bytes| guid::text(bytes));
        Ok(invocation.zip(highest).map(|(invocation, highest)| Feed::Usn(invocation, highest)))
    }

    /// What changed after this number. None when the controller is another, or was restored.
    pub(crate) async fn usn_changed(
        &mut self,
        invocation: &str,
        highest: u64,
    ) -> Result<Option<(Changed, Feed)>, Error> {
        let now = self.usn_start().await?;
        let Some(Feed::Usn(same, reached)) = &now else { return Ok(None) };
        if same != invocation || *reached < highest {
            return Ok(None);
        }
        let next = Feed::Usn(same.clone(), *reached);
        let since = format!("(uSNChanged>={})", highest.saturating_add(1));
        let filter = filter::all([self.scope.classes.clone(), since]);
        let attributes = ["objectGUID".to_owned()];
        let mut changed = Changed::default();
        for context in self.scope.contexts(&self.root) {
            let search = Search { base: &context, within: Within::Subtree, filter: &filter, attributes: &attributes };
            let mut pages = Pages::default();
            while let Some(entries) = self.page(search, &mut pages).await? {
                let keys = entries.iter().filter_map(|entry| entry.values("objectGUID").first());
                changed.objects.extend(keys.filter_map(|bytes| guid::text(bytes)));
            }
        }
        Ok(Some((changed, next)))
    }
}
