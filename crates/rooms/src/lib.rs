//! What a server decides about rooms and the people in them.
