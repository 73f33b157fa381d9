//! Where a report goes, and in which form.

use std::fs::OpenOptions;
use std::io::{self, IsTerminal, Write};
use std::os::unix::fs::OpenOptionsExt;

use report::{Document, Form};
use serde::Serialize;
use service::Error;

use crate::args::{Format, Shown};

/// Gives a report in the form that was asked for: to a file, or to standard output.
pub(crate) fn give(
    name: &str,
    report: &impl Serialize,
    document: &Document,
    shown: &Shown,
    json: bool,
) -> Result<(), Error> {
    let format = if json { Format::Json } else { shown.format };
    if let Some(table) = &shown.table {
        check_table(table, document, format)?;
    }
    let form = match format {
        Format::Text => Form::Text,
        Format::Csv => Form::Csv,
        Format::Xlsx => Form::Xlsx,
        Format::Html => Form::Html,
        Format::Json => return write(shown, |to| writeln!(to, "{}", crate::to_json(name, report))),
    };
    if form == Form::Xlsx && shown.to.is_none() && io::stdout().is_terminal() {
        return Err(
            Error::usage("a workbook is nothing for a terminal").advise("give --to FILE, or send it into a file")
        );
    }
    write(shown, |to| document.write(form, shown.table.as_deref(), to))
}

fn check_table(table: &str, document: &Document, format: Format) -> Result<(), Error> {
    if format != Format::Csv {
        return Err(Error::usage("--table chooses a table of CSV; every other form has all of them")
            .advise("add --format csv, or leave --table out"));
    }
    if document.table(Some(table)).is_some() {
        return Ok(());
    }
    let names: Vec<&str> = document.tables.iter().map(|table| table.name).collect();
    Err(Error::usage(format!("the report has no table {table:?}")).advise(format!("give one of {}", names.join(", "))))
}

fn write(shown: &Shown, fill: impl FnOnce(&mut dyn Write) -> io::Result<()>) -> Result<(), Error> {
    let Some(path) = &shown.to else {
        let mut stdout = io::BufWriter::new(io::stdout().lock());
        return match fill(&mut stdout).and_then(|()| stdout.flush()) {
            // A reader that has gone away, as `head` does, is no reason to complain.
            Err(error) if error.kind() != io::ErrorKind::BrokenPipe => {
                Err(Error::usage(format!("cannot write the report: {error}")))
            }
            _ => Ok(()),
        };
    };
    let shown = path.display();
    let cannot = |error: io::Error| {
        Error::usage(format!("cannot write {shown}: {error}")).advise("give the path of a file that is not there yet")
    };
    let opened = OpenOptions::new().write(true).create_new(true).mode(0o600).open(path).map_err(cannot)?;
    let mut to = io::BufWriter::new(opened);
    let written = fill(&mut to).and_then(|()| to.flush()).and_then(|()| to.get_ref().sync_all());
    if let Err(error) = written {
        let _ = std::fs::remove_file(path);
        return Err(cannot(error));
    }
    let _ = writeln!(io::stderr(), "The report is in {shown}.");
    Ok(())
}
