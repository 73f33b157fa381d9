//! Journeys: the tests that need real servers. They are in `tests/`; `./test` at the top runs them with all others.
