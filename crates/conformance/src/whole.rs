//! How long the longest tests are. `WHIMBREL_WHOLE` has each do all that it can: that takes well over an hour, and is done before
//! a release and after a change of what they are about. Else each does a part, always the same.

/// Is all of it asked for?
pub fn is_whole() -> bool {
    std::env::var_os("WHIMBREL_WHOLE").is_some()
}

/// So much of it: all, when that is asked for.
pub fn amount(usual: u64, whole: u64) -> u64 {
    if is_whole() { whole } else { usual }
}

/// Of the moments from 1 to the last: all when that is asked for, else the last and one of each `group` that follow each other, in
/// turn the first of the group, the second, and so on: an effect has several moments, and each kind of them is to be among these.
pub fn moments(last: u64, group: u64) -> Vec<u64> {
    let is_chosen = |moment: u64| (moment - 1) % group == (moment - 1) / group % group;
    (1..=last).filter(|moment| is_whole() || is_chosen(*moment) || *moment == last).collect()
}
