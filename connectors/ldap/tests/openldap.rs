//! The suite of directories, on OpenLDAP.

mod by_synchronisation {
    use ldap::config::Changes;

    use crate::common::{ScopeBy, World};

    conformance::directory_suite!(World::slapd(ScopeBy::Filter, Changes::Sync));
}

mod by_timestamps {
    use ldap::config::Changes;

    use crate::common::{ScopeBy, World};

    conformance::directory_suite!(World::slapd(ScopeBy::Filter, Changes::Timestamp));
}

mod of_a_group {
    use ldap::config::Changes;

    use crate::common::{ScopeBy, World};

    conformance::directory_suite!(World::slapd(ScopeBy::Group, Changes::Auto));
}

mod written {
    use crate::common::Written;

    conformance::directory_target_suite!(Written::slapd());
}
