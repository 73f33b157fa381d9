//! What an order of the catalogue costs on a day.
//!
//! Prices are whole thousandths of a penny, as some are 1.6 p, and are multiplied as they are. Each line is then rounded
//! to whole pennies, halves up, and the total is the sum of the rounded lines, so that it is what anyone gets who adds up
//! the paper. What has no price on that day is listed to be asked for and adds nothing.

use std::fmt;

use jiff::civil::Date;
use serde::Serialize;

use crate::data::{CatalogueItem, Charged, Price, Programme};

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
