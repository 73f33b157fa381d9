//! The suite of routers, on OpenLDAP with a Postfix that reads it, on 389 Directory Server, and on Samba as a domain controller.

mod by_addresses {
    use crate::common::routed::{Shape, Site};

    conformance::router_suite!(Site::slapd(Shape::Addresses));
}

mod by_addresses_and_an_option {
    use crate::common::routed::{Shape, Site};

    conformance::router_suite!(Site::slapd(Shape::Option));
}

mod on_389 {
    use crate::common::routed::{Shape, Site};

    conformance::router_suite!(Site::directory_389(Shape::Addresses));
}

mod by_target_address {
    use crate::common::routed::{Shape, Site};

    conformance::router_suite!(Site::samba(Shape::Target));
}

mod by_alternate_recipient {
    use crate::common::routed::{Shape, Site};

    conformance::router_suite!(Site::samba(Shape::Alternate));
}

mod by_a_contact_of_ours {
    use crate::common::routed::{Shape, Site};

    conformance::router_suite!(Site::samba(Shape::Made));
}
