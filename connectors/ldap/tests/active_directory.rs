//! The suite of directories, on Samba as a domain controller.

mod by_dirsync {
    use ldap::config::Changes;

    use crate::common::{ScopeBy, World};

    conformance::directory_suite!(World::samba(ScopeBy::Filter, Changes::Dirsync));
}

mod by_usn {
    use ldap::config::Changes;

    use crate::common::{ScopeBy, World};

    conformance::directory_suite!(World::samba(ScopeBy::Filter, Changes::Usn));
}

mod by_timestamps {
    use ldap::config::Changes;

    use crate::common::{ScopeBy, World};

    conformance::directory_suite!(World::samba(ScopeBy::Filter, Changes::Timestamp));
}

mod of_a_group {
    use ldap::config::Changes;

    use crate::common::{ScopeBy, World};

    conformance::directory_suite!(World::samba(ScopeBy::Group, Changes::Auto));
}

mod written {
    use crate::common::Written;

    conformance::directory_target_suite!(Written::samba());
}
