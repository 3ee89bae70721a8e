//! One connection: its handshake, what it asks and is told, and its end. What waits for it is the hub's to fill
//! (`hub::send_queue`) and the session's to write.

pub mod token;
