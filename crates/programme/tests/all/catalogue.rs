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

/// each order has the price of its day, or the one that was written down for it.
#[test]
fn orders_have_the_price_of_their_day() {
    let heron = heron();
    let mut record = programme::Record::default();
    let mut seq = 0;
    let mut change = |record: &mut programme::Record, change: programme::Change| {
        seq += 1;
        record.after(&change, seq, "2023-01-01T09:00:00Z".parse().unwrap(), "kim");
    };
    let rows: [&[(&str, &str)]; 6] = [
        &[("what", "order"), ("item", "basket"), ("quantity", "10"), ("months", "2"), ("ordered", "2022-06-30")],
        &[("what", "order"), ("item", "basket"), ("quantity", "10"), ("months", "2")],
        &[("what", "quote"), ("item", "towing"), ("quantity", "3"), ("months", "7")],
        &[
            ("what", "quote"),
            ("item", "song"),
            ("quantity", "1"),
            ("price-millipence", "2500"),
            ("priced", "2022-02-02"),
        ],
        &[("what", "order"), ("item", "basket"), ("quantity", "10")],
        &[("what", "order"), ("item", "song"), ("quantity", "1")],
    ];
    for (index, fields) in rows.into_iter().enumerate() {
        let fields = fields.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
        let row = format!("order-{}", index + 1);
        change(&mut record, programme::Change::RowAdded { row, register: programme::Register::Orders, fields });
    }
    let orders = programme::orders(&heron, &record);
    let pence: Vec<_> = orders.lines.iter().map(|line| line.pence).collect();
    assert_eq!(pence, [Some(2_010), Some(2_405), Some(5), Some(3), None, None]);
    assert_eq!((orders.ordered_pence, orders.quoted_pence), (4_415, 8));
    assert_eq!(orders.lines[0].price, Some((date(2020, 1, 1), 100_500)), "since when it holds");
    assert_eq!((orders.lines[3].is_price_recorded, orders.lines[3].day), (true, date(2022, 2, 2)));
    let without: Vec<&str> = orders.without.iter().map(|(row, _)| row.as_str()).collect();
    assert_eq!(without, ["order-5", "order-6"], "what is in no sum is named");
    let no = |row: &str| programme::Change::RowSettled {
        row: row.to_owned(),
        verdict: programme::Verdict::No,
        text: "too dear".to_owned(),
    };
    change(&mut record, no("order-1"));
    change(&mut record, programme::Change::RowWithdrawn { row: "order-3".into(), why: "written twice".into() });
    let orders = programme::orders(&heron, &record);
    assert_eq!((orders.ordered_pence, orders.quoted_pence, orders.lines.len()), (2_405, 3, 5));
    let prices = programme::prices(&heron, date(2022, 7, 1));
    assert_eq!(prices.iter().map(|line| line.item.as_str()).collect::<Vec<_>>(), ["basket", "towing", "song"]);
    assert_eq!((prices[0].price, prices[2].price), (Some((date(2022, 7, 1), 120_250)), None));
}
