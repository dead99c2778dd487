//! The parameters of logs, which are Quay's. As there, others are not looked at.

use tagstone_replay::audit::{ActorName, Filter, Order, Place};
use tagstone_schema::Timestamp;

use crate::http::api::error::ApiRefusal;
use crate::http::api::page::key;
use crate::http::query::Query;

const DAY: i64 = 24 * 60 * 60 * 1_000_000;

/// What is asked of the logs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct LogQuery {
    /// The first instant.
    pub(super) start: Timestamp,
    /// The instant behind the last one.
    pub(super) end: Timestamp,
    performer: Option<ActorName>,
    after: Option<Place>,
}

impl LogQuery {
    pub(super) fn of(query: &Query<'_>, now: Timestamp) -> Result<Self, ApiRefusal> {
        let day = |name: &str| -> Result<Option<Timestamp>, ApiRefusal> {
            query.one(name)?.filter(|text| !text.is_empty()).map(|text| day(name, &text)).transpose()
        };
        let start = day("starttime")?.unwrap_or(Timestamp(now.0.saturating_sub(DAY)));
        let end = Timestamp(day("endtime")?.unwrap_or(now).0.saturating_add(DAY));
        if end < start {
            return Err(ApiRefusal::invalid_request(format!(
                "the range ends before it begins: it is from {start} to {end}; without `starttime` it begins a day ago"
            )));
        }
        let mut filter = Filter::default();
        if let Some(performer) = query.one("performer")?.filter(|performer| !performer.is_empty()) {
            filter.add("actor", &performer)?;
        }
        let after = query.one("next_page")?.filter(|token| !token.is_empty()).map(|token| place(&token)).transpose()?;
        Ok(Self { start, end, performer: filter.actor, after })
    }

    /// The events that the logs are made from.
    pub(super) fn of_events(&self, filter: Filter) -> tagstone_replay::audit::Query {
        let (since, until, actor) = (Some(self.start), Some(self.end), self.performer.clone());
        let filter = Filter { since, until, actor, ..filter };
        tagstone_replay::audit::Query { filter, order: Order::Descending, after: self.after, limit: 0 }
    }
}

/// The beginning of a day, which may be written with or without leading zeros.
fn day(name: &str, text: &str) -> Result<Timestamp, ApiRefusal> {
    let number = |text: &str| text.parse::<u16>().ok().filter(|_| text.bytes().all(|byte| byte.is_ascii_digit()));
    let mut parts = text.split('/').map(number);
    let day = match (parts.next().flatten(), parts.next().flatten(), parts.next().flatten(), parts.next()) {
        (Some(month), Some(day), Some(year), None) => format!("{year:04}-{month:02}-{day:02}T00:00:00Z").parse().ok(),
        _ => None,
    };
    day.ok_or_else(|| {
        let shown: String = text.chars().take(80).collect();
        ApiRefusal::invalid_request(format!("`{name}={shown}` is no day; write month/day/year, such as 01/31/2026"))
    })
}

fn place(token: &str) -> Result<Place, ApiRefusal> {
    key(token).ok().and_then(|key| key.parse().ok()).ok_or_else(|| {
        ApiRefusal::invalid_request("`next_page` is not from a page of logs; give back what stood in `next_page`")
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: Timestamp = Timestamp(1_767_225_600_000_000 + DAY / 2);

    fn range(query: &str) -> Option<(String, String)> {
        let query = LogQuery::of(&Query::new(query), NOW).ok()?;
        Some((query.start.to_string(), query.end.to_string()))
    }

    #[test]
    fn days_of_a_range() {
        let midnight = |day: &str| format!("{day}T00:00:00.000000Z");
        let noon = |day: &str| format!("{day}T12:00:00.000000Z");
        for (query, start, end) in [
            ("", noon("2025-12-31"), noon("2026-01-02")),
            ("starttime=&endtime=", noon("2025-12-31"), noon("2026-01-02")),
            ("starttime=12/24/2025", midnight("2025-12-24"), noon("2026-01-02")),
            ("starttime=12%2F24%2F2025&endtime=12/24/2025", midnight("2025-12-24"), midnight("2025-12-25")),
            ("endtime=1/1/2026", noon("2025-12-31"), midnight("2026-01-02")),
            ("starttime=2/29/2024&endtime=3/1/2024", midnight("2024-02-29"), midnight("2024-03-02")),
        ] {
            assert_eq!(range(query), Some((start, end)), "{query}");
        }
        for query in [
            "starttime=2025-12-24",
            "starttime=24/12/2025",
            "starttime=2/30/2026",
            "starttime=1/1",
            "starttime=1/1/2026/1",
            "starttime=+1/1/2026",
            "starttime=1/1/99999",
            "starttime=today",
            "endtime=12/24/2025",
            "starttime=1/3/2026&endtime=1/1/2026",
            "starttime=1/1/2026&starttime=1/1/2026",
            "next_page=zz",
            "next_page=78",
        ] {
            assert_eq!(range(query), None, "{query}");
        }
    }
}
