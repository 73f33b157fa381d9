//! Documents of a governed project: made of its record, written to files, and kept as evidence.

use std::path::{Path, PathBuf};

use jiff::Timestamp;
use jiff::civil::Date;
use paper::{Form, Issue, Papers, Why};
use programme::{Action, DOCUMENTS, Evidence, Record};
use serde::Serialize;
use store::IssueState;

use super::{Governed, folded};
use crate::Error;

/// A document that was made.
#[derive(Clone, Debug, Serialize)]
pub struct DocumentMade {
    /// Which.
    pub document: String,
    /// Its version.
    pub version: u32,
    /// Is it a draft?
    pub is_draft: bool,
    /// The version that has taken its place.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub superseded_by: Option<u32>,
    /// Its files, with the SHA-256 of each.
    pub files: Vec<(String, String)>,
}

/// The documents of a project.
#[derive(Clone, Debug, Serialize)]
pub struct DocumentsShow {
    /// Each of them.
    pub documents: Vec<DocumentLine>,
}

/// A document.
#[derive(Clone, Debug, Serialize)]
pub struct DocumentLine {
    /// Its name.
    pub document: &'static str,
    /// What it is called.
    pub title: &'static str,
    /// The forms that it has.
    pub forms: Vec<&'static str>,
    /// Its current version.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub version: Option<u32>,
    /// Is that a draft?
    pub is_draft: bool,
    /// When it was made, and by whom.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub made: Option<String>,
    /// Versions that it has taken the place of.
    pub superseded: Vec<u32>,
}

impl Governed {
    /// Makes a document of the record, in all of its forms or in these, and writes it into a folder. Without a version it is a new one, which is
    /// recorded; with one it is that one again, of the record as it was then.
    pub async fn make_document(
        &mut self,
        name: &str,
        (forms, draft): (&[Form], bool),
        version: Option<u32>,
        to: &Path,
    ) -> Result<DocumentMade, Error> {
        let made = match version {
            Some(version) => self.again(name, version).await?,
            None => (self.record.clone(), self.next_version(name), None, draft, self.moment().await?.today),
        };
        let (record, version_number, superseded_by, is_draft, today) = made;
        let (facts, issues, switches) = (self.facts().await?, self.paper_issues().await?, self.switches().await?);
        let papers = Papers {
            programme: &self.programme,
            record: &record,
            facts: &facts,
            issues: Some(&issues),
            switches: &switches,
            today,
            version: version_number,
            superseded_by,
            is_draft,
        };
        let document = paper::make(name, &papers).map_err(|why| refused(&why))?;
        let own = paper::forms(name);
        if let Some(form) = forms.iter().find(|form| !own.contains(form)) {
            let known: Vec<&str> = own.iter().map(|form| form.name()).collect();
            return Err(Error::usage(format!("{name} is not made as {}", form.name()))
                .advise(format!("it is made as {}", known.join(", "))));
        }
        let wanted: Vec<Form> = if forms.is_empty() { own.to_vec() } else { forms.to_vec() };
        let mut files = Vec::new();
        for form in wanted {
            let bytes = paper::write(form, &document)
                .map_err(|error| super::internal(&format!("{name} can't be written as {}: {error}", form.name())))?;
            let code = if name == "lessons" { String::new() } else { format!("{}-", self.record.code) };
            files.push((format!("{code}{name}-{version_number}.{}", form.name()), bytes));
        }
        let to = self.config.folder.join(to);
        let mut evidence = Vec::new();
        for (file, bytes) in &files {
            let digest = model::Digest::of(bytes);
            // Kept before anything names it; of an earlier version the record names the bytes of its day.
            if version.is_none() {
                self.store.keep_evidence(self.key, digest, bytes).await?;
            }
            let (digest, size_bytes, note) = (digest.to_string(), bytes.len() as u64, String::new());
            evidence.push(Evidence { name: file.clone(), digest, size_bytes, note });
        }
        let written = write_all(&to, &files)?;
        if version.is_none() {
            self.act(Action::RecordDocument { document: name.to_owned(), is_draft, files: evidence }).await?;
        }
        Ok(DocumentMade { document: name.to_owned(), version: version_number, is_draft, superseded_by, files: written })
    }

    /// Writes the files of a version that was issued into a folder, byte for byte; of the version that counts where none is named.
    pub async fn get_document(&self, name: &str, version: Option<u32>, to: &Path) -> Result<DocumentMade, Error> {
        let versions = self.record.documents.get(name).map(Vec::as_slice).unwrap_or_default();
        let is_meant = |one: &&programme::DocumentVersion| match version {
            Some(version) => one.version == version,
            None => one.superseded_by.is_none(),
        };
        let Some(found) = versions.iter().rev().find(is_meant) else {
            let what =
                version.map_or_else(|| "was never made".to_owned(), |version| format!("has no version {version}"));
            return Err(Error::usage(format!("{name} {what}")).advise("whimbrel document list tells which there are"));
        };
        let to = self.config.folder.join(to);
        let mut files = Vec::new();
        for file in &found.files {
            let digest = model::Digest::from_hex(&file.digest);
            let bytes = match digest {
                Some(digest) => self.store.evidence(self.key, digest).await?,
                None => None,
            };
            let bytes = bytes.filter(|bytes| model::Digest::of(bytes).to_string() == file.digest).ok_or_else(|| {
                super::internal(&format!("the database has not kept {} ({}) as it was issued", file.name, file.digest))
            })?;
            files.push((file.name.clone(), bytes));
        }
        let files = write_all(&to, &files)?;
        let (document, version, is_draft, superseded_by) =
            (name.to_owned(), found.version, found.is_draft, found.superseded_by);
        Ok(DocumentMade { document, version, is_draft, superseded_by, files })
    }

