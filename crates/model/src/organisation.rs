//! The organisation that a project belongs to.

use serde::{Deserialize, Serialize};

/// The code an organisation is known by; for the NHS its ODS code.
///
/// A code is mandatory before anything else. The plain profile takes one to nine ASCII letters and digits, which
/// also is the shape of every ODS code; a profile may ask for more.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct OrganisationCode(String);

/// Why a text is not an organisation code.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CodeError(String);

impl std::fmt::Display for CodeError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        if self.0.is_empty() {
            write!(f, "the organisation code is empty: give its code, for example RX1")
        } else {
            write!(f, "{:?} is not an organisation code: it must be 1 to 9 letters and digits, for example RX1", self.0)
        }
    }
}

impl std::error::Error for CodeError {}

impl OrganisationCode {
    /// Longest code, in characters (an ODS code has at most nine).
    pub const LENGTH_MAX: usize = 9;

    /// The code as written; letters keep their case.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl TryFrom<String> for OrganisationCode {
    type Error = CodeError;

    fn try_from(text: String) -> Result<Self, CodeError> {
        let fits = (1..=Self::LENGTH_MAX).contains(&text.len()) && text.bytes().all(|b| b.is_ascii_alphanumeric());
        if fits { Ok(Self(text)) } else { Err(CodeError(text)) }
    }
}

impl From<OrganisationCode> for String {
    fn from(code: OrganisationCode) -> Self {
        code.0
    }
}

impl std::fmt::Display for OrganisationCode {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.0)
    }
}

/// An organisation: who the project belongs to.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Organisation {
    /// Its name, as people say it.
    pub name: String,
    /// Its code.
    pub code: OrganisationCode,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn code_is_one_to_nine_letters_and_digits() {
        for good in ["RX1", "K81003001", "8", "fvr79"] {
            assert!(OrganisationCode::try_from(good.to_owned()).is_ok(), "{good}");
        }
        for bad in ["", "R X1", "RX1!", "ABCDEFGHIJ", "Ä1", "RX1\n"] {
            assert!(OrganisationCode::try_from(bad.to_owned()).is_err(), "{bad:?}");
        }
    }
}
