//! Tests through the public interface: one program, so that it is linked once.

mod changed;
mod common;
mod hostile;
mod scripts;
mod servers;

mod in_memory {
    use crate::common::fake::Fake;

    conformance::router_suite!(Some(Fake::start().await));
}

mod dovecot {
    use crate::common::{Way, World};

    conformance::router_suite!(World::dovecot(Way::ForEveryone));
}

mod dovecot_with_own_passwords {
    use crate::common::{Way, World};

    // What depends on the login; the rest is the same.
    conformance::router_tests!(
        World::dovecot(Way::OwnPassword);
        a_redirect_is_read_back,
        a_release_brings_back_what_was_there,
        nothing_passes_a_shut_door,
        a_stranger_is_refused,
        the_check_of_a_router_finds_it_well,
        mail_goes_where_it_is_redirected,
    );
}

mod cyrus {
    use crate::common::{Way, World};

    conformance::router_suite!(World::cyrus(Way::ForEveryone));
}

mod cyrus_with_own_passwords {
    use crate::common::{Way, World};

    // What depends on the login; the rest is the same.
    conformance::router_tests!(
        World::cyrus(Way::OwnPassword);
        a_redirect_is_read_back,
        a_release_brings_back_what_was_there,
        nothing_passes_a_shut_door,
        a_stranger_is_refused,
        the_check_of_a_router_finds_it_well,
        mail_goes_where_it_is_redirected,
    );
}
