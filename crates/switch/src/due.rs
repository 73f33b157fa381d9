//! When a mailbox is due to switch.

use serde::Serialize;

/// What was said of when a mailbox switches: of its own, or of its collection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Plan {
    /// As soon as it is in step.
    Auto,
    /// Not before this date (milliseconds since 1970), then as soon as it is in step.
    At(i64),
    /// When a person says so.
    ByHand,
}

/// Whether a mailbox that is in step is due now.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case", tag = "is", content = "at")]
pub enum Due {
    /// It is.
    Now,
    /// Not before this date (milliseconds since 1970).
    NotBefore(i64),
    /// When a person says so.
    ByHand,
}

/// When a mailbox is due. `order`: a person's word about this mailbox, which counts before anything that was planned: now, if its date
/// is not to come.
pub fn due(order: Option<i64>, plan: Plan, now: i64) -> Due {
    let not_before = |at: i64| if now >= at { Due::Now } else { Due::NotBefore(at) };
    match (order, plan) {
        (Some(at), _) | (None, Plan::At(at)) => not_before(at),
        (None, Plan::Auto) => Due::Now,
        (None, Plan::ByHand) => Due::ByHand,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_word_counts_before_the_plan_and_no_date_comes_early() {
        assert_eq!(due(None, Plan::Auto, 5), Due::Now);
        assert_eq!(due(None, Plan::ByHand, 5), Due::ByHand);
        assert_eq!(due(None, Plan::At(6), 5), Due::NotBefore(6));
        assert_eq!(due(None, Plan::At(6), 6), Due::Now);
        assert_eq!(due(Some(4), Plan::ByHand, 5), Due::Now);
        assert_eq!(due(Some(9), Plan::Auto, 5), Due::NotBefore(9));
    }
}
