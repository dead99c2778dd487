//! `wrk` as the load for plain GETs, and its report read back.

use crate::image::MANIFEST_TYPE;
use crate::server::Server;
use anyhow::{Context, Result, bail, ensure};
use std::process::Command;

/// What one run of wrk came to.
#[derive(Debug, PartialEq)]
pub(crate) struct Report {
    /// Requests per second.
    pub(crate) rate: f64,
    /// The latency that 99 of 100 requests stay under, in milliseconds.
    pub(crate) p99_ms: f64,
}

/// GETs of `path` from 64 connections in two threads.
pub(crate) fn get(server: &Server, path: &str, seconds: u64) -> Result<Report> {
    let output = Command::new("wrk")
        .args(["-t2", "-c64", "--latency", "-H", &format!("Accept: {MANIFEST_TYPE}"), "-d", &format!("{seconds}s")])
        .arg(server.url(path))
        .output()
        .context("running wrk (Debian package wrk)")?;
    let text = String::from_utf8_lossy(&output.stdout);
    if !output.status.success() {
        bail!("wrk failed: {text}{}", String::from_utf8_lossy(&output.stderr));
    }
    read(&text).with_context(|| format!("wrk on {}{path} said:\n{text}", server.name()))
}

fn read(text: &str) -> Result<Report> {
    let after = |start: &str| text.lines().find_map(|line| line.trim().strip_prefix(start)).map(str::trim);
    if let Some(errors) = after("Non-2xx or 3xx responses:") {
        bail!("{errors} answers were errors");
    }
    if let Some(errors) = after("Socket errors:") {
        bail!("connections failed: {errors}");
    }
    let rate: f64 = after("Requests/sec:").context("no rate")?.parse()?;
    ensure!(rate > 0.0, "nothing was answered");
    Ok(Report { rate, p99_ms: milliseconds(after("99%").context("no 99th percentile")?)? })
}

fn milliseconds(text: &str) -> Result<f64> {
    let (number, factor) = if let Some(number) = text.strip_suffix("us") {
        (number, 1e-3)
    } else if let Some(number) = text.strip_suffix("ms") {
        (number, 1.0)
    } else if let Some(number) = text.strip_suffix('s') {
        (number, 1e3)
    } else {
        bail!("{text:?} is no duration")
    };
    Ok(number.parse::<f64>()? * factor)
}

#[cfg(test)]
mod tests {
    use super::*;

    const GOOD: &str = "  Latency Distribution\n     50%   29.00us\n     99%    1.20ms\n  10 requests in 1s\n\
                        Requests/sec:  12345.60\nTransfer/sec: 1MB\n";

    #[test]
    fn a_report_is_read() {
        assert_eq!(read(GOOD).unwrap(), Report { rate: 12345.6, p99_ms: 1.2 });
        assert_eq!(milliseconds("2.5s").unwrap(), 2500.0);
        assert_eq!(milliseconds("500.00us").unwrap(), 0.5);
    }

    #[test]
    fn a_report_of_errors_is_an_error() {
        assert!(read(&format!("{GOOD}  Non-2xx or 3xx responses: 3\n")).is_err());
        assert!(read(&format!("{GOOD}  Socket errors: connect 0, read 1, write 0, timeout 0\n")).is_err());
        assert!(read("").is_err());
    }
}
