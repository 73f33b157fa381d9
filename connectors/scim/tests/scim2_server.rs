//! The suite of directories, on an independent server.

mod with_our_extension {
    use crate::common::{ScopeBy, World};

    conformance::directory_suite!(World::of(ScopeBy::Organisation));
}

mod as_it_comes {
    use crate::common::{ScopeBy, World};

    conformance::directory_suite!(World::of(ScopeBy::Filter));
}
