//! What an order of the catalogue costs on a day.
//!
//! Prices are whole thousandths of a penny, as some are 1.6 p, and are multiplied as they are. Each line is then rounded
//! to whole pennies, halves up, and the total is the sum of the rounded lines, so that it is what anyone gets who adds up
//! the paper. What has no price on that day is listed to be asked for and adds nothing.

use std::fmt;

use jiff::civil::Date;
use serde::Serialize;

use crate::data::{CatalogueItem, Charged, Price, Programme};
use crate::gate::day_of;
use crate::record::{Record, Row, Verdict};
use crate::register::Register;

/// Thousandths in a penny.
const MILLIPENCE: u128 = 1_000;

/// How a unit ends that is charged for each month.
const MONTHLY: &str = "-month";

/// Something that is wanted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Wish {
    /// The item of the catalogue.
    pub item: String,
    /// How many of it.
    pub quantity: u64,
    /// For how many months; counts only for what is charged by the month, where it is at least 1.
    pub months: u64,
}

/// A quote: what it would cost to order all this on a day.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub struct Quote {
    /// The day whose prices it has.
    pub day: Date,
    /// One line for each wish, in their order.
    pub lines: Vec<QuoteLine>,
    /// The sum of all lines that have a price, in pennies.
    pub pence: u64,
    /// Items whose price has to be asked for.
    pub to_ask: Vec<String>,
}

/// A line of a quote.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub struct QuoteLine {
    /// The item.
    pub item: String,
    /// Its name for people.
    pub title: String,
    /// What one of it is.
    pub unit: String,
    /// How it is charged.
    pub charged: Charged,
    /// How many of it.
    pub quantity: u64,
    /// For how many months; none where it is not charged by the month.
    pub months: Option<u64>,
    /// The price of one and since when it holds; none where it has to be asked for.
    pub price: Option<(Date, u64)>,
    /// What the line costs, in pennies.
    pub pence: Option<u64>,
}

/// Why a quote can't be given.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum QuoteError {
    /// The catalogue has no such item.
    NoItem {
        /// What was wanted.
        item: String,
        /// What there is.
        known: Vec<String>,
    },
    /// The item is charged by the month, but wanted for none.
    NoMonths(String),
    /// The sum is beyond any budget.
    TooMuch(String),
}

impl fmt::Display for QuoteError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NoItem { item, known } => {
                write!(f, "the catalogue has no item {item:?}; write one of {}", known.join(", "))
            }
            Self::NoMonths(item) => write!(f, "{item:?} is charged by the month; say for how many, at least 1"),
            Self::TooMuch(item) => write!(f, "{item:?} would cost more than can be counted; want less of it"),
        }
    }
}

impl std::error::Error for QuoteError {}

/// What these wishes cost with the prices of this day.
pub fn quote(programme: &Programme, wishes: &[Wish], day: Date) -> Result<Quote, QuoteError> {
    let lines = wishes.iter().map(|wish| line(programme, wish, day)).collect::<Result<Vec<_>, _>>()?;
    let mut pence: u64 = 0;
    for line in &lines {
        let sum = pence.checked_add(line.pence.unwrap_or(0));
        pence = sum.ok_or_else(|| QuoteError::TooMuch(line.item.clone()))?;
    }
    let mut to_ask: Vec<String> = Vec::new();
    for line in lines.iter().filter(|line| line.pence.is_none()) {
        if !to_ask.contains(&line.item) {
            to_ask.push(line.item.clone());
        }
    }
    Ok(Quote { day, lines, pence, to_ask })
}

/// The price that holds on a day: the last one from that day or before.
pub fn price_on(item: &CatalogueItem, day: Date) -> Option<&Price> {
    item.prices.iter().rev().find(|price| price.from <= day)
}

/// An item of the catalogue on a day.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub struct PriceLine {
    /// The item.
    pub item: String,
    /// Its name for people.
    pub title: String,
    /// What one of it is.
    pub unit: String,
    /// How it is charged.
    pub charged: Charged,
    /// The price of one in thousandths of a penny and since when it holds; none where it has to be asked for.
    pub price: Option<(Date, u64)>,
}

/// The catalogue with the prices of this day.
pub fn prices(programme: &Programme, day: Date) -> Vec<PriceLine> {
    let line = |item: &CatalogueItem| PriceLine {
        item: item.id.clone(),
        title: item.title.clone(),
        unit: item.unit.clone(),
        charged: item.charged,
        price: price_on(item, day).map(|price| (price.from, price.millipence)),
    };
    programme.catalogue.iter().map(line).collect()
}

/// What was quoted and what was ordered, each with the price of its day.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub struct Orders {
    /// Each row of the register.
    pub lines: Vec<OrderLine>,
    /// What all orders cost that have a price, in pennies.
    pub ordered_pence: u64,
    /// What all quotes come to that have a price, in pennies.
    pub quoted_pence: u64,
    /// Rows of which what they cost is not known, each with why.
    pub without: Vec<(String, String)>,
}

