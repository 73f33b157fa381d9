//! In which forms a document is had.

use document::{Document, Unwritable};

/// A form of a document.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Form {
    /// A page for a browser.
    Html,
    /// A tagged PDF.
    Pdf,
    /// A workbook, whose tables people edit.
    Xlsx,
    /// A text for a word processor.
    Docx,
}

impl Form {
    /// Its name, which is also how the names of its files end.
    pub fn name(self) -> &'static str {
        match self {
            Self::Html => "html",
            Self::Pdf => "pdf",
            Self::Xlsx => "xlsx",
            Self::Docx => "docx",
        }
    }

    /// The form of this name.
    pub fn from_name(name: &str) -> Option<Self> {
        [Self::Html, Self::Pdf, Self::Xlsx, Self::Docx].into_iter().find(|form| form.name() == name)
    }
}

/// The forms that the document of this name is offered in: to read always, and to be edited where people have to.
pub fn forms(name: &str) -> &'static [Form] {
    match name {
        "implementation-plan" => &[Form::Html, Form::Pdf, Form::Xlsx, Form::Docx],
        "readiness-checklist" | "work-off-plan" => &[Form::Html, Form::Pdf, Form::Xlsx],
        "board-pack" | "post-project-report" => &[Form::Html, Form::Pdf, Form::Docx],
        _ => &[Form::Html, Form::Pdf],
    }
}

/// The bytes of a document in a form: the same document always gives the same.
pub fn write(form: Form, document: &Document) -> Result<Vec<u8>, Unwritable> {
    match form {
        Form::Html => Ok(document::html(document).into_bytes()),
        Form::Pdf => document::pdf(document),
        Form::Xlsx => Ok(document::xlsx(document)),
        Form::Docx => document::docx(document),
    }
}
