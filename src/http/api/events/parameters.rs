//! The parameters of an audit query.

use tagstone_replay::audit::{Filter, FilterError, Order, Place};
use tagstone_schema::Seq;
use utoipa::IntoParams;

use crate::http::api::error::ApiRefusal;
use crate::http::api::page::{ApiPage, token};
use crate::http::query::Query;

/// An audit query.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct ListQuery {
    pub(super) filter: Filter,
    pub(super) order: Order,
    /// Entries of the page.
    pub(super) size: usize,
    /// Behind which place the page begins.
    pub(super) after: Option<Place>,
}

impl ListQuery {
    /// Reads the parameters of a request that came when the log had this head.
    pub(super) fn of(query: &Query<'_>, most: usize, head: Seq) -> Result<Self, ApiRefusal> {
        let filter = filter(query, &["order", "n", "next"], &[])?;
        filter.check()?;
        let order = match query.one("order")?.as_deref() {
            None | Some("desc") => Order::Descending,
            Some("asc") => Order::Ascending,
            Some(other) => {
                return Err(ApiRefusal::invalid_request(format!(
                    "`order={other}` is no order; give `desc`, the newest first, or `asc`, the oldest first"
                )));
            }
        };
        let page = ApiPage::of(query, most)?;
        let after = page.after().map(|key| place(key, order, head)).transpose()?;
        Ok(Self { filter, order, size: page.size(), after })
    }

    /// The `next` of a page that ends at a place.
    pub(super) fn next(order: Order, place: Place) -> String {
        token(&format!("{}:{place}", name(order)))
    }
}

/// Reads the filters of a request; these other parameters are for somebody else to read, and these filters are not for this one.
pub(super) fn filter(query: &Query<'_>, others: &[&str], without: &[&str]) -> Result<Filter, ApiRefusal> {
    let mut filter = Filter::default();
    for pair in query.pairs() {
        let (name, value) = pair?;
        if others.contains(&name) {
            continue;
        }
        filter.add(name, &value).map_err(|error| match error {
            FilterError::Unknown(name) => {
                let known = Filter::NAMES.iter().filter(|name| !without.contains(name)).chain(others);
                let known: Vec<_> = known.copied().collect();
                ApiRefusal::invalid_request(format!("there is no parameter `{name}`; there are {}", known.join(", ")))
            }
            error => error.into(),
        })?;
    }
    Ok(filter)
}

fn name(order: Order) -> &'static str {
    match order {
        Order::Descending => "desc",
        Order::Ascending => "asc",
    }
}

/// The place behind which a page begins. It says in which order it was reached, since in the other one it would lead back.
fn place(key: &str, order: Order, head: Seq) -> Result<Place, ApiRefusal> {
    let (made_for, place) = key.split_once(':').unwrap_or_default();
    let place = place.parse().ok().filter(|place: &Place| place.seq <= head);
    let refusal = |what| ApiRefusal::invalid_request(format!("`next` is {what}"));
    match place {
        Some(place) if made_for == name(order) => Ok(place),
        Some(_) if ["asc", "desc"].contains(&made_for) => Err(refusal(
            "of a list in the other order; ask for the next page as for the one before, with the same `order`",
        )),
        _ => Err(refusal("not from a list of events of this registry; give back what stood in `next`")),
    }
}

/// The filters, as they are documented.
#[derive(IntoParams)]
#[into_params(parameter_in = Query)]
#[expect(dead_code, reason = "they are documented here, and read by Filter")]
pub(super) struct FilterParameters {
    /// In this repository.
    repository: Option<String>,
    /// In repositories below this namespace, and on policies of it or of one below it.
    namespace: Option<String>,
    /// On tags of this name.
    tag: Option<String>,
    /// About this digest: what was pushed or removed, or where a tag points or pointed.
    digest: Option<String>,
    /// By this actor, or refused to him: a name, or kind and name as in `system:prune`.
    actor: Option<String>,
    /// Of this kind, such as `tag_moved`.
    kind: Option<String>,
    /// Ends of tags for this cause, such as `prune`.
    cause: Option<String>,
    /// At this instant or later (RFC 3339).
    #[param(value_type = Option<String>, format = DateTime)]
    since: Option<String>,
}

/// What only a list has, and a stream has not.
#[derive(IntoParams)]
#[into_params(parameter_in = Query)]
#[expect(dead_code, reason = "they are documented here, and read by Filter and ListQuery")]
pub(super) struct ListParameters {
    /// Before this instant (RFC 3339).
    #[param(value_type = Option<String>, format = DateTime)]
    until: Option<String>,
    /// In this record or a later one.
    from_seq: Option<u64>,
    /// In this record or an earlier one.
    to_seq: Option<u64>,
    /// The most events of the page.
    #[param(minimum = 1)]
    n: Option<u64>,
    /// `desc`, the newest first, or `asc`, the oldest first; `desc` where it is not given.
    order: Option<String>,
    /// `next` of the page before.
    next: Option<String>,
}
