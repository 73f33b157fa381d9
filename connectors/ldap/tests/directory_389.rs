//! The suite of directories, on 389 Directory Server.

mod by_times {
    use ldap::config::Changes;

    use crate::common::{ScopeBy, World};

    conformance::directory_suite!(World::directory_389(ScopeBy::Filter, Changes::Auto));
}
