//! Subjects of items at their source, for people who may see them. The ledger keeps none.

use std::collections::{BTreeMap, HashMap};

use connector::{Event, Holds};
use model::{Cause, ItemId, ItemKind};
use store::MailboxRow;

use crate::Engine;
use crate::failure::{Failure, OnSide};
use crate::travel::At;

impl Engine {
    /// The subjects of these items of a mailbox (folder of the ledger, id), read at the source now. One that the source does
    /// not have any more, or does not give, is left out.
    pub async fn subjects(
        &self,
        mailbox: &MailboxRow,
        wanted: &[(i64, ItemId)],
    ) -> Result<HashMap<(i64, ItemId), String>, Failure> {
        let mut by_folder: BTreeMap<i64, Vec<ItemId>> = BTreeMap::new();
        for (folder, id) in wanted {
            by_folder.entry(*folder).or_default().push(id.clone());
        }
        let mut subjects = HashMap::new();
        let rows = self.store.folders(self.key, mailbox.mailbox).await?;
        let (mut source, _seats) = self.sides(mailbox)?.open_source().await?;
        let holds = Holds::new(self.holds.clone());
        for (folder, mut ids) in by_folder {
            let Some(row) = rows.iter().find(|row| row.folder == folder && row.kind == ItemKind::Message) else {
                continue;
            };
            match source.state(&row.path).await {
                // Under another validity the ids are those of other items.
                Ok(state) if state.validity == row.validity => {}
                Err(error) if error.ends_session() => return Err(error).on_source(),
                _ => continue,
            }
            ids.sort_unstable();
            let mut reading = match source.items(&row.path, &ids, &holds).await {
                Ok(reading) => reading,
                Err(error) if error.ends_session() => return Err(error).on_source(),
                Err(_) => continue,
            };
            loop {
                let events = reading.next().await.on_source()?;
                if events.is_empty() {
                    break;
                }
                for event in events {
                    let Event::Item(item) = event else { continue };
                    let subject = inspection::subject(&At(&item.body)).map_err(|error| {
                        let what = format!("cannot read a held item: {error}");
                        connector::Error::new(Cause::LocalFile, model::Scope::Mailbox, what)
                    });
                    if let Some(subject) = subject.on_source()? {
                        subjects.insert((folder, item.id), subject);
                    }
                }
            }
        }
        source.close().await;
        Ok(subjects)
    }
}
