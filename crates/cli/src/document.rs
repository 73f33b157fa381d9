//! `document`: documents of a governed project, made of its record.

use std::path::{Path, PathBuf};

use clap::Subcommand;
use service::{DocumentForm, Error, Exit, Governed};

use crate::governed::At;
use crate::governed_show as show;
use crate::{print, print_json};

#[derive(Debug, Subcommand)]
pub(crate) enum DocumentOf {
    /// Make a document of what is recorded, write its files and keep them as evidence
    Make {
        /// Which
        document: String,
        /// As what: html, pdf, xlsx, docx; all that it has, when left out
        #[arg(long, value_parser = form)]
        form: Vec<DocumentForm>,
        /// It is a draft: nothing is held back
        #[arg(long, conflicts_with = "version")]
        draft: bool,
        /// An earlier version again, of the record as it was then
        #[arg(long, value_name = "N")]
        version: Option<u32>,
        /// The folder it is written into
        #[arg(long, value_name = "DIR", default_value = "documents")]
        to: PathBuf,
    },
    /// The files of a version as they were issued, byte for byte
    Get {
        /// Which
        document: String,
        /// Which version; the one that counts, when left out
        #[arg(long, value_name = "N")]
        version: Option<u32>,
        /// The folder they are written into
        #[arg(long, value_name = "DIR", default_value = "documents")]
        to: PathBuf,
    },
    /// Documents, each with its current version
    List,
}

fn form(text: &str) -> Result<DocumentForm, String> {
    DocumentForm::from_name(text).ok_or_else(|| "it is html, pdf, xlsx or docx".to_owned())
}

pub(crate) async fn document(which: DocumentOf, folder: &Path, json: bool) -> Result<Exit, Error> {
    let at = At { folder, json };
    match which {
        DocumentOf::List => {
            at.view("documents", async |governed| Ok(governed.documents()), show::documents).await?;
        }
        DocumentOf::Get { document, version, to } => {
            let work = async |governed: &Governed| governed.get_document(&document, version, &to).await;
            at.view("document", work, show::document).await?;
        }
        DocumentOf::Make { document, form, draft, version, to } => {
            let mut governed = at.open().await?;
            let made = governed.make_document(&document, (&form, draft), version, &to).await;
            governed.close().await;
            let made = made?;
            if json {
                print_json("document", &made);
            } else {
                print(&show::document(&made));
            }
        }
    }
    Ok(Exit::Done)
}
