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

/// Of the moments from 1 to the last: all when that is asked for, else each of which the number is so much more than the one
/// before, and the last.
pub fn moments(last: u64, apart: u64) -> Vec<u64> {
    (1..=last).filter(|moment| is_whole() || moment % apart == 1 || *moment == last).collect()
}
