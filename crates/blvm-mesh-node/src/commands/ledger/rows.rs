use crate::{
    control::{DebitReport, DepositReport, PayerReport},
    text::{ends, sats, thousands},
    utc::Utc,
};
use blvm_mesh::UnixTime;
use serde::Serialize;

/// A line of the books, as people, spreadsheets and programs read it.
pub(super) trait Row: Serialize {
    /// The names of a spreadsheet's columns.
    const CSV: &'static str;

    /// The heads of a table's columns.
    fn heads() -> String;

    /// The line of a table.
    fn line(&self) -> String;

    /// The line of a spreadsheet. There are numbers, times and hex in it, so nothing has to be quoted.
    fn csv(&self) -> String;
}

impl Row for DepositReport {
    const CSV: &'static str = "serial,at_utc,amount_msat,payer,payment";

    fn heads() -> String {
        format!(
            "{:<19}  {:>18}  {:<14}  payer",
            "when (UTC)", "sats", "payment"
        )
    }

    fn line(&self) -> String {
        format!(
            "{:<19}  {:>18}  {:<14}  {}",
            utc(self.at_unix_ms),
            sats(self.amount_msat),
            ends(&self.key),
            self.payer
        )
    }

    fn csv(&self) -> String {
        let at = utc(self.at_unix_ms).iso();
        let (serial, amount) = (self.serial, self.amount_msat);
        format!("{serial},{at},{amount},{},{}", self.payer, self.key)
    }
}

impl Row for DebitReport {
    const CSV: &'static str = "hour_utc,packets,amount_msat,payer";

    fn heads() -> String {
        format!(
            "{:<19}  {:>18}  {:>14}  payer",
            "hour from (UTC)", "sats", "packets"
        )
    }

    fn line(&self) -> String {
        format!(
            "{:<19}  {:>18}  {:>14}  {}",
            utc(self.period_unix_ms),
            sats(self.amount_msat),
            thousands(self.packets),
            self.payer
        )
    }

    fn csv(&self) -> String {
        let period = utc(self.period_unix_ms).iso();
        let (packets, amount) = (self.packets, self.amount_msat);
        format!("{period},{packets},{amount},{}", self.payer)
    }
}

impl Row for PayerReport {
    const CSV: &'static str = "payer,earned_msat,credit_msat,deposited_msat,packets,deposits";

    fn heads() -> String {
        format!(
            "{:>18}  {:>18}  {:>14}  {:>9}  payer",
            "earned sats", "credit sats", "packets", "deposits"
        )
    }

    fn line(&self) -> String {
        format!(
            "{:>18}  {:>18}  {:>14}  {:>9}  {}",
            sats(self.earned_msat),
            sats(self.credit_msat),
            thousands(self.packets),
            thousands(self.deposits),
            self.payer
        )
    }

    fn csv(&self) -> String {
        format!(
            "{},{},{},{},{},{}",
            self.payer,
            self.earned_msat,
            self.credit_msat,
            self.deposited_msat,
            self.packets,
            self.deposits
        )
    }
}

/// The time of a report.
pub(super) fn utc(unix_ms: u64) -> Utc {
    UnixTime::from_millis(unix_ms).into()
}
