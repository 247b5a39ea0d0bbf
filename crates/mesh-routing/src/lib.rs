//! Where packets go: peers, links, prices, routes and the fee split.
