//! Rights of a mailbox: who may do what in its folders. Read whole, and only ever added to.
//!
//! Rules that every connector keeps to:
//! * Reading changes nothing.
//! * What is read leaves out the owner's own rights and those of who logs in for everybody; how many is told.
//! * Nothing that is there is removed, and nobody is left with less than they had: a right whose adding would do that is
//!   refused.
//! * A name that the platform would take for more than one account – for a group, for everybody – is never given a right.
//! * Adding what is there already does nothing, so that what is in doubt can be added again.
//! * Every effect passes the [`Door`](crate::Door).

use async_trait::async_trait;
use model::{FolderPath, Letters};

use crate::Error;

/// Who has a right, as the platform names them.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Holder {
    /// An account, by the name it logs in with.
    Account(String),
    /// A group of the platform's own.
    Group(String),
    /// Everybody, or everybody who has logged in: the platform's word for it.
    Everybody(String),
}

/// A right to a folder.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FolderRight {
    /// The folder.
    pub folder: FolderPath,
    /// Whose.
    pub to: Holder,
    /// Which.
    pub letters: Letters,
    /// Letters that are no right that is known here.
    pub unknown: String,
    /// They are denied, not given.
    pub is_denied: bool,
    /// They come from above, not from this folder.
    pub is_inherited: bool,
}

/// The rights of a mailbox.
#[derive(Clone, Debug, Default)]
pub struct RightsRead {
    /// Its folders.
    pub folders: Vec<FolderPath>,
    /// The rights to them, but for those left out.
    pub rights: Vec<FolderRight>,
    /// The owner's name as the platform itself writes it, where it lists them: a login may take the letters of a name in either
    /// case where a right does not.
    pub owner: Option<String>,
    /// How many were left out: the owner's own, and those of who logs in for everybody.
    pub left_out: u64,
    /// Folders whose rights could not be read, and why.
    pub unread: Vec<(FolderPath, Error)>,
}

/// A right to give to an account.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NewRight {
    /// The folder.
    pub folder: FolderPath,
    /// The account, by the name it logs in with.
    pub account: String,
    /// Which, besides those it has.
    pub letters: Letters,
}

/// What became of a right that was to be given.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Granted {
    /// It was given.
    Added,
    /// The account had it.
    WasThere,
}

/// The rights of an opened mailbox.
#[async_trait]
pub trait Rights: Send {
    /// The rights that the platform can tell apart.
    fn letters(&self) -> Letters;

    /// Every right to every folder.
    async fn rights(&mut self) -> Result<RightsRead, Error>;

    /// Gives rights besides those that are there; what became of each. Fails as a whole when it is not known what became of
    /// them: to be read, and to be given again. Refused where the mailbox was opened to read.
    async fn add(&mut self, rights: &[NewRight]) -> Result<Vec<Result<Granted, Error>>, Error>;

    /// Says goodbye.
    async fn close(&mut self);
}