    fn next_version(&self, name: &str) -> u32 {
        let before = self.record.documents.get(name).map_or(0, Vec::len);
        u32::try_from(before).unwrap_or(u32::MAX).saturating_add(1)
    }

    /// The record as it was when a version was made, with what has taken its place since, and its day.
    async fn again(&self, name: &str, version: u32) -> Result<(Record, u32, Option<u32>, bool, Date), Error> {
        let versions = self.record.documents.get(name).map(Vec::as_slice).unwrap_or_default();
        let Some(found) = versions.iter().find(|one| one.version == version) else {
            let known: Vec<String> = versions.iter().map(|one| one.version.to_string()).collect();
            let known = if known.is_empty() {
                "it was never made".to_owned()
            } else {
                format!("there are {}", known.join(", "))
            };
            return Err(Error::usage(format!("{name} has no version {version}")).advise(known));
        };
        let mut changes = self.store.programme_changes(self.key).await?;
        let is_its = |row: &store::ProgrammeChange| {
            matches!(programme::Change::from_stored(&row.change), Ok(programme::Change::DocumentMade { document, version: of, .. })
                if document == name && of == version)
        };
        let end = changes.iter().position(is_its).unwrap_or(changes.len());
        changes.truncate(end);
        Ok((folded(&changes)?, version, found.superseded_by, found.is_draft, self.day_of(found.made.at)))
    }

    fn day_of(&self, at: Timestamp) -> Date {
        at.to_zoned(self.config.time_zone()).date()
    }

    async fn paper_issues(&self) -> Result<Vec<Issue>, Error> {
        let day = |at: i64| Timestamp::from_millisecond(at).ok().map(|at| self.day_of(at));
        let issue = |row: &store::IssueRow| Issue {
            id: row.issue.to_string(),
            title: row.is.what.clone(),
            state: match (&row.end, row.state) {
                (Some((end, _)), IssueState::Closed) if end.resolution.is_none() => {
                    "closed with a disposition".to_owned()
                }
                (_, state) => state.name().to_owned(),
            },
            is_resolved: row.state == IssueState::Closed,
            owner: row.assigned_to.clone().or_else(|| Some(row.is.owner.clone())),
            action: Some(row.is.action.clone()).filter(|action| !action.is_empty()),
            due: None,
            opened: day(row.opened_at),
        };
        Ok(self.store.issues(self.key).await?.iter().map(issue).collect())
    }

    /// The documents that there are, each with its current version.
    pub fn documents(&self) -> DocumentsShow {
        let line = |(name, _): (&'static str, &'static str)| {
            let versions = self.record.documents.get(name).map(Vec::as_slice).unwrap_or_default();
            let current = versions.iter().rev().find(|one| one.superseded_by.is_none());
            DocumentLine {
                document: name,
                title: paper::title(name).unwrap_or(name),
                forms: paper::forms(name).iter().map(|form| form.name()).collect(),
                version: current.map(|one| one.version),
                is_draft: current.is_some_and(|one| one.is_draft),
                made: current.map(|one| format!("{} by {}", self.day_of(one.made.at), one.made.who)),
                superseded: versions.iter().filter(|one| one.superseded_by.is_some()).map(|one| one.version).collect(),
            }
        };
        DocumentsShow { documents: DOCUMENTS.into_iter().map(line).collect() }
    }
}

/// Writes files into a folder: the path of each, with the digest of its bytes.
fn write_all(to: &Path, files: &[(String, Vec<u8>)]) -> Result<Vec<(String, String)>, Error> {
    let failed = |path: &Path, error: std::io::Error| {
        Error::usage(format!("{} cannot be written: {error}", path.display()))
            .advise("choose a folder that you may write to")
    };
    std::fs::create_dir_all(to).map_err(|error| failed(to, error))?;
    let mut written = Vec::new();
    for (file, bytes) in files {
        let path: PathBuf = to.join(file);
        std::fs::write(&path, bytes).map_err(|error| failed(&path, error))?;
        written.push((path.display().to_string(), model::Digest::of(bytes).to_string()));
    }
    Ok(written)
}

fn refused(why: &Why) -> Error {
    match why {
        Why::Unknown { .. } => Error::usage(why.to_string()).advise("whimbrel document list tells which there are"),
        Why::Incomplete { .. } => {
            Error::refused("R-124", why.to_string()).advise("close what is missing; or make a draft: --draft")
        }
        _ => Error::refused("R-250", why.to_string()).advise("whimbrel project show tells how far it is"),
    }
}
