//! Tests through the public interface: one program, so that it is linked once.

mod common;
mod databases;
mod files;
mod inventory;
mod queue;
mod setups;

mod hash {
    use crate::common::{Form, World};
    use postfix::MapType;

    conformance::router_suite!(World::start(Form::File(MapType::Hash)));
}

mod texthash {
    use crate::common::{Form, World};
    use postfix::MapType;

    conformance::router_suite!(World::start(Form::File(MapType::Texthash)));
}

mod postgresql {
    use crate::common::{Form, World};

    conformance::router_suite!(World::start(Form::Postgresql));
}

mod sqlite {
    use crate::common::{Form, World};

    conformance::router_suite!(World::start(Form::Sqlite));
}

mod lmdb {
    use crate::common::{Form, World};
    use postfix::MapType;

    // What depends on the kind of compiled file; the rest is the same.
    conformance::router_tests!(
        World::start(Form::File(MapType::Lmdb));
        another_address_takes_the_place_of_the_first,
        a_release_brings_back_what_was_there,
        calls_that_are_cut_come_to_the_same_end,
        mail_goes_where_it_is_redirected,
    );
}

mod cdb {
    use crate::common::{Form, World};
    use postfix::MapType;

    // What depends on the kind of compiled file; the rest is the same.
    conformance::router_tests!(
        World::start(Form::File(MapType::Cdb));
        another_address_takes_the_place_of_the_first,
        a_release_brings_back_what_was_there,
        calls_that_are_cut_come_to_the_same_end,
        mail_goes_where_it_is_redirected,
    );
}
