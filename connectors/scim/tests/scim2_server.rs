//! The suite of directories, on an independent server.

mod common;

mod with_our_extension {
    use super::common::{ScopeBy, World};

    conformance::directory_suite!(World::of(ScopeBy::Organisation));
}

mod as_it_comes {
    use super::common::{ScopeBy, World};

    conformance::directory_suite!(World::of(ScopeBy::Filter));
}
