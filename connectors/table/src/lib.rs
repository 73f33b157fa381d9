//! Tables: CSV files, workbooks and queries of a database as directories; the upload files of a platform's portal.
//!
//! **One map for all.** [`ColumnMap`] says which column is which field of an entry and what the words in cells mean; without one the
//! headings that people usually give are known ([`Field::headings`]). Files ([`FileDirectory`], R-032) and queries
//! ([`SqlDirectory`], R-031) are read row by row through it by the same code, so the same cells make the same entries wherever they
//! come from. Columns that are no field are kept in `other`.
//!
//! **Nothing is guessed.** Every row is looked at before anything of a table is used: [`validate`] gives all rows or
//! everything that is wrong, each with line, column, what and cure. As a directory a table is *strict* unless its settings say
//! otherwise: one mistake, and nothing is told. A lenient one tells rows with mistakes as faulty; of rows that share a key, a local
//! id, an account or an address all are, since nobody knows which is right.
//!
//! **What changed** is told by digests of rows, kept in the cursor: a table has no other memory. A row that can't be read is not gone,
//! and as long as there is one whose key can't be read nothing is.
//!
//! **Result files** ([`with_results`]) are the submission, byte for byte, with one column more. No result is a formula to a
//! spreadsheet.
//!
//! **A hidden mobile number** (R-049) is not even read: it never leaves its directory.
//!
//! Documents followed: RFC 4180 for CSV, strictly; ECMA-376 (Office Open XML) for workbooks; RFC 5321 and 6531 for the form of
//! addresses. Known oddities: a spreadsheet that saves a CSV file drops the zeros before a number; a workbook keeps them when the
//! column is text or shown with zeros. MariaDB and MySQL do not tell text that is compared byte by byte from bytes: what is UTF-8
//! without control characters is taken for text.

mod csv;
mod field;
mod file;
mod grid;
mod map;
mod mistake;
pub mod portal;
mod row;
mod sql;
mod survey;
mod value;
mod xlsx;

pub use csv::{Delimiter, Encoding};
pub use field::Field;
pub use file::{FileConfig, FileDirectory, FileForm, Format, Reading, read, table, validate, with_results};
pub use grid::Table;
pub use map::{Action, ColumnMap, Dates, Headings, RESULT};
pub use mistake::{Mistake, Mistakes, Place, Unit};
pub use row::{Row, day_text};
pub use sql::{SqlConfig, SqlDirectory, Tls};
