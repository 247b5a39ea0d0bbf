use crate::Split;
use mesh_types::Msat;

/// What a packet costs over a route.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RouteQuote {
    /// The least total for which every party's share covers its own price.
    pub total: Msat,
    /// Who gets what of it.
    pub split: Split,
}
