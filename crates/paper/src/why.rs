//! Why a document can't be made, and what has to be there first.

use std::fmt;

/// Why a document can't be made.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Why {
    /// There is no document of this name.
    Unknown {
        /// What was asked for.
        name: String,
        /// What there is.
        known: Vec<&'static str>,
    },
    /// There is no project.
    NoProject,
    /// The project has no type yet, so that nothing is known of its stages.
    NoType,
    /// Projects of this type have no such document.
    NotOfType {
        /// The document.
        document: &'static str,
        /// The type.
        project_type: String,
    },
    /// It would say what is not so.
    Incomplete {
        /// The document.
        document: &'static str,
        /// What is missing.
        missing: Vec<Missing>,
    },
}

/// Something that has to be there before a document is made.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Missing {
    /// What it is.
    pub what: String,
    /// What was seen instead.
    pub seen: String,
    /// What would close it.
    pub closes: String,
}

impl fmt::Display for Why {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unknown { name, known } => {
                write!(f, "there is no document {name:?}; ask for one of {}", known.join(", "))
            }
            Self::NoProject => f.write_str("there is no project; open one first"),
            Self::NoType => f.write_str("the project has no type yet; choose it, since its stages follow from it"),
            Self::NotOfType { document, project_type } => {
                write!(f, "{document}: projects of the type \"{project_type}\" have no such document")
            }
            Self::Incomplete { document, missing } => {
                write!(f, "{document} can't be made yet; {} missing:", missing.len())?;
                for Missing { what, seen, closes } in missing {
                    write!(f, "\n  {what}: {seen}. To close it: {closes}.")?;
                }
                Ok(())
            }
        }
    }
}

impl std::error::Error for Why {}
