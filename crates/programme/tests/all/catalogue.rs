//! Quotes from dated prices.

use jiff::civil::{Date, date};
use programme::{Programme, QuoteError, Wish, quote};

use crate::heron::heron;

fn wish(item: &str, quantity: u64, months: u64) -> Wish {
    Wish { item: item.to_owned(), quantity, months }
}

fn pence(programme: &Programme, item: &str, quantity: u64, months: u64, day: Date) -> Option<u64> {
    quote(programme, &[wish(item, quantity, months)], day).unwrap().lines[0].pence
}

#[test]
fn the_price_of_the_day_counts() {
    let heron = heron();
    for (day, expected) in [
        (date(2019, 12, 31), None),
        (date(2020, 1, 1), Some(1005)),
        (date(2022, 6, 30), Some(1005)),
        (date(2022, 7, 1), Some(1203)),
        (date(2099, 1, 1), Some(1203)),
    ] {
        assert_eq!(pence(&heron, "basket", 10, 1, day), expected, "{day}");
    }
}

#[test]
fn quantity_and_months_are_multiplied_and_each_line_is_rounded_half_up() {
    let (heron, day) = (heron(), date(2023, 1, 1));
    for (item, quantity, months, expected) in [
        // 120.25 p each
        ("basket", 1, 1, 120),
        ("basket", 2, 1, 241),
        ("basket", 1, 2, 241),
        ("basket", 2, 2, 481),
        ("basket", 0, 12, 0),
        ("basket", 900, 12, 1_298_700),
        // 1.6 p a minute, whatever the months
        ("towing", 1, 0, 2),
        ("towing", 3, 0, 5),
        ("towing", 5, 7, 8),
        ("towing", 1_000, 0, 1_600),
    ] {
        assert_eq!(pence(&heron, item, quantity, months, day), Some(expected), "{item} {quantity} {months}");
    }
}

#[test]
fn a_quote_adds_up_and_names_what_is_to_be_asked() {
    let wishes =
        [wish("basket", 1, 1), wish("song", 3, 0), wish("towing", 1, 0), wish("song", 1, 0), wish("basket", 1, 1)];
    let quote = quote(&heron(), &wishes, date(2023, 1, 1)).unwrap();
    assert_eq!(
        quote.lines.iter().map(|line| line.pence).collect::<Vec<_>>(),
        [Some(120), None, Some(2), None, Some(120)]
    );
    assert_eq!((quote.pence, quote.to_ask), (242, vec!["song".to_owned()]));
    assert_eq!((quote.lines[0].months, quote.lines[2].months), (Some(1), None));
    assert_eq!(quote.lines[0].price, Some((date(2022, 7, 1), 120_250)));
}

#[test]
fn what_cannot_be_quoted_is_refused() {
    let (heron, day) = (heron(), date(2023, 1, 1));
    let error = |wish: Wish| quote(&heron, &[wish], day).unwrap_err();
    assert_eq!(
        error(wish("hat", 1, 1)).to_string(),
        "the catalogue has no item \"hat\"; write one of basket, towing, song"
    );
    assert_eq!(error(wish("basket", 1, 0)), QuoteError::NoMonths("basket".to_owned()));
    assert_eq!(error(wish("basket", u64::MAX, u64::MAX)), QuoteError::TooMuch("basket".to_owned()));
    let most = wish("towing", u64::MAX / 2, 0);
    assert_eq!(quote(&heron, &[most.clone(), most], day).unwrap_err(), QuoteError::TooMuch("towing".to_owned()));
    assert_eq!(quote(&heron, &[], day).unwrap().pence, 0);
}

#[test]
fn the_shipped_prices_are_those_of_the_documents() {
    let nhsmail = Programme::shipped("nhsmail", "current").unwrap().unwrap();
    let day = date(2018, 4, 1);
    assert_eq!(pence(&nhsmail, "conferencing", 1, 1, day), Some(158), "1.58 pounds a month");
    assert_eq!(pence(&nhsmail, "conferencing", 900, 12, day), Some(1_706_400));
    assert_eq!(pence(&nhsmail, "conferencing-share", 1, 1, day), Some(55));
    assert_eq!(pence(&nhsmail, "conferencing-dial-in", 10, 0, day), Some(16), "1.6 p a minute");
    assert_eq!(pence(&nhsmail, "larger-mailbox", 1, 1, day), None);
}
