//! Our hands in a kernel: links, addresses, routes, rules, neighbours, shapers and
//! switches are changed in a namespace of their own, read back, and undone. What
//! this machine's kernel lacks (802.1Q, GRE, ESP) is tried in guests.

mod fence;
mod netlink;
mod space;