/// A row of the register of orders.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub struct OrderLine {
    /// The row.
    pub row: String,
    /// What it is called.
    pub title: String,
    /// Was it ordered, or only quoted?
    pub is_order: bool,
    /// The item.
    pub item: String,
    /// What one of it is; none where the catalogue has no such item.
    pub unit: Option<String>,
    /// How many of it.
    pub quantity: u64,
    /// For how many months, where it is charged by the month.
    pub months: Option<u64>,
    /// The day whose price it has: that on which the price was told, else that of the order, else that on which it was written down.
    pub day: Date,
    /// The price of one in thousandths of a penny, and since when it holds.
    pub price: Option<(Date, u64)>,
    /// Is the price the one that was written down, and not that of the catalogue?
    pub is_price_recorded: bool,
    /// What it costs, in pennies.
    pub pence: Option<u64>,
}

/// Orders and quotes of a project. A price that was written down counts before that of the catalogue.
pub fn orders(programme: &Programme, record: &Record) -> Orders {
    let mut orders = Orders::default();
    let mut rows: Vec<&Row> = record.rows_of(Register::Orders).collect();
    rows.sort_by_key(|row| (row.added.at, row.id.len(), &row.id));
    for row in rows {
        let (line, why) = order(programme, row);
        let sum = if line.is_order { &mut orders.ordered_pence } else { &mut orders.quoted_pence };
        *sum = sum.saturating_add(line.pence.unwrap_or(0));
        orders.without.extend(why.map(|why| (row.id.clone(), why)));
        orders.lines.push(line);
    }
    orders
}

fn order(programme: &Programme, row: &Row) -> (OrderLine, Option<String>) {
    let field = |name: &str| row.field(name).unwrap_or_default().to_owned();
    let number = |name: &str| row.field(name).and_then(|value| value.parse::<u64>().ok());
    let day_in = |name: &str| row.field(name).and_then(|day| day.parse::<Date>().ok());
    let day = day_in("priced").or(day_in("ordered")).unwrap_or_else(|| day_of(row.added.at));
    let item = programme.catalogue.iter().find(|item| item.id == field("item"));
    let recorded = number("price-millipence").map(|price| (day, price));
    let of_catalogue = item.and_then(|item| price_on(item, day)).map(|price| (price.from, price.millipence));
    let is_monthly = item.is_some_and(|item| item.unit.ends_with(MONTHLY));
    let (quantity, price) = (number("quantity").unwrap_or(0), recorded.or(of_catalogue));
    let months = if is_monthly { number("months").filter(|months| *months > 0) } else { None };
    let is_refused = row.settled.last().is_some_and(|(verdict, _)| *verdict == Verdict::No);
    let (pence, why) = match price {
        _ if is_refused => (None, Some("it was answered with a no".to_owned())),
        None => (None, Some("its price has to be asked for".to_owned())),
        Some(_) if is_monthly && months.is_none() => {
            (None, Some("it is charged by the month, and for how many is not recorded".to_owned()))
        }
        Some((_, millipence)) => match rounded(millipence, quantity, months.unwrap_or(1)) {
            Some(pence) => (Some(pence), None),
            None => (None, Some("it would cost more than can be counted".to_owned())),
        },
    };
    let line = OrderLine {
        row: row.id.clone(),
        title: field("title"),
        is_order: field("what") == "order",
        item: field("item"),
        unit: item.map(|item| item.unit.clone()),
        quantity,
        months,
        day,
        price,
        is_price_recorded: recorded.is_some(),
        pence,
    };
    (line, why)
}

fn line(programme: &Programme, wish: &Wish, day: Date) -> Result<QuoteLine, QuoteError> {
    let Some(item) = programme.catalogue.iter().find(|item| item.id == wish.item) else {
        let known = programme.catalogue.iter().map(|item| item.id.clone()).collect();
        return Err(QuoteError::NoItem { item: wish.item.clone(), known });
    };
    let is_monthly = item.unit.ends_with(MONTHLY);
    if is_monthly && wish.months == 0 {
        return Err(QuoteError::NoMonths(item.id.clone()));
    }
    let months = is_monthly.then_some(wish.months);
    let price = price_on(item, day);
    let pence = match price {
        Some(price) => {
            let pence = rounded(price.millipence, wish.quantity, months.unwrap_or(1));
            Some(pence.ok_or_else(|| QuoteError::TooMuch(item.id.clone()))?)
        }
        None => None,
    };
    Ok(QuoteLine {
        item: item.id.clone(),
        title: item.title.clone(),
        unit: item.unit.clone(),
        charged: item.charged,
        quantity: wish.quantity,
        months,
        price: price.map(|price| (price.from, price.millipence)),
        pence,
    })
}

/// A product in whole pennies, halves up; none where it is too large.
fn rounded(millipence: u64, quantity: u64, months: u64) -> Option<u64> {
    let product = u128::from(millipence).checked_mul(u128::from(quantity))?.checked_mul(u128::from(months))?;
    u64::try_from(product.checked_add(MILLIPENCE / 2)? / MILLIPENCE).ok()
}
