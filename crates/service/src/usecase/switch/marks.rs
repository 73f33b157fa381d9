//! The mark that leads a person's client to the target: read and cleared by whatever updates their client's profile.

use model::Phase;
use serde::Serialize;
use serde_json::json;

use crate::{Error, Project, Selection, when};

/// Marks for people's clients.
#[derive(Clone, Debug, Serialize)]
pub struct MarksReport {
    /// Each of them.
    pub marks: Vec<MarkLine>,
}

/// The mark for a person's client.
#[derive(Clone, Debug, Serialize)]
pub struct MarkLine {
    /// The mailbox, by its name at the source.
    pub source: String,
    /// And at the target.
    pub target: String,
    /// The address there.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub address: Option<String>,
    /// How far it is.
    pub phase: Phase,
    /// Is the client still to be led there?
    pub is_marked: bool,
    /// Since when, in seconds since 1970.
    pub marked: i64,
    /// When and by whom it was cleared, for people.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cleared: Option<String>,
}

impl Project {
    /// The marks of the mailboxes chosen.
    pub async fn client_marks(&self, selection: &Selection) -> Result<MarksReport, Error> {
        let zone = self.config.time_zone();
        let rows = self.select(selection).await?;
        let mut marks = Vec::new();
        for mark in self.store.client_marks(self.key).await? {
            let Some(row) = rows.iter().find(|row| row.mailbox == mark.mailbox) else { continue };
            let (source, target) = (row.roster.source_name.clone(), row.roster.target_name.clone());
            let routing = self.config.file.routing.as_ref();
            let address =
                routing.map(|routing| routing.target.addresses(model::Side::Target, &source, &target).swap_remove(0));
            marks.push(MarkLine {
                source,
                target,
                address,
                phase: row.state.phase,
                is_marked: mark.cleared.is_none(),
                marked: mark.marked_at / 1000,
                cleared: mark.cleared.map(|(at, by)| format!("{} by {by}", when::shown(at, &zone))),
            });
        }
        Ok(MarksReport { marks })
    }

    /// Clears the mark of the mailboxes chosen: their clients have been led to the target.
    pub async fn clear_client_marks(&self, selection: &Selection, by: Option<&str>) -> Result<MarksReport, Error> {
        self.may_migrate()?;
        if selection.mailboxes.is_empty() {
            return Err(
                Error::usage("whose client was led to the target?").advise("name mailboxes; nothing was changed")
            );
        }
        let by = by.unwrap_or(&self.actor.name);
        let rows = self.select(selection).await?;
        let names: Vec<&String> = rows.iter().map(|row| &row.roster.source_name).collect();
        self.store.audit(self.key, &self.actor, "client.led", &json!({ "mailboxes": names, "by": by })).await?;
        for row in &rows {
            self.store.clear_client_mark(self.key, row.mailbox, by).await?;
        }
        // What follows from it, the closing of the mailbox at the source, waits for no cycle.
        let mailboxes: Vec<i64> = rows.iter().map(|row| row.mailbox).collect();
        self.store.mark_due(self.key, &mailboxes).await?;
        self.client_marks(selection).await
    }
}
