use super::{
    check::same,
    error::Cause,
    narrator::Narrator,
    opening::Way,
    stage::{Actor, Money, Stage},
};
use crate::text::thousands;
use blvm_mesh::Msat;
use std::io::Write;

/// Shows what each party earned, in millisatoshi.
pub(super) async fn table(
    stage: &Stage,
    way: &Way,
    narrator: &mut Narrator<impl Write>,
) -> Result<(), Cause> {
    narrator.step(match stage.money {
        Money::Sandbox => "What each party earned, in msat of the sandbox (no real money)",
        Money::Lightning => "What each party earned by the mesh, in msat (no real money)",
    });
    let split = way.quote.split;
    let mut shares = Vec::new();
    narrator.show(
        "",
        &row(["share", "deposited", "= credit", "+ earned"].map(str::to_owned)),
    );
    narrator.show(
        "source",
        &row([amount(split.source), dash(), dash(), "kept".to_owned()]),
    );
    shares.push(split.source);
    for (actor, share) in [
        (&stage.relay, split.per_relay),
        (&stage.destination, split.destination),
    ] {
        let books = actor.books().await?;
        same("its earnings from one packet", books.earned, share)?;
        let known = books.credit.checked_add(books.earned);
        same("deposits = credit + earned", known, Some(books.deposited))?;
        same(
            "deposits = what its wallet received",
            books.deposited,
            actor.received(books.deposited).await?,
        )?;
        let cells = [share, books.deposited, books.credit, books.earned];
        narrator.show(actor.name, &row(cells.map(amount)));
        shares.push(share);
    }
    let sum = shares.into_iter().try_fold(Msat::ZERO, Msat::checked_add);
    same("the sum of the shares", sum, Some(way.quote.total))?;
    check_spending(&stage.source, [&stage.relay, &stage.destination]).await?;
    narrator.show(
        "fee",
        &row([
            amount(way.quote.total),
            String::new(),
            String::new(),
            String::new(),
        ]),
    );
    Ok(())
}

/// What the source spent is what the others received: nothing appears, nothing is lost.
async fn check_spending(source: &Actor, payees: [&Actor; 2]) -> Result<(), Cause> {
    let mut received = Msat::ZERO;
    for payee in payees {
        received = received
            .checked_add(payee.received(payee.books().await?.deposited).await?)
            .unwrap_or(Msat::MAX);
    }
    same(
        "what the source's wallet sent",
        source.sent().await?,
        received,
    )?;
    same(
        "what the source says it spent",
        source.mesh().status().await.spent,
        received,
    )
}

fn row(cells: [String; 4]) -> String {
    let cells = cells.map(|cell| format!("{cell:>12}"));
    cells.concat().trim_end().to_owned()
}

fn amount(amount: Msat) -> String {
    thousands(amount.to_msat())
}

fn dash() -> String {
    "-".to_owned()
}
