//! `catalogue`: items with dated prices, what some of them would cost, and what was quoted and ordered; and the advice on machines.

use std::fmt::Write as _;
use std::path::Path;

use clap::Subcommand;
use report::harmless;
use service::{
    CatalogueShow, Error, Exit, GovernedAdvice, GovernedCharged as Charged, GovernedDate as Date, GovernedOrder,
    GovernedOrders, GovernedQuote, GovernedWish as Wish,
};

use crate::governed::At;
use crate::show::table;

/// `ITEM=QUANTITY`, or `ITEM=QUANTITYxMONTHS`.
fn wish(text: &str) -> Result<Wish, String> {
    const FORM: &str = "write it as ITEM=QUANTITY, or as ITEM=QUANTITYxMONTHS where it is charged by the month";
    let (item, much) = text.split_once('=').ok_or(FORM)?;
    let (quantity, months) = much.split_once('x').unwrap_or((much, "0"));
    let number = |text: &str| text.trim().parse::<u64>().map_err(|_| FORM.to_owned());
    Ok(Wish { item: item.trim().to_owned(), quantity: number(quantity)?, months: number(months)? })
}

#[derive(Debug, Subcommand)]
pub(crate) enum CatalogueOf {
    /// Every item with its unit and its price of a day
    List {
        /// The day; today when left out
        #[arg(long, value_name = "DATE")]
        on: Option<Date>,
    },
    /// What some of it would cost: ITEM=QUANTITY, or ITEM=QUANTITYxMONTHS where it is charged by the month
    Quote {
        /// What is wanted
        #[arg(required = true, value_parser = wish)]
        items: Vec<Wish>,
        /// The day whose prices count; today when left out
        #[arg(long, value_name = "DATE")]
        on: Option<Date>,
    },
    /// What was quoted and ordered (register add order), each with the price of its day
    Orders,
}

pub(crate) async fn catalogue(which: CatalogueOf, folder: &Path, json: bool) -> Result<Exit, Error> {
    let at = At { folder, json };
    match which {
        CatalogueOf::List { on } => {
            at.view("catalogue", async |governed| governed.catalogue(on).await, listed).await?;
        }
        CatalogueOf::Quote { items, on } => {
            at.view("quote", async |governed| governed.quote(&items, on).await, quoted).await?;
        }
        CatalogueOf::Orders => {
            at.view("orders", async |governed| Ok(governed.orders()), ordered).await?;
        }
    }
    Ok(Exit::Done)
}

/// `project sizing`.
pub(crate) fn sized(report: &GovernedAdvice) -> String {
    let (needs, mailboxes, gigabytes) = (&report.needs, report.mailboxes, report.gigabytes);
    let mut text = format!(
        "{mailboxes} mailboxes with {gigabytes} GB of mail: hosts {}, cores {}, memory {} GB, disk {} GB, of all hosts together\n",
        needs.hosts, needs.cores, needs.memory_gigabytes, needs.disk_gigabytes
    );
    for line in &report.formula {
        let _ = writeln!(text, "  {line}");
    }
    text.push_str("what runs on them:\n");
    for (role, what) in &report.roles {
        let _ = writeln!(text, "  {role}: {what}");
    }
    text.trim_end().to_owned()
}

/// Thousandths of a penny, exactly.
fn price(price: Option<(Date, u64)>) -> String {
    let Some((since, millipence)) = price else { return "to be asked for".to_owned() };
    let (pence, rest) = (millipence / 1_000, millipence % 1_000);
    let exact = if rest == 0 { pounds(pence) } else { format!("{pence}.{rest:03} p") };
    format!("{exact} since {since}")
}

fn pounds(pence: u64) -> String {
    format!("£{}.{:02}", pence / 100, pence % 100)
}

fn sum(pence: Option<u64>) -> String {
    pence.map_or_else(|| "not known".to_owned(), pounds)
}

fn charged(by: Charged) -> &'static str {
    match by {
        Charged::Accounts => "by accounts",
        Charged::Use => "by use",
    }
}

fn listed(report: &CatalogueShow) -> String {
    let row = |item: &service::GovernedPrice| {
        let how = charged(item.charged).to_owned();
        vec![item.item.clone(), harmless(&item.title), item.unit.clone(), how, price(item.price)]
    };
    let rows: Vec<Vec<String>> = report.items.iter().map(row).collect();
    format!("prices of {}, without tax\n{}", report.day, table(&["item", "what", "unit", "charged", "price"], &rows))
}

fn months(months: Option<u64>) -> String {
    months.map(|months| months.to_string()).unwrap_or_default()
}

fn quoted(report: &GovernedQuote) -> String {
    let row = |line: &service::GovernedQuoteLine| {
        let (quantity, unit) = (line.quantity.to_string(), line.unit.clone());
        vec![line.item.clone(), quantity, unit, months(line.months), price(line.price), sum(line.pence)]
    };
    let rows: Vec<Vec<String>> = report.lines.iter().map(row).collect();
    let headings = ["item", ">quantity", "unit", ">months", "price of one", ">sum"];
    let mut text = format!("prices of {}, without tax\n{}", report.day, table(&headings, &rows));
    let _ = write!(text, "\nin all: {}", pounds(report.pence));
    if !report.to_ask.is_empty() {
        let _ = write!(text, ", without what has no price: {}", report.to_ask.join(", "));
    }
    text
}

fn ordered(report: &GovernedOrders) -> String {
    let row = |line: &GovernedOrder| {
        let what = if line.is_order { "order" } else { "quote" };
        let (day, quantity) = (line.day.to_string(), line.quantity.to_string());
        let own = if line.is_price_recorded { " (recorded)" } else { "" };
        let cells = [
            line.row.clone(),
            what.to_owned(),
            line.title.clone(),
            line.item.clone(),
            quantity,
            months(line.months),
            day,
        ];
        let mut cells: Vec<String> = cells.iter().map(|cell| harmless(cell)).collect();
        cells.extend([format!("{}{own}", price(line.price)), sum(line.pence)]);
        cells
    };
    let rows: Vec<Vec<String>> = report.lines.iter().map(row).collect();
    if rows.is_empty() {
        return "Nothing was quoted or ordered: whimbrel register add order …".to_owned();
    }
    let headings = ["row", "", "what", "item", ">quantity", ">months", "on", "price of one", ">sum"];
    let mut text = table(&headings, &rows);
    let (orders, quotes) = (pounds(report.ordered_pence), pounds(report.quoted_pence));
    let _ = write!(text, "\nordered: {orders}; quoted: {quotes}; without tax");
    for (row, why) in &report.without {
        let _ = write!(text, "\n{row} is in no sum: {}", harmless(why));
    }
    text
}
