use crate::error::Error;
use serde::{Deserialize, de::DeserializeOwned};
use std::{
    fmt::Write as _,
    fs::{self, Metadata},
    path::Path,
};

/// Reads criterion's results, only those written after `since` if given, and lays them out.
pub(super) fn read(results: &Path, since: Option<&Metadata>) -> Result<String, Error> {
    let mut rows = Vec::new();
    if results.is_dir() {
        collect(results, since, &mut rows)?;
    }
    rows.sort_by(|a, b| a.key().cmp(&b.key()));
    if rows.is_empty() {
        return Ok(format!("bench: no results in {}", results.display()));
    }
    Ok(layout(&rows))
}

/// One measured function.
#[derive(Debug)]
struct Row {
    group: String,
    function: String,
    parameter: Option<String>,
    median_ns: f64,
}

/// The part that we need of `benchmark.json`.
#[derive(Debug, Deserialize)]
struct Id {
    group_id: String,
    function_id: Option<String>,
    value_str: Option<String>,
}

/// The part that we need of `estimates.json`.
#[derive(Debug, Deserialize)]
struct Estimates {
    median: Estimate,
}

#[derive(Debug, Deserialize)]
struct Estimate {
    point_estimate: f64,
}

impl Row {
    fn is_floor(&self) -> bool {
        self.function.starts_with("floor")
    }

    /// Ours before the floors.
    fn key(&self) -> (&str, &Option<String>, bool, &str) {
        (
            &self.group,
            &self.parameter,
            self.is_floor(),
            &self.function,
        )
    }

    /// As `1.36 x hash map insert`.
    fn ratio_to(&self, floor: &Self) -> String {
        let ratio = self.median_ns / floor.median_ns;
        let digits = if ratio < 0.1 { 4 } else { 2 };
        let name = floor.function.trim_start_matches("floor: ");
        format!("{ratio:.digits$} x {name}")
    }

    fn floors<'a>(&self, rows: &'a [Self]) -> impl Iterator<Item = &'a Self> {
        let (group, parameter) = (self.group.clone(), self.parameter.clone());
        let none = self.is_floor();
        rows.iter().filter(move |row| {
            !none && row.is_floor() && row.group == group && row.parameter == parameter
        })
    }
}

fn collect(folder: &Path, since: Option<&Metadata>, rows: &mut Vec<Row>) -> Result<(), Error> {
    let failed = |source| Error::File {
        path: folder.to_owned(),
        source,
    };
    for entry in fs::read_dir(folder).map_err(failed)? {
        let path = entry.map_err(failed)?.path();
        if path.ends_with("new") {
            rows.extend(row(&path, since)?);
        } else if path.is_dir() {
            collect(&path, since, rows)?;
        }
    }
    Ok(())
}

fn row(folder: &Path, since: Option<&Metadata>) -> Result<Option<Row>, Error> {
    let estimates = folder.join("estimates.json");
    let written = fs::metadata(&estimates)
        .and_then(|data| data.modified())
        .ok();
    if written < since.and_then(|data| data.modified().ok()) {
        return Ok(None);
    }
    let id: Id = json(&folder.join("benchmark.json"))?;
    let estimates: Estimates = json(&estimates)?;
    Ok(Some(Row {
        group: id.group_id,
        function: id.function_id.unwrap_or_default(),
        parameter: id.value_str,
        median_ns: estimates.median.point_estimate,
    }))
}

fn json<T: DeserializeOwned>(path: &Path) -> Result<T, Error> {
    let text = fs::read_to_string(path).map_err(|source| Error::File {
        path: path.to_owned(),
        source,
    })?;
    serde_json::from_str(&text).map_err(|error| Error::Malformed {
        what: path.display().to_string(),
        reason: error.to_string(),
    })
}

fn layout(rows: &[Row]) -> String {
    let name = |row: &Row| {
        let parts = [
            Some(&row.group),
            Some(&row.function),
            row.parameter.as_ref(),
        ];
        let parts = parts.into_iter().flatten().filter(|part| !part.is_empty());
        parts.map(String::as_str).collect::<Vec<_>>().join(" / ")
    };
    let width = rows
        .iter()
        .map(|row| name(row).chars().count())
        .max()
        .unwrap_or(0);
    let mut out = String::new();
    for row in rows {
        let ratios: Vec<_> = row.floors(rows).map(|floor| row.ratio_to(floor)).collect();
        let line = format!(
            "{:<width$} {:>16} ns  {}",
            name(row),
            thousands(row.median_ns),
            ratios.join(", ")
        );
        // Writing to a string does not fail.
        let _ = writeln!(out, "{}", line.trim_end());
    }
    out
}

/// One decimal below a thousand, groups of three above.
fn thousands(ns: f64) -> String {
    if ns < 1_000.0 {
        return format!("{ns:.1}");
    }
    let digits = format!("{ns:.0}");
    let mut out = String::new();
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) {
            out.push(',');
        }
        out.push(digit);
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row(group: &str, function: &str, parameter: Option<&str>, median_ns: f64) -> Row {
        Row {
            group: group.to_owned(),
            function: function.to_owned(),
            parameter: parameter.map(str::to_owned),
            median_ns,
        }
    }

    #[test]
    fn ours_is_shown_with_its_ratio_to_the_floor() {
        let rows = [
            row("claim", "ours", None, 300.0),
            row("claim", "floor: insert", None, 200.0),
        ];
        assert_eq!(
            layout(&rows),
            "claim / ours                     300.0 ns  1.50 x insert\n\
             claim / floor: insert            200.0 ns\n"
        );
    }

    #[test]
    fn only_the_same_group_and_parameter_are_compared() {
        let rows = [
            row("claim", "ours", Some("1"), 300.0),
            row("claim", "floor", Some("2"), 200.0),
            row("window", "floor", Some("1"), 200.0),
        ];
        assert!(!layout(&rows).contains(" x "));
    }

    #[test]
    fn figures_are_readable() {
        assert_eq!(thousands(7.84), "7.8");
        assert_eq!(thousands(1_234_567.0), "1,234,567");
        assert_eq!(thousands(45_600.0), "45,600");
    }
}
