use super::{books::Books, rows::Row};
use crate::{
    cli::{LedgerArgs, List},
    command_error::CommandError,
    commands::ask::print,
    control::{
        DebitPlace, DebitReport, DepositReport, LedgerCall, LedgerReport, Lines, MAX_LEDGER_LINES,
        PayerReport,
    },
};

/// How many lines are shown where nobody says how many.
const SHOWN: u16 = 20;

/// Prints one list: its first lines, or all of it, page by page.
pub(super) async fn list(args: &LedgerArgs, list: List) -> Result<(), CommandError> {
    let mut books = Books::open(&args.control).await?;
    let printed = match list {
        List::Deposits => all::<DepositReport>(&mut books, args).await,
        List::Debits => all::<DebitReport>(&mut books, args).await,
        List::Payers => all::<PayerReport>(&mut books, args).await,
    };
    books.close().await;
    printed
}

async fn all<R: Listed>(books: &mut Books, args: &LedgerArgs) -> Result<(), CommandError> {
    let format = Format::of(args);
    if !args.all {
        let most = args.last.unwrap_or(SHOWN);
        let rows = R::taken(books.ask(R::call(Lines::First { most })).await?)?;
        let page = format.page(&rows, true)?;
        return print(&(format.head::<R>(rows.is_empty()) + &page + format.tail()));
    }
    let mut place = None;
    loop {
        let most = MAX_LEDGER_LINES;
        let rows = R::taken(books.ask(R::call(Lines::After { place, most })).await?)?;
        let is_first = place.is_none();
        if is_first {
            print(&format.head::<R>(rows.is_empty()))?;
        }
        let Some(last) = rows.last() else {
            return print(format.tail());
        };
        place = Some(last.place());
        print(&format.page(&rows, is_first)?)?;
    }
}

/// A kind of line that a ledger lists.
trait Listed: Row + Sized {
    type Place: Copy;

    /// What is said when there is none.
    const NONE: &'static str;

    fn call(lines: Lines<Self::Place>) -> LedgerCall;
    fn taken(report: LedgerReport) -> Result<Vec<Self>, CommandError>;
    fn place(&self) -> Self::Place;
}

impl Listed for DepositReport {
    type Place = u64;
    const NONE: &'static str = "nothing was deposited yet: the ledger is empty";

    fn call(lines: Lines<u64>) -> LedgerCall {
        LedgerCall::Deposits(lines)
    }

    fn taken(report: LedgerReport) -> Result<Vec<Self>, CommandError> {
        match report {
            LedgerReport::Deposits(rows) => Ok(rows),
            _ => Err(CommandError::Unexpected),
        }
    }

    fn place(&self) -> u64 {
        self.serial
    }
}

impl Listed for DebitReport {
    type Place = DebitPlace;
    const NONE: &'static str = "nothing was spent yet: no packet was paid from credit";

    fn call(lines: Lines<DebitPlace>) -> LedgerCall {
        LedgerCall::Debits(lines)
    }

    fn taken(report: LedgerReport) -> Result<Vec<Self>, CommandError> {
        match report {
            LedgerReport::Debits(rows) => Ok(rows),
            _ => Err(CommandError::Unexpected),
        }
    }

    fn place(&self) -> DebitPlace {
        DebitPlace {
            period_unix_ms: self.period_unix_ms,
            payer: self.payer,
        }
    }
}

impl Listed for PayerReport {
    type Place = blvm_mesh::NodeId;
    const NONE: &'static str = "nobody has deposited anything yet: the ledger is empty";

    fn call(lines: Lines<Self::Place>) -> LedgerCall {
        LedgerCall::Payers(lines)
    }

    fn taken(report: LedgerReport) -> Result<Vec<Self>, CommandError> {
        match report {
            LedgerReport::Payers(rows) => Ok(rows),
            _ => Err(CommandError::Unexpected),
        }
    }

    fn place(&self) -> Self::Place {
        self.payer
    }
}

/// How lines are written.
#[derive(Debug, Clone, Copy)]
enum Format {
    Table,
    Csv,
    Json,
}

impl Format {
    const fn of(args: &LedgerArgs) -> Self {
        match (args.csv, args.control.json) {
            (true, _) => Self::Csv,
            (false, true) => Self::Json,
            (false, false) => Self::Table,
        }
    }

    fn head<R: Listed>(self, is_empty: bool) -> String {
        match self {
            Self::Table if is_empty => format!("{}\n", R::NONE),
            Self::Table => R::heads() + "\n",
            Self::Csv => format!("{}\n", R::CSV),
            Self::Json => "[".to_owned(),
        }
    }

    fn page<R: Listed>(self, rows: &[R], is_first: bool) -> Result<String, CommandError> {
        let mut text = String::new();
        for (at, row) in rows.iter().enumerate() {
            match self {
                Self::Table => text += &(row.line() + "\n"),
                Self::Csv => text += &(row.csv() + "\n"),
                Self::Json => {
                    let json = serde_json::to_string(row)
                        .map_err(|error| CommandError::Output(error.into()))?;
                    text += if is_first && at == 0 { "\n" } else { ",\n" };
                    text += &json;
                }
            }
        }
        Ok(text)
    }

    const fn tail(self) -> &'static str {
        match self {
            Self::Table | Self::Csv => "",
            Self::Json => "\n]\n",
        }
    }
}
