//! The integration tests: one binary, real sockets, a real database.
