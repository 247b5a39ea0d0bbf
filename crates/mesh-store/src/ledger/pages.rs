/// How many records are read from a store at once.
///
/// 4,096, because they fill some hundred KiB, and asking again costs little beside reading them.
pub(super) const PAGE: usize = 4_096;

/// Does something with each record of one list of a snapshot, page by page.
macro_rules! each {
    ($books:ident . $list:ident from $after:expr, by $key:expr, |$record:ident| $body:block) => {{
        let mut after = $after;
        loop {
            let page = $books.$list(after, crate::ledger::pages::PAGE).await?;
            let Some(last) = page.last() else { break };
            after = Some($key(last));
            for $record in page {
                $body
            }
        }
    }};
}
pub(super) use each;
