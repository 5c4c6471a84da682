//! A relay between the backend and its server.
